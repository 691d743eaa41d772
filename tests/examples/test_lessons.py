"""Every lesson runs by itself in a fresh process, offline, and prints what it claims."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinycnn import check
from tinycnn.cli.notebook import read_cells
from tinycnn.explain import bundle
from tinycnn.explain.words import table

EXAMPLES = Path(__file__).parents[2] / "examples"
LESSONS = sorted((EXAMPLES / "lessons").glob("*.py"))

CLAIMS = {  # what must be in a lesson's output; regular expressions
    "01_convolution_by_hand": [r"engine:  \[\[19.0, 25.0\], \[37.0, 43.0\]\]", r"edges: \[0, 0, 7, 0, 0, -5, 0\]"],
    "02_padding_stride_size": ["4 places a side,  stride 2: 2", r"n=28  k=5  s=1  p=2:  formula 28, engine 28"],
    "03_channels": ["channel 0 gives 5, channel 1 gives 12, together 17", "2416 numbers"],
    "04_im2col": [r"row times columns: \[19, 25, 37, 43\]", "25 times the image", "the same numbers"],
    "05_pooling": ["max of the sum is 1, sum of the maxima is 2", "a shift by one pixel changes"],
    "06_backward": [
        r"5 6 7 there and back: \[5, 12, 7\]",
        r"<im2col\(x\), c> = (-?\d+) = \1 = <x, col2im\(c\)>",
        "transposed True",
        r"dx: three lines against the engine, largest difference \d\.\de[-+]\d\d",
        r"gradient of the averages: \[0.25\]",
    ],
    "07_tape_and_gradients": [
        "dy/dx = 6.0",
        "found: gradcheck: input 0",
        r"at -1\.5: backward says -4\.50, measured  6\.75, 3x\^2 is  6\.75",
        "repaired: gradcheck passes",
    ],
    "08_lenet": ["61,706", r"ln 10 = 2.303", r"epoch 3: loss 0\.\d+, test accuracy [6-9]\d%"],
    "09_write_your_own_conv2d": ["-> the padding is at the top and left only", "my_conv2d: well done"],
    "10_deeper_nets": [
        r"sigmoids alone +last layer .* [\d,]{7,}\.\d times smaller",
        r"normalised +last layer .* \d{1,2}\.\d times smaller",
        r"dx is (1\.0\d|0\.9\d) on average: 1 past the block",
        r"sigmoids alone +loss 2\.3\d\d, 1?\d% right\nnormalised +loss [01]\.\d+, \d\d% right",
    ],
}


def run(program, folder, *arguments, code=None):
    """The output of a program in a new process whose current folder is empty; figures go there as well."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TINYCNN_", "MPL"))}
    environment |= {"TINYCNN_OUT": str(folder / "out"), "PYTHONIOENCODING": "utf-8"}
    environment["PYTHONPATH"] = str(EXAMPLES.parent)
    command = [sys.executable, "-W", "error", *(["-c", code] if code else [str(program)]), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{program} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_there_are_ten_lessons_and_each_claims_something():
    assert [path.stem for path in LESSONS] == sorted(CLAIMS) and len(LESSONS) == 10


def test_lessons_and_tabs_name_each_other():
    english = table("en")["tabs"]
    named = {}
    for path in sorted((Path(bundle.STATIC) / "scripts" / "tabs").glob("*.js")):
        if lesson := re.search(r'^  lesson: "(\w+)"', path.read_text(encoding="utf-8"), re.M):
            named.setdefault(lesson[1], set()).add(english[path.stem]["name"])
    assert len(named) == 7 and set(named) < set(CLAIMS)
    for lesson, names in named.items():
        told = re.search(
            r"the tab (\w+) of the page", (EXAMPLES / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
        )
        assert told and told[1] in names, lesson


WITHOUT_MATPLOTLIB = """
import importlib.util, runpy, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "matplotlib" else real(name, *rest)
sys.modules["matplotlib"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("name", ["01_convolution_by_hand", "06_backward"])
def test_a_lesson_runs_without_matplotlib(name, tmp_path):
    output = run(name, tmp_path, str(EXAMPLES / "lessons" / f"{name}.py"), code=WITHOUT_MATPLOTLIB)
    assert "wrote" not in output and re.search(CLAIMS[name][0], output)


ALONE = """
import mmap, os, runpy, sys, threading
def refuse(*arguments, **options):
    raise OSError("there are no processes and no threads here")
os.fork = os.posix_spawn = refuse
threading.Thread.start = refuse
mmap.mmap = refuse
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_prints_what_it_claims_also_without_processes_and_threads(path, tmp_path):
    """As in a browser's Python."""
    assert_claims(path, run(path.stem, tmp_path, str(path), code=ALONE), tmp_path)


def test_the_lesson_that_trains_runs_with_all_there_is(tmp_path):
    path = EXAMPLES / "lessons" / "08_lenet.py"
    assert_claims(path, run(path, tmp_path), tmp_path)


def assert_claims(path, output, folder):
    for claim in CLAIMS[path.stem]:
        assert re.search(claim, output), f"{path.name} does not print {claim!r}; it prints:\n{output}"
    asked, right = (re.findall(rf"^lesson [\w, ]+: {word}$", output, re.M) for word in ("not yet", "right"))
    assert len(asked) == len(right) == path.read_text(encoding="utf-8").count("\n# your code\n")
    for name in re.findall(r"wrote .*?([^/\\]+\.png)", output):
        assert (folder / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert [item.name for item in folder.iterdir()] in ([], ["out"])  # nothing is left elsewhere


@pytest.mark.parametrize("path", LESSONS[:5], ids=lambda path: path.stem)
def test_nothing_asks_for_backward_before_it_is_explained(path):
    assert not re.search(r"backward\(|requires_grad|\.grad\b", path.read_text(encoding="utf-8"))


def cells(path):
    """The cells of a lesson: texts, and code."""
    return [cell for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M) if cell.strip()]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_made_of_cells(path):
    """Percent format: starts with a text cell that asks a question, proves something, and has an exercise."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ") and "**Question.**" in cells(path)[0]
    assert text.count("\n# ## Exercise\n") == 1
    for cell in cells(path):
        if cell.startswith(" [markdown]"):
            lines = cell.strip().splitlines()[1:]
            assert all(line.startswith("#") or not line for line in lines), f"text outside a comment: {cell}"
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_exercise_has_cells_of_your_own_and_an_answer_to_each(path):
    """Dots to fill in, then the check; then an answer in a cell of its own, which the same check finds right."""
    parts = cells(path)
    exercise = next(k for k, cell in enumerate(parts) if "\n# ## Exercise\n" in cell)
    own = [k for k, cell in enumerate(parts) if cell.startswith("\n# your code\n")]
    assert 1 <= len(own) <= 2 and min(own) > exercise
    for k in own:
        asked, ellipses = re.search(r"print\((tinycnn\.check\.lesson\w+\(.*\))\)\n*$", parts[k])[1], r"(= |:| )\.\.\."
        assert re.search(ellipses, parts[k]), f"there is nothing to fill in: {parts[k]}"
        assert parts[k + 1].strip() == "[markdown]\n# An answer; try yours first:"
        assert parts[k + 2].startswith(' tags=["answer"]\n') and "..." not in parts[k + 2]
        assert parts[k + 2].rstrip().endswith(f"verdict = {asked}\nprint(verdict)\nassert verdict.passed")
    assert sum('tags=["answer"]' in cell for cell in parts) == len(own)


def test_every_check_belongs_to_a_lesson_of_its_number():
    asked = {path.stem: re.findall(r"tinycnn\.check\.(\w+)", path.read_text(encoding="utf-8")) for path in LESSONS}
    assert {name for names in asked.values() for name in names} == set(check.__all__) - {"Verdict", "language"}
    for stem, names in asked.items():
        assert {int(re.match(r"lesson(\d+)", name)[1]) for name in names} == {int(stem[:2])}


# In Vietnamese

VIETNAMESE = "àáạảãâầấậẩẫăằắặẳẵđèéẹẻẽêềếệểễìíịỉĩòóọỏõôồốộổỗơờớợởỡùúụủũưừứựửữỳýỵỷỹ"


def figures_in(text):
    """The numbers of a text, 2,303 and 2.303 the same, one after the other as they stand."""
    return re.findall(r"\d+", text)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_text_is_there_in_vietnamese_cell_by_cell(path):
    """As many texts, the same headings, the same code, the same numbers; and every one of its own letters."""
    theirs = read_cells(path.with_name(f"{path.stem}_vi.md").read_text(encoding="utf-8"))
    ours = [cell for cell in read_cells(path.read_text(encoding="utf-8")) if cell.text]
    assert len(ours) == len(theirs)
    for english, vietnamese in zip((cell.source for cell in ours), (cell.source for cell in theirs), strict=True):
        headings = [re.findall(r"^#+", text, re.M) for text in (english, vietnamese)]
        assert headings[0] == headings[1], vietnamese
        named = [
            sorted(re.findall(r"`[^`]+`", " ".join(text.split()).replace(" --lang vi`", "`")))
            for text in (english, vietnamese)
        ]
        assert named[0] == named[1], vietnamese
        blocks = [
            [figures_in(line) for line in text.splitlines() if line.startswith("    ")]
            for text in (english, vietnamese)
        ]
        assert blocks[0] == blocks[1], vietnamese
        for text in (english, vietnamese):  # a line that happens to begin so would become a list
            assert not re.search(r"^([-+*]|\d+[.)]) ", text, re.M), text
        assert set(vietnamese.lower()) & set(VIETNAMESE) and not re.search(r"\b(the|and|with|is)\b", vietnamese)
    text = path.with_name(f"{path.stem}_vi.md").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_tab_is_named_as_the_vietnamese_page_names_it(path):
    english, vietnamese = table("en")["tabs"], table("vi")["tabs"]
    told = re.search(r"the tab (\w+) of the page", path.read_text(encoding="utf-8"))
    text = " ".join(re.sub("^# ?", "", path.with_name(f"{path.stem}_vi.md").read_text("utf-8"), flags=re.M).split())
    keys = [key for key in english if told and english[key]["name"] == told[1]]
    assert [key for key in vietnamese if f"thẻ {vietnamese[key]['name']} của trang" in text] == keys
