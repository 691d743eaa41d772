"""The benchmark of growth as far as it goes without PyTorch: its tables, and a measurement."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FOUND = {
    "8": {
        "tinycnn, 1": [{"us": us, "KB": 30} for us in (50, 10, 20)],
        "PyTorch eager, 1": [{"us": 60, "KB": 100}],
        "PyTorch channels_last, 1": [{"us": 40, "KB": 200}],
        "tinycnn, 2": [{"us": 10, "KB": 31}],
        "PyTorch eager, 2": [{"us": 5, "KB": 100}],
    },
    "32": {"tinycnn, 1": [{"us": 1234, "KB": 1}], "tinycnn, 2": [{"us": 10, "KB": 2}]},
}


def test_the_table_shows_medians_and_the_faster_pytorch(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    assert importlib.import_module("growth").table("pixels", FOUND, [1, 2]).splitlines()[2:] == [
        "| 8 | 20, 30 | 40, 200 (channels_last) | 2.00 | 10, 31 | 5, 100 (eager) | 0.50 |",
        "| 32 | 1,234, 1 |  |  | 10, 2 |  |  |",
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the benchmark counts memory as Linux does")
def test_it_measures_and_writes(tmp_path):
    pytest.importorskip("threadpoolctl")
    command = [sys.executable, str(BENCHMARKS / "growth.py"), "--only", "tinycnn", "--threads", "1"]
    options = ["--axes", "inference", "--rounds", "1", "--seconds", "0.01", "--out", str(tmp_path)]
    printed = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    result = json.loads((tmp_path / "growth.json").read_text(encoding="utf-8"))
    assert list(result["axes"]) == ["images, inference"] and result["workers"] == [1]
    for found in result["axes"]["images, inference"].values():
        assert found["tinycnn, 1"][0]["us"] > 0 and found["tinycnn, 1"][0]["KB"] > 0
    assert (tmp_path / "growth.md").read_text(encoding="utf-8").strip() in printed
