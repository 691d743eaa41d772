"""`tinycnn lessons`: notebooks that hold the lessons cell by cell, run, show their pictures, and lead to the page."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinycnn.cli import lessons, main
from tinycnn.cli.notebook import read_cells

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples" / "lessons").glob("*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the command writes, and says."""
    out = tmp_path_factory.mktemp("lessons") / "new"
    assert main(["lessons", "--out", str(out)]) == 0
    return out


def book(folder, name="01_convolution_by_hand"):
    return json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))


def fails(capsys, *arguments):
    assert main(["lessons", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def test_there_is_a_notebook_of_every_lesson_and_the_page(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(path.with_suffix(".ipynb").name for path in PROGRAMS), "lesson.html"]
    )


def test_it_says_how_to_open_them(tmp_path, capsys):
    assert main(["lessons", "--out", str(tmp_path / "a"), "--only", "2"]) == 0
    out = tmp_path / "a"
    assert capsys.readouterr().out == (
        f"wrote lesson.html and notebooks (1) into {out}; open them with: jupyter lab {out}\n"
    )
    assert sorted(path.name for path in out.iterdir()) == ["02_padding_stride_size.ipynb", "lesson.html"]
    assert main(["lessons", "--out", str(tmp_path / "b"), "--only", "2", "--lang", "vi"]) == 0
    assert capsys.readouterr().out.startswith("đã ghi lesson.html và 1 notebook vào ")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_code_is_the_lessons_and_the_texts_are_its_comments(path, folder):
    found, program = book(folder, path.stem)["cells"], path.read_text(encoding="utf-8")
    code = "\n".join("".join(cell["source"]) for cell in found if cell["cell_type"] == "code")
    comments = "\n".join("".join(cell["source"]) for cell in found if cell["cell_type"] == "markdown")
    lines = [line for line in program.splitlines() if line and not line.startswith("# %%")]
    texts = [line.removeprefix("#").removeprefix(" ") for line in re.findall(r"^#.*", comment_part(program), re.M)]
    unlinked = re.sub(r"\[([^]]*)\]\(lesson\.html#tab=\w+\)", r"\1", comments)
    assert [line for line in unlinked.splitlines() if line] == [line for line in texts if line]
    assert [line for line in code.splitlines() if line] == lines_of_code(program)
    assert len(lines) == len([line for line in texts if line]) + len(lines_of_code(program)) + texts.count("")


def comment_part(program):
    return "\n".join(part for part in re.split(r"^# %%", program, flags=re.M) if part.startswith(" [markdown]"))


def lines_of_code(program):
    parts = [
        part.partition("\n")[2] for part in re.split(r"^# %%", program, flags=re.M)[1:] if "[markdown]" not in part
    ]
    return [line for part in parts for line in part.splitlines() if line]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_jupytext_reads_the_same_cells(path):
    jupytext = pytest.importorskip("jupytext")
    theirs = [(cell.cell_type == "markdown", cell.source) for cell in jupytext.read(path).cells]
    assert [(cell.text, cell.source) for cell in read_cells(path.read_text(encoding="utf-8"))] == theirs


def test_the_format_is_valid(folder):
    nbformat = pytest.importorskip("nbformat")
    for path in folder.glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


def test_answers_are_folded_and_nothing_else(folder):
    for path in folder.glob("*.ipynb"):
        for cell in book(folder, path.stem)["cells"]:
            answer = "assert verdict.passed" in "".join(cell["source"])
            assert cell["metadata"].get("jupyter", {}).get("source_hidden", False) == answer


def test_lessons_lead_to_their_tab(folder):
    links = {
        path.stem[:2]: re.findall(r"lesson\.html#tab=(\w+)", path.read_text("utf-8")) for path in folder.glob("*.ipynb")
    }
    assert links == {
        "01": ["slide"], "02": ["size"], "03": ["channels"], "04": ["im2col"], "05": ["edit"], "06": ["backward"],
        "07": [], "08": ["network"], "09": [], "10": ["training"],
    }  # fmt: skip


EXECUTE = """
import sys
import nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(book, timeout=600, kernel_name="python3").execute()
nbformat.write(book, sys.argv[1])
"""
MISSING = [name for name in ("nbclient", "ipykernel") if importlib.util.find_spec(name) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {' and '.join(MISSING)}, which run a notebook")
@pytest.mark.parametrize("number", [1, 6])
def test_a_notebook_runs_in_jupyter_and_shows_its_pictures(number, tmp_path):
    assert main(["lessons", "--out", str(tmp_path), "--only", str(number)]) == 0
    (path,) = tmp_path.glob("*.ipynb")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TINYCNN_OUT": str(tmp_path / "out")}
    command = [sys.executable, "-c", EXECUTE, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in found for output in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    printed = "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")
    if importlib.util.find_spec("matplotlib"):
        assert "image/png" in kinds
    assert printed.count(": not yet") == printed.count(": right") == 2


IN_IPYTHON = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"])).raise_error()
"""


@pytest.mark.skipif(importlib.util.find_spec("IPython") is None, reason="not installed: IPython, which runs the cells")
def test_the_cells_run_in_ipython(folder, tmp_path):
    command = [sys.executable, "-c", IN_IPYTHON, str(folder / "02_padding_stride_size.ipynb")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TINYCNN_OUT": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "lesson 2: not yet" in done.stdout and "lesson 2: right" in done.stdout


def test_in_vietnamese_all_texts_are_and_the_links_are_the_same(folder, tmp_path):
    assert main(["lessons", "--out", str(tmp_path), "--lang", "vi"]) == 0
    for path in PROGRAMS:
        english, vietnamese = (book(place, path.stem)["cells"] for place in (folder, tmp_path))
        kinds = [[cell["cell_type"] for cell in cells] for cells in (english, vietnamese)]
        speak = vietnamese.pop(kinds[1].index("code"))
        assert "".join(speak["source"]) == 'import tinycnn.check\n\ntinycnn.check.language("vi")'
        for ours, theirs in zip(english, vietnamese, strict=True):
            assert ours["cell_type"] == theirs["cell_type"]
            assert ours["cell_type"] == "code" or ours["source"] != theirs["source"], theirs["source"]
        links = [re.findall(r"lesson\.html#tab=\w+", str(cells)) for cells in (english, vietnamese)]
        assert links[0] == links[1]
    assert "[thẻ Trượt của trang](lesson.html#tab=slide)" in "".join(book(tmp_path)["cells"][0]["source"])


# What cannot be done


def test_what_was_typed_is_not_overwritten(tmp_path, capsys):
    assert main(["lessons", "--out", str(tmp_path), "--only", "7"]) == 0
    (path,) = tmp_path.glob("*.ipynb")
    path.write_text("mine", encoding="utf-8")
    assert f"{path} is there already, and what was typed into it would be lost" in fails(capsys, "--out", tmp_path)
    assert path.read_text(encoding="utf-8") == "mine" and len(list(tmp_path.iterdir())) == 2


def test_a_lesson_that_is_not_there(tmp_path, capsys):
    assert "there is no lesson 11, expected numbers from 1 to 10" in fails(capsys, "--out", tmp_path, "--only", 1, 11)
    assert not list(tmp_path.iterdir())


def lesson(folder, stem, texts=None):
    (folder / f"{stem}.py").write_text("# %% [markdown]\n# # A\n\n# %%\n1\n", encoding="utf-8")
    if texts is not None:
        (folder / f"{stem}_vi.md").write_text(texts, encoding="utf-8")
        (folder / "printed_vi.json").write_text(json.dumps({stem: {}}), encoding="utf-8")


def test_a_lesson_without_a_text_in_the_language(tmp_path):
    lesson(tmp_path, "01_a", "# %% [markdown]\n# # Một\n")
    lesson(tmp_path, "02_b")
    with pytest.raises(ValueError, match=r"there is no text in 'Tiếng Việt' of lesson 2; there is of --only 1"):
        lessons.notebooks(tmp_path, None, "vi")
    (only,) = lessons.notebooks(tmp_path, [1], "vi").values()
    text, _, one = json.loads(only)["cells"]
    assert (text["source"], one["source"]) == (["# Một"], ["1"])
    lesson(tmp_path, "01_a", "# %% [markdown]\n# # Một\n# %% [markdown]\n# Hai\n")
    with pytest.raises(ValueError, match=r"01_a_vi\.md has 2 texts, expected one for each of 01_a\.py"):
        lessons.notebooks(tmp_path, [1], "vi")
    (tmp_path / "01_a_vi.md").unlink()
    with pytest.raises(ValueError, match=r"of lesson 1, 2; write --lang en"):
        lessons.notebooks(tmp_path, None, "vi")


def test_an_installation_without_lessons_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(lessons, "__file__", str(tmp_path / "a" / "b" / "lessons.py"))
    monkeypatch.setattr(lessons.sysconfig, "get_path", lambda name: str(tmp_path / "prefix"))
    monkeypatch.setattr(lessons.site, "getuserbase", lambda: str(tmp_path / "user"))
    with pytest.raises(ValueError, match="they are not with this installation"):
        lessons.folder()
    for base in ("user", "prefix"):
        (tmp_path / base / "share" / "tinycnn" / "lessons").mkdir(parents=True)
        lesson(tmp_path / base / "share" / "tinycnn" / "lessons", "01_a")
        assert lessons.folder().is_relative_to(tmp_path / base)


def test_a_text_with_code_in_it_is_refused():
    with pytest.raises(ValueError, match=r"read_cells: 'x = 1' in a text cell, expected a comment"):
        read_cells("# %% [markdown]\n# a\nx = 1\n")
