"""The model of a step on ranks: numbers by hand, a fit that gives back what was put in, and what ranks measure."""

import importlib
from pathlib import Path

import mpi_job
import pytest

from tinycnn.execution.separable import why_not_separable

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
FIT = {"serial": 1e-3, "draw": 1e-6, "part": 2e-3, "post": 1e-4, "parameters": 1000}


@pytest.fixture
def scaling(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("ranks_scaling")


def test_a_step_on_paper(scaling):
    """1 ms, 512 images of 1 us, two parts of 2 ms; three waits of 1 ms, 10 posts of 0.1 ms, 16/3 kB at 1 MB/s."""
    assert scaling.computing(FIT, images=512, parts=2) == pytest.approx(1e-3 + 512e-6 + 4e-3)
    found = scaling.talking(FIT, ranks=3, latency=1e-3, bandwidth=1e6)
    assert found == pytest.approx(3e-3 + 1e-3 + 16e-3 / 3)
    assert scaling.talking(FIT, 1, 1e-3, 1e6) == 0


@pytest.mark.parametrize("growing", [True, False])
def test_efficiency_falls_until_communication_wins(scaling, growing):
    efficient = [scaling.efficiency(FIT, ranks, 1e-5, 1e9, growing) for ranks in [1, *scaling.RANKS]]
    assert efficient[0] == 1 and efficient == sorted(efficient, reverse=True) and efficient[-1] < 0.6
    where = int(scaling.crossing({**FIT, "draw": 0.0}, 1e-5, 1e9, growing))
    expected = {True: 19, False: 47}[growing]  # 9 ms by 0.5 ms; 1 ms + ceil(512 / 47) * 2 ms by 0.5 ms
    assert where == expected
    assert scaling.crossing({**FIT, "post": 0.0}, 0.0, 1e12, growing) == "beyond 512"


def test_the_fit(scaling):
    one, four = ({"seconds": 1e-3 + k * 2e-3, "parameters": 1000} for k in (1, 4))
    assert scaling.fitted(one, four, 1e-6, 1e-4) == pytest.approx(FIT)


def test_the_ratio_is_that_of_rounds(scaling):
    """A machine that slows down in one round slows down both."""
    found = {
        "strong, 2 ranks": {"seconds": 0.002, "rounds": [0.002, 0.02, 0.001]},
        "strong, 2 processes": {"seconds": 0.0018, "rounds": [0.0018, 0.018, 0.0009]},
    }
    assert scaling.comparison(found)[-1] == "| strong, 2 of them, batch 256 | 128,000 | 142,222 | 0.90 |"


def test_delays_are_held_to_the_clock(scaling):
    """On time: 1 ms, two parts of 2 ms, three waits of 1 ms, five posts of 0.1 ms, 4 kB at 1 MB/s."""
    found = {
        "delayed by 0 us": {"seconds": 0.013, "rounds": [0.012, 0.013, 0.019]},
        "delayed by 1000 us": {"seconds": 0.017, "rounds": [0.016, 0.017, 0.022]},
    }
    lines = scaling.delays(found, {"latency": 1e-3, "bandwidth": 1e6}, FIT)
    assert lines[2:] == ["| 0 us | 13.00 | 12.50 | 0.00 | 0.00 |", "| 1000 us | 17.00 | 15.50 | 4.00 | 3.00 |"]


@mpi_job.needs_mpi()
def test_two_ranks_measure_steps_and_exchanges(scaling):
    """Two waits at least are as long as messages are late; a third may have passed while a rank was computing."""
    order = {"net": "LeNet", "batch": 64, "strategy": "ranks", "workers": None, "seconds": 0.0, "delay": 2e-2}
    found = scaling.launch(2, **order)
    assert found["parameters"] == 61_706 and 2 * 2e-2 < found["seconds"]
    assert set(scaling.launch(2, sizes=[8, 1024, -3], seconds=0.01)) == {"8", "1024", "-3"}


def test_the_residual_net_can_be_cut(scaling):
    assert why_not_separable(scaling.residual_net(), scaling.nn.CrossEntropyLoss()) == ""
