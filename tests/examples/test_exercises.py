"""The exercises' table: every variant can be built, differs in what it says, and is trained and reported."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from tinycnn.models import LeNet

PROGRAM = Path(__file__).parents[2] / "examples" / "exercises.py"


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(PROGRAM))


def test_all_exercises_have_variants_that_can_be_built(program):
    variants = program["VARIANTS"]
    assert {v.exercise for v in variants} == {"", "1", "2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "3"}
    assert variants[0].model == {} and variants[0].lr == 0.9  # the chapter's net is the first
    for variant in variants:
        assert LeNet(**variant.model)[0].in_channels == 1
    assert len({v[1:] for v in map(lambda v: (v.exercise, v.name), variants)}) == len(variants)


def test_the_table_has_a_line_per_variant(program, tmp_path, capsys):
    arguments = [
        "--dataset",
        "silhouettes",
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--limit",
        "256",
        "--only",
        "1",
        "2.6",
        "3",
    ]
    program["main"]([*arguments, "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    rows = json.loads((tmp_path / "exercises.json").read_text(encoding="utf-8"))["rows"]
    assert [row["exercise"] for row in rows] == ["", "1", *["2.6"] * 5, "3"]
    for row in rows:
        assert len(row["accuracies"]) == 2 and row["dataset"] == "Silhouettes"
        assert row["mean"] == pytest.approx(np.mean(row["accuracies"]))
        assert row["spread"] == pytest.approx(abs(np.diff(row["accuracies"]).item()) / 2)
        line = rf"{re.escape(row['variant'])} +{row['parameters']:,}   {row['mean']:.3f} ± {row['spread']:.3f}"
        assert re.search(line, printed)
    assert rows[0]["parameters"] == 61_706
    assert rows[-1]["variant"] == "the same on Silhouettes"  # never called MNIST when it is not
    assert printed.startswith("Silhouettes train: 60,000 images")
    assert ("exercises.png" in printed) == program["can_draw"]()


def test_the_initialisers_reach_the_weights(program, monkeypatch):
    """What is handed to make_step has weights of the spread that the variant asks for."""
    seen = []

    class Stop(Exception):
        pass

    def make_step(net, *rest):
        seen.append(net)
        raise Stop

    monkeypatch.setitem(program["accuracy"].__globals__, "make_step", make_step)
    data = [type("Data", (), {"images": np.zeros((4, 1, 28, 28), np.uint8), "labels": np.zeros(4, np.int64)})] * 2
    options = program["parse"]([])
    for name in ("He normal", "normal, std 0.01", "Xavier uniform"):
        with pytest.raises(Stop):
            program["accuracy"](program["Variant"]("2.6", "", initialiser=name), data, options, 0)
    he, small, xavier = (net[7].weight.numpy() for net in seen)
    assert he.std() == pytest.approx(np.sqrt(2 / 400), rel=0.03)
    assert small.std() == pytest.approx(0.01, rel=0.03)
    assert np.abs(xavier).max() <= np.sqrt(6 / 520) < np.abs(he).max()


def test_the_plot_shows_all_seeds(program):
    pytest.importorskip("matplotlib")
    rows = [{"exercise": "1", "variant": "a", "accuracies": [0.7, 0.9], "mean": 0.8}]
    lines = program["draw"](rows).axes[0].lines
    assert list(lines[0].get_xdata()) == [0.7, 0.9] and list(lines[1].get_xdata()) == [0.8]


def test_senseless_numbers_are_refused(program, capsys):
    with pytest.raises(SystemExit):
        program["main"](["--seeds", "0"])
    assert "--seeds and --epochs: got 0 and 10, expected 1 or more" in capsys.readouterr().err
