"""The CPU benchmark as far as it goes without the other frameworks: its tables, its picture, and a measurement."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FOUND = {
    "train LeNet, batch 256": {
        "tinycnn": [{"rate": r, "faults": 2.0} for r in (20_000, 30_000, 31_000)],
        "tinycnn 1 worker": [{"rate": 15_000}],
        "PyTorch eager": [{"rate": 10_000}, {"rate": 12_000}],
        "JAX jit": [{"rate": 5_000}, {"error": "the process ended"}],
    },
    "infer LeNet, batch 1": {
        "tinycnn": [{"rate": 2_000}],
        "tinycnn 1 worker": [{"rate": 2_000}],
        "PyTorch eager": [{"rate": 4_000}],
        "JAX jit": [{"error": "no"}],
    },
}
WHOLE = {
    "tinycnn": [{"seconds": s, "MB": 200} for s in (20, 21, 40)],
    "PyTorch eager": [{"seconds": 63, "MB": 400}],
}


@pytest.fixture
def report(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("peers.report")


def test_the_table_shows_medians_bests_and_ratios(report):
    assert report.table(FOUND).splitlines() == [
        "| case | tinycnn | tinycnn 1 worker | PyTorch eager | JAX jit |",
        "|---|---|---|---|---|",
        "| train LeNet, batch 256 | 30,000 (31,000) | 15,000 (15,000, 2.00x) | 11,000 (12,000, 2.73x) | failed |",
        "| infer LeNet, batch 1 | 2,000 (2,000) | 2,000 (2,000, 1.00x) | 4,000 (4,000, 0.50x) | failed |",
    ]


def test_the_short_table_is_the_readmes(report):
    assert report.short_table(FOUND).splitlines() == [
        "| images per second | tinycnn | PyTorch eager | JAX jit |",
        "|---|---|---|---|",
        "| train LeNet, batch 256 | **30,000** | 11,000 (2.73x) | failed |",
        "| infer LeNet, batch 1 | **2,000** | 4,000 (0.50x) | failed |",
    ]


def test_the_remarks(report):
    assert report.remarks(FOUND["train LeNet, batch 256"], peak=200.0, threads=2) == [
        "- share of the sgemm peak (200 GFLOP/s at 2048 x 2048): 34%",
        "- page faults per step: 2.0",
        "- 2 workers are 2.00 times as fast as 1",
        "- the best of the others is PyTorch eager: tinycnn is 2.73 times as fast",
    ]
    assert report.remarks({"PyTorch eager": [{"rate": 4_000}]}, 200.0, 2) == []


def test_the_whole_programs_table(report):
    whole_program = importlib.import_module("peers.whole_program")
    assert whole_program.table(WHOLE).splitlines()[2:] == [
        "| tinycnn | 21.0 | 1.00 | 200 |",
        "| PyTorch eager | 63.0 | 3.00 | 400 |",
    ]


def test_the_picture_has_a_bar_for_each(report):
    pytest.importorskip("matplotlib")
    steps, whole = report.draw(FOUND, WHOLE).axes
    assert [t.get_text() for t in steps.get_yticklabels()] == ["tinycnn", "PyTorch eager"]
    assert [bar.get_width() for bar in steps.patches] == [30_000, 11_000]
    assert [bar.get_width() for bar in whole.patches] == [21, 63]
    assert len(report.draw(FOUND, {}).axes) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the benchmark counts page faults as Linux does")
def test_it_measures_and_writes(tmp_path):
    pytest.importorskip("threadpoolctl")
    command = [sys.executable, str(BENCHMARKS / "cpu_vs_peers.py"), "--only", "tinycnn,tinycnn plain"]
    options = ["--cases", "batch 32", "--rounds", "1", "--seconds", "0.02", "--out", str(tmp_path)]
    printed = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    result = json.loads((tmp_path / "cpu_vs_peers.json").read_text(encoding="utf-8"))
    ours = result["cases"]["train LeNet, batch 32"]["tinycnn"][0]
    assert ours["rate"] > 0 and ours["steps"] >= 3 and result["machine"]["versions"]["numpy"]
    assert (tmp_path / "cpu_vs_peers.md").read_text(encoding="utf-8").strip() in printed
