"""What lessons print, in another language: the same keys and parts, every notebook runs, and every number stays."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from tinycnn import check
from tinycnn.cli.lessons import cells, folder, notebooks
from tinycnn.cli.notebook import Cell, read_cells
from tinycnn.cli.printed import in_language, literals
from tinycnn.explain import figures
from tinycnn.explain.words import FIRST, languages
from tinycnn.grading.language import FOLDER

PROGRAMS = sorted(folder().glob("[0-9][0-9]_*.py"))
OTHERS = [name for name in languages() if name != FIRST]
HINTS = json.loads((FOLDER / "vi.json").read_text(encoding="utf-8"))
TRAINING = {"08_lenet", "10_deeper_nets"}


def table(name):
    return json.loads((folder() / f"printed_{name}.json").read_text(encoding="utf-8"))


def code(text):
    return [Cell(False, text)]


@pytest.mark.parametrize("name", OTHERS)
def test_a_language_has_a_table_of_every_lesson(name):
    assert (FOLDER / f"{name}.json").exists(), "what the checks say is not there"
    assert list(table(name)) == [path.stem for path in PROGRAMS]
    assert {stem: set(texts) for stem, texts in table(name).items()} == {
        stem: set(texts) for stem, texts in table("vi").items()
    }
    assert len(notebooks(folder(), None, name)) == len(PROGRAMS)  # all that is printed is there, and nothing else


def test_what_is_printed_is_replaced_and_its_parts_are_kept():
    before = 'print("one", f"{x:.2f} of {y!r}")  # "one"\ny = ["one"]\nprint(g("two.png"), "é =", 3)\n'
    (after,) = in_language(code(before), {"one": 'mộ"t', "{0} of {1}": "{1}: {0}"})
    assert (
        after.source == 'print("mộ\\"t", f"{y!r}: {x:.2f}")  # "one"\ny = ["mộ\\"t"]\nprint(g("two.png"), "é =", 3)\n'
    )


def test_the_code_is_the_same_but_for_its_texts():
    for path in PROGRAMS:
        for name in OTHERS:
            english = [cell for cell in read_cells(path.read_text(encoding="utf-8")) if not cell.text]
            first, *others = [cell for cell in cells(path, name) if not cell.text]
            assert first.source == f'import tinycnn.check\n\ntinycnn.check.language("{name}")'
            for ours, theirs in zip(english, others, strict=True):
                assert without(ours.source) == without(theirs.source) and ours.tags == theirs.tags


def without(source):
    """A program without its texts."""
    encoded = source.encode()
    for literal in reversed(literals(source)):
        start, end = literal.place
        encoded = encoded[:start] + b"..." + encoded[end:]
    return encoded


@pytest.fixture
def printed(monkeypatch, tmp_path):
    """Runs cells as one program, and returns what they print; pictures are left to the tests of the lessons."""
    monkeypatch.setenv("TINYCNN_OUT", str(tmp_path))
    monkeypatch.setattr(figures, "can_draw", lambda: False)

    def run(found):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec("\n".join(cell.source for cell in found if not cell.text), {"__name__": "__main__"})  # noqa: S102
        return out.getvalue()

    yield run
    check.language("en")


def numbers(text):
    """All numbers, but for times and what comes of them."""
    text = re.sub(r"[-+.e\d]+ ms|\([^()]*(?:times the loops' speed|lần vòng lặp)\)", "", text)
    return sorted(re.findall(r"\d+(?:[.,]\d+)*(?:e[-+]\d+)?%?", text))


def english_of(stem):
    """The texts of more than a word that are said otherwise in Vietnamese, as patterns."""
    for english, other in {**HINTS, **table("vi")[stem]}.items():
        if english != other and len(re.findall(r"[A-Za-z]{2,}", english)) > 1:
            yield re.sub(r"\\\{\d\\\}", ".+", re.escape(english.strip()))


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in TRAINING), id=p.stem) for p in PROGRAMS]
)
def test_a_notebook_in_vietnamese_runs_and_keeps_every_number(path, printed):
    english, vietnamese = printed(cells(path, "en")), printed(cells(path, "vi"))
    assert numbers(english) == numbers(vietnamese) and len(english.split("right")) > 1
    flat = " ".join(vietnamese.split())  # verdicts are filled to a width
    assert ": chưa đúng" in flat and ": đúng" in flat
    assert not [text for text in english_of(path.stem) if re.search(rf"(?<!\w){text}(?!\w)", flat)]


# What is refused


def test_what_is_printed_and_not_in_the_table_is_refused():
    with pytest.raises(ValueError, match=r"printed: there is nothing for 'one \{0\}', which is printed; add it to"):
        in_language(code('print(f"one {x}", 3)'), {})
    assert in_language(code('a = "one"; print(f"{x}: ", f("one"), "x = ")'), {})[0].source


def test_what_is_in_the_table_and_in_no_cell_is_refused():
    with pytest.raises(ValueError, match="printed: no cell has 'two'; take it out of the table"):
        in_language([*code('print("one")'), Cell(True, 'print("two")')], {"one": "một", "two": "hai"})


@pytest.mark.parametrize("other", ["một", "{0} {0}", "{1} {2}"])
def test_other_parts_are_refused(other):
    with pytest.raises(ValueError, match=r"has other parts than '\{0\} of \{1\}', expected the same \{0\}, \{1\}"):
        in_language(code('print(f"{x} of {y}")'), {"{0} of {1}": other})


def test_an_f_string_with_braces_inside_is_refused():
    with pytest.raises(ValueError, match=r'printed: f"one \{x:\{n\}\}" has braces inside of its parts, expected'):
        in_language(code('print(f"one {x:{n}}")'), {"one {0}": "một {0}"})


def test_a_lesson_without_a_table_is_refused(tmp_path):
    path = Path(tmp_path / "01_a.py")
    path.write_text('# %% [markdown]\n# # A\n\n# %%\nprint("one")\n', encoding="utf-8")
    path.with_name("01_a_vi.md").write_text("# %% [markdown]\n# # Một\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"printed_vi\.json has no table of what 01_a\.py prints; add '01_a' to it"):
        cells(path, "vi")
    path.with_name("printed_vi.json").write_text('{"01_a": {"one": "một"}}', encoding="utf-8")
    assert [cell.source for cell in cells(path, "vi")][2] == 'print("một")'
