"""What the README shows is run, and what it names is there."""

import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
VIETNAMESE = (ROOT / "README.vi.md").read_text(encoding="utf-8")
BOTH = TEXT + VIETNAMESE


@pytest.mark.parametrize("text", [TEXT, VIETNAMESE], ids=["en", "vi"])
def test_python_blocks_run_one_after_the_other(text, capsys):
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "(8, 6, 14, 14) (6, 1, 5, 5)" in printed and "61,706" in printed


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", BOTH))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("script", sorted(set(re.findall(r"\b((?:examples|benchmarks)/[\w/]+\.py)", BOTH))))
def test_scripts_exist(script):
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"-m (tinycnn[.\w]*)", BOTH))))
def test_modules_exist(module):
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_the_two_commands_are_the_same_in_both_languages():
    commands = re.findall(r"^python3 -m venv .*$", VIETNAMESE, re.M)
    assert len(commands) == 2 and all(f"```sh\n{command}\n```" in TEXT for command in commands)


def test_the_size_of_the_core():
    """Lines of Python in the rooms that the README says an afternoon covers, to a tenth."""
    rooms = [ROOT / "tinycnn" / name for name in ("autograd", "ops", "nn", "optim", "backend")]
    files = [ROOT / "tinycnn" / "models.py", *(path for room in rooms for path in room.glob("*.py"))]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    said = int(re.search(r"`models.py`, about ([\d,]+) lines\.", TEXT)[1].replace(",", ""))
    assert 0.9 * lines <= said <= 1.1 * lines


# Its numbers are those of the results


def result(name):
    return (ROOT / "benchmarks" / "results" / name).read_text(encoding="utf-8")


def test_the_chapters_table():
    rows = [line for line in result("reproduce_chapter.md").splitlines() if line.startswith("| ") and ": m" in line]
    assert len(rows) == 4 and all(row in TEXT for row in rows)


def test_the_table_of_speeds(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report, found = importlib.import_module("peers.report"), json.loads(result("cpu_vs_peers.json"))
    _, *rows = report.short_table(found["cases"]).splitlines()
    assert len(rows) == 7 and all(row in TEXT for row in rows)
    assert importlib.import_module("peers.whole_program").table(found["whole program"]) in TEXT


def test_the_table_of_speeds_on_a_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report, found = importlib.import_module("gpu_peers.report"), json.loads(result("gpu_vs_peers.json"))
    assert len(found["cases"]) == 3 and report.short(found["cases"]) in TEXT
    assert f"{found['card']['name']}, {found['machine']['date']}, PyTorch 2.11 and JAX 0.11.2" in TEXT
    assert found["machine"]["versions"]["torch"] == "2.11.0" and found["machine"]["versions"]["jax"] == "0.11.2"


def test_ten_epochs_on_a_gpu():
    cold, warm = re.findall(r"([\d.]+) s in all", result("gpu_lenet_fashion.txt"))
    loss, train, test = re.findall(
        r"^loss ([\d.]+), train acc ([\d.]+), test acc ([\d.]+)", result("gpu_lenet_fashion.txt"), re.M
    )[1]
    said = re.sub(r"\s+", " ", TEXT)
    assert f"take {warm} seconds in all, with loss {loss}, train accuracy {train} and test accuracy {test}" in said
    assert abs(float(cold) - float(warm) - 13) < 1 and "for some 13 seconds more" in said


@pytest.mark.parametrize(("name", "least"), [("fashion", 0.92), ("mnist", 0.993)])
def test_the_better_lenet(name, least):
    found = json.loads(result(f"better_lenet.{name}.json"))
    assert found["test_acc"] >= least and found["limit"] is None
    assert f"{found['test_acc']:.2%}".replace("%", " %") in TEXT


def test_the_exercises():
    found = json.loads(result("exercises.json"))
    assert len(found["rows"]) == 19 and found["limit"] is None
    assert all(len(row["accuracies"]) == found["seeds"] == 3 for row in found["rows"])


def test_what_is_said_of_larger_nets(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    growth, found = importlib.import_module("growth"), json.loads(result("growth.json"))
    assert growth.table("net", found["axes"]["net"], found["workers"]) in result("growth.md")
    ratios = []
    for rows in found["axes"]["net"].values():
        us = {name: growth.medians(answers)[0] for name, answers in rows.items() if name.endswith(", 2")}
        ratios.append(min(us["PyTorch eager, 2"], us["PyTorch channels_last, 2"]) / us["tinycnn, 2"])
    assert f"tinycnn has {min(ratios):.2f} to {max(ratios):.2f}\n" in TEXT and found["machine"]["date"] in TEXT


def test_the_table_of_accuracies(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    accuracy, runs = importlib.import_module("accuracy"), json.loads(result("accuracy.json"))
    table = accuracy.table(accuracy.grouped(runs))
    assert table in TEXT and table + "\n" == result("accuracy.md")
    assert all(run["limit"] is None for run in runs)


def test_what_ranks_and_the_books_loop_cost():
    strong, weak = re.findall(r"^\| (?:strong|weak), 2 of them.*\| ([\d.]+) \|$", result("ranks_scaling.md"), re.M)
    assert f"two ranks train LeNet at {strong} times the speed of two `processes` (batch 256;\n{weak} with" in TEXT
    assert f"in {json.loads(result('chapter_time.json'))['ratio']:.2f} of its time" in TEXT
