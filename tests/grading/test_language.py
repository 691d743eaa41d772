"""Verdicts and reports in another language: a table for each, with all that the code says, and its parts."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

import tinycnn
from tinycnn import check
from tinycnn.check.verdict import Verdict
from tinycnn.cli.printed import text_of
from tinycnn.grading.language import FOLDER, language, translated

PACKAGE = FOLDER.parents[1]
SPEAKING = [PACKAGE / "check" / f"{name}.py" for name in ("verdict", "hand", "forward", "learning")]
SPEAKING += [PACKAGE / "grading" / f"{name}.py" for name in ("cases", "mistakes", "marking", "report")]
TABLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
WORDS = {"right", "not yet", "well done", "forward", "backward", "speed", "height", "width", "many", "few"}
UNSAID = re.compile(r"check: |of [(x]|has shape$|Array \| None$|noij|  \{0\}$")  # errors, and what only programs read


@pytest.fixture(autouse=True)
def back_to_english():
    yield
    language("en")


def texts(path):
    """What a module says, f-strings as a whole; and the texts inside of them, which may be words."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    unsaid = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    formats = {id(v.format_spec) for v in nodes if isinstance(v, ast.FormattedValue)}
    pieces = {id(piece) for node in nodes if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            if id(node) not in unsaid | formats | pieces:
                yield text_of(node)


SAID = {text for path in SPEAKING for text in texts(path)}
HINTS = {text for text in SAID if re.search(r"[a-z]{2}", text) and " " in text and not UNSAID.match(text)} | WORDS


def test_there_is_vietnamese_and_what_the_code_says_is_found():
    assert "vi" in TABLES and len(HINTS) > 200 and WORDS <= SAID
    assert {"the bias is left out", "the padding is ignored"} & HINTS == {"the padding is ignored"}
    assert "{0} [this explains {1} of {2} wrong shapes: {3}]" in HINTS


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_all_that_the_code_says_and_nothing_else(name):
    assert not HINTS - TABLES[name].keys(), "these are not in the table"
    assert not TABLES[name].keys() - SAID, "nothing says these"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keeps_the_parts_and_the_names_of_code(name):
    for english, other in TABLES[name].items():
        assert other and sorted(re.findall(r"\{\w*\}", english)) == sorted(re.findall(r"\{\w*\}", other)), other
        for code in (r"`[^`]+`", r"\b(?:d?[xwby]|np\.empty|NaN|eps|gamma|beta|b\[o\]|S|k|u|v)\b", r"\d+"):
            found = [sorted(set(re.findall(code, text))) for text in (english, other)]
            assert found[0] == found[1], other


def test_vietnamese_has_no_english_in_it():
    for english, other in TABLES["vi"].items():
        assert not re.search(r"\b(the|and|with|is|are|of|it|that)\b", other.replace("`padding`", "")), other
        assert english != other or not re.search(r"[a-z]{2}", english), other


COMPOSED = {  # parts of parts
    "look at top right and bottom left again: four products, pixel times what lies on it, then their sum":
        "hãy xem lại trên phải và dưới trái: bốn tích, mỗi tích là điểm ảnh nhân với số nằm trên nó, rồi cộng lại",
    "these make 115 of 224, 3 too many: kernel and padding decide about the rest":
        "các số này biến 224 thành 115, thừa 3: hạt nhân và đệm quyết định phần còn lại",
    "dw: only the first image is counted; add up the batch": "dw: chỉ ảnh đầu tiên được tính; hãy cộng cả lô",
    "for x (1, 2), w (3,), stride 2, padding 1: the result[0, 1] is 9, expected -6":
        "với x (1, 2), w (3,), sải bước 2, đệm 1: kết quả[0, 1] là 9, lẽ ra là -6",
    "the stride is ignored [this explains 2 of 3 wrong shapes: x (1,), w (1,), stride 2, padding 0; "
    "x (2,), w (2,), stride 3, padding 0]":
        "sải bước bị bỏ qua [giải thích được 2 trong 3 hình dạng sai: x (1,), w (1,), sải bước 2, đệm 0; "
        "x (2,), w (2,), sải bước 3, đệm 0]",
    "it raised IndexError: index 9 is out of bounds (line 7: return x[9])":
        "hàm báo lỗi IndexError: index 9 is out of bounds (dòng 7: return x[9])",
    "the stride counts along the height only, in the output's size as well; it is that of both axes":
        "sải bước chỉ được tính theo chiều cao, trong kích thước đầu ra cũng vậy; nó là của cả hai trục",
    "something is over at the end of the height and the width, which no window covers":
        "ở cuối chiều cao và chiều rộng còn thừa một phần mà không cửa sổ nào phủ lên",
}  # fmt: skip


def test_what_is_put_together_is_put_together_in_the_language():
    assert {text: translated(text) for text in COMPOSED} == {text: text for text in COMPOSED}
    language("vi")
    assert {text: translated(text) for text in COMPOSED} == COMPOSED


def test_what_no_table_has_stays():
    language("vi")
    for text in ("gradcheck: input 0", "cannot reshape; and more: of it", ""):
        assert translated(text) == text


def test_a_verdict_and_a_report_are_printed_in_it_and_keep_their_hints():
    def without_bias(x, w, b, stride, padding):
        return np.zeros((1, 1))

    english = repr(check.lesson1([[1, 1], [1, 1]])), repr(tinycnn.grade(without_bias))
    check.language("vi")
    verdict, report = check.lesson1([[1, 1], [1, 1]]), tinycnn.grade(without_bias)
    assert repr(verdict) == "bài 1: chưa đúng\n  -> " + translated(verdict.hints[0])
    assert verdict.hints == ["it answers where the image is flat; what must its four numbers add up to?"]
    assert repr(report).startswith("without_bias: chưa đúng\n  xuôi      sai trên 8 trong 8 hình dạng\n")
    assert report.forward.causes[0].startswith("the output has the wrong size")
    assert repr(Verdict("lesson 2", because="")) == "bài 2: đúng\n"
    check.language("en")
    assert (repr(verdict), repr(report)) == english


def test_a_language_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"language: there is no language 'no', expected one of en, .*vi"):
        language("no")


def test_another_language_is_another_file(tmp_path, monkeypatch):
    Path(tmp_path / "xx.json").write_text('{"right": "recht", "lesson 1": "les 1"}', encoding="utf-8")
    monkeypatch.setattr("tinycnn.grading.language.FOLDER", tmp_path)
    language("xx")
    assert repr(Verdict("lesson 1")) == "les 1: recht\n"
