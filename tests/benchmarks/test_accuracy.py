"""The table of accuracies: runs of one recipe and data set make one row, with their mean, extremes and time."""

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy")


def run(recipe, data, seed, by_epoch, seconds):
    return {
        "recipe": recipe, "dataset": data, "seed": seed, "parameters": 7154, "epochs": len(by_epoch),
        "test_acc": by_epoch[-1], "test_acc_by_epoch": by_epoch, "cpu_seconds": seconds,
    }  # fmt: skip


RUNS = [
    run("small", "MNIST", 0, [0.97, 0.99, 0.995], 600),
    run("deep", "Fashion-MNIST", 0, [0.8, 0.934], 90),
    run("small", "MNIST", 1, [0.98, 0.996, 0.992], 1260),
    run("small", "MNIST", 2, [0.99, 0.98, 0.996], 1200),
]


def test_a_row_for_each_recipe_and_data_set(accuracy, tmp_path, capsys):
    (tmp_path / "accuracy.json").write_text(json.dumps(RUNS), encoding="utf-8")
    accuracy.main(["--results", str(tmp_path)])
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    assert text.splitlines()[2:] == [
        "| small | MNIST | 7,154 | 3 | 99.43 [99.20, 99.60] | 3 | 20 |",
        "| deep | Fashion-MNIST | 7,154 | 2 | 93.40 [93.40, 93.40] | 1 | 2 |",
    ]


def test_the_curves_are_means_and_bands_of_all_seeds(accuracy):
    pytest.importorskip("matplotlib")
    left, right = accuracy.draw(accuracy.grouped(RUNS)).axes
    assert (left.get_title("left"), right.get_title("left")) == ("MNIST", "Fashion-MNIST")
    (line,) = left.get_lines()
    assert line.get_ydata() == pytest.approx([0.98, (0.99 + 0.996 + 0.98) / 3, (0.995 + 0.992 + 0.996) / 3])
    heights = left.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.97, 0.996)
