import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinycnn.data import Silhouettes

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chapter_time.py"


@pytest.fixture
def script(monkeypatch):
    """The script, on a few drawn images."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("TINYCNN_OUT", "")
    spec = importlib.util.spec_from_file_location("chapter_time", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sets = Silhouettes(train=True, size=300), Silhouettes(train=False, size=50)
    monkeypatch.setattr(module, "load", lambda *_, **__: sets)
    return module


@pytest.mark.parametrize("fault", ["none", "other weights", "slow"])
def test_the_book_and_the_example_end_with_the_same_bits(script, fault, tmp_path, monkeypatch):
    """Time is measured, but only the script's own clock says what a run took here."""
    clock = iter(range(1000))
    slow = {"by_the_book": 0}
    monkeypatch.setattr(script, "time", SimpleNamespace(perf_counter=lambda: next(clock) + slow["by_the_book"]))
    book = script.by_the_book

    def changed(train_set, test_set, options):
        slow["by_the_book"] += 0.1 * (fault == "slow")
        return book(train_set, test_set, replace(options, seed=int(fault == "other weights")))

    monkeypatch.setattr(script, "by_the_book", changed)
    status = script.main(["--pairs", "1", "--limit", "256", "--out", str(tmp_path)])
    result = json.loads((tmp_path / "chapter_time.json").read_text(encoding="utf-8"))
    assert status == int(fault != "none") and result["same_bits"] == (fault != "other weights")
    assert len(result["ratios"]) == len(result["seconds"]["example"]) == 1
    assert result["ratio"] == pytest.approx(1.1 if fault == "slow" else 1)
