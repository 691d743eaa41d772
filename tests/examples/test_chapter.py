"""The chapter as a lesson: it runs in a fresh process, prints what it claims, and has its text in two languages."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tinycnn.data import Silhouettes

EXAMPLES = Path(__file__).parents[2] / "examples"
CHAPTER = (EXAMPLES / "chapter.py").read_text(encoding="utf-8")
VIETNAMESE = (EXAMPLES / "chapter_vi.md").read_text(encoding="utf-8")

PROGRAM = """
import runpy, sys
from tinycnn.d2l import images
from tinycnn.data import Silhouettes
sets = Silhouettes(train=True, size=600), Silhouettes(train=False, size=200)
images.load = lambda *_, **__: sets
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def texts(source):
    """The text cells, as lists of lines without their signs."""
    cells = re.split(r"^# %%", source, flags=re.M)
    return [cell.strip().splitlines()[1:] for cell in cells if cell.startswith(" [markdown]")]


def test_the_chapter_runs_and_prints_what_it_claims(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TINYCNN_", "MPL", "DISPLAY"))}
    environment |= {"TINYCNN_OUT": str(tmp_path), "TINYCNN_EPOCHS": "1", "MPLBACKEND": "agg", "PYTHONUTF8": "1"}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(EXAMPLES / "chapter.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
    for claim in (
        r"Conv2d output shape: \t \(1, 6, 28, 28\)\n",
        r"Linear output shape: \t \(1, 10\)\n",
        r"\(256, 1, 28, 28\) float32 \(256,\) int64 \['",
        r"untrained: 0\.[012]\d\d right",
        r"training on cpu\nloss \d\.\d{3}, train acc 0\.\d{3}, test acc 0\.\d{3}\n\d+\.\d examples/sec on cpu\n",
        r"learned: \[(1\.0|0\.9\d|1\.0\d), -(1\.0|0\.9\d|1\.0\d)\]",
        r"first maps: \(256, 6, 28, 28\)",
    ):
        assert re.search(claim, done.stdout), f"{claim!r} is not in\n{done.stdout}"
    assert [item.name for item in tmp_path.iterdir()] == ["animator.png"]


def test_the_text_is_there_in_both_languages_cell_by_cell():
    ours, theirs = texts(CHAPTER), texts(VIETNAMESE)
    assert len(ours) == len(theirs) == 11
    for english, vietnamese in zip(ours, theirs, strict=True):
        headings = [[re.match(r"# #+ (\d*)", line) for line in text] for text in (english, vietnamese)]
        numbers = [[match[1] for match in found if match] for found in headings]
        assert numbers[0] == numbers[1], f"{english[0]} has other headings in Vietnamese"
        assert all(line.startswith("#") or not line for line in [*english, *vietnamese])
        named = [set(re.findall(r"`[^`]+`", " ".join(text))) for text in (english, vietnamese)]
        assert named[0] - {"`chapter_vi.md`"} == named[1], f"{english[0]} names other things in Vietnamese"
    assert re.search("[àáạảãâầấậẩẫăằắặẳẵ]", VIETNAMESE) and max(map(len, VIETNAMESE.splitlines())) <= 125


def test_the_stand_in_has_all_classes():
    """Else the accuracies that the test asks for would mean nothing."""
    assert set(Silhouettes(train=False, size=200).labels.tolist()) == set(range(10))
