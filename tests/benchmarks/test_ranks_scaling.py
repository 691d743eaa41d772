"""The model of a step on ranks: numbers by hand, a fit that gives back what was put in, and what ranks measure."""

import importlib
from pathlib import Path

import mpi_job
import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
FIT = {"serial": 1e-3, "part": 2e-3, "draw": 1e-6, "parameters": 1000}


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("ranks_scaling")


def test_a_step_on_paper(scaling):
    """1 ms, 512 images of 1 us, two parts of 2 ms, four messages of 1 ms, 2 * 4000 / 2 bytes at 1 MB/s."""
    seconds = scaling.model(FIT, images=512, parts=2, ranks=2, latency=1e-3, bandwidth=1e6)
    assert seconds == pytest.approx(1e-3 + 512e-6 + 4e-3 + 4e-3 + 4e-3)
    assert scaling.model(FIT, 512, 2, 1, 1e-3, 1e6) == pytest.approx(1e-3 + 512e-6 + 4e-3)
    efficient = [scaling.efficiency(FIT, ranks, 1e-5, 1e9) for ranks in [1, *scaling.RANKS]]
    assert efficient[0] == 1 and efficient == sorted(efficient, reverse=True) and efficient[-1] < 0.4


def test_the_fit(scaling):
    one, four = ({"seconds": 1e-3 + k * 2e-3, "parameters": 1000} for k in (1, 4))
    assert scaling.fitted(one, four, 1e-6) == pytest.approx(FIT)


@mpi_job.needs_mpi()
def test_two_ranks_measure_steps_and_exchanges(scaling):
    order = {"net": "LeNet", "batch": 64, "strategy": "ranks", "workers": None, "seconds": 0.0, "delay": 1e-3}
    found = scaling.launch(2, **order)
    assert found["parameters"] == 61_706 and found["seconds"] > scaling.EXCHANGES * 1e-3
    assert set(scaling.launch(2, sizes=[8, 1024], seconds=0.01)) == {"8", "1024"}
