import json

import pytest

from tinycnn.training import Epoch, Point, Run
from tinycnn.training import run as module
from tinycnn.training.run import Clock


def test_points_of_the_chapter():
    run = Run(num_batches=235)
    points = []
    for _ in range(235):
        run.batch += 1
        points += [run.batch] if run.at_point else []
    assert points == [47, 94, 141, 188, 235]


@pytest.mark.parametrize(
    ("batches", "points"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (5, [1, 2, 3, 4, 5]),
        (9, list(range(1, 10))),
        (12, [2, 4, 6, 8, 10, 12]),
        (11, [2, 4, 6, 8, 10, 11]),
    ],
)
def test_points_of_short_epochs(batches, points):
    assert [b for b in range(1, batches + 1) if Run(num_batches=batches, batch=b).at_point] == points


def test_means_weigh_examples_not_batches():
    run = Run(num_batches=2)
    run.count(256 * 2.0, 100, 256)
    run.count(96 * 1.0, 60, 96)
    assert run.means() == ((512 + 96) / 352, 160 / 352)
    assert run.add_point(0.9) == Point(1, 2, 1.0, 0.9, 608 / 352, 160 / 352)


def test_an_epoch_ends_with_its_sums_forgotten():
    run = Run(num_batches=1)
    run.count(3.0, 1, 2)
    assert run.end_epoch(0.5, 1.25, 0.75) == Epoch(1, 1.0, 0.5, 1.5, 0.5, 1.25, 0.75)
    assert (run.epoch, run.batch, run.examples, run.means()) == (1, 0, 0, (0.0, 0.0))
    assert run.trained == 2


def test_clock_counts_steps_and_nothing_between(monkeypatch):
    times = iter([10, 13, 20, 21])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    clock = Clock()
    for _ in range(2):
        clock.start()
        clock.stop()
    assert clock.seconds == 3 + 1


def test_clock_runs_on_while_a_gpu_may_be_at_work(monkeypatch):
    times = iter([10, 25, 30, 31])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    clock = Clock()
    clock.start()
    clock.stop(settled=False)
    clock.start()
    clock.stop(settled=True)
    assert clock.seconds == 15
    clock.start()
    clock.stop()
    assert clock.seconds == 16


def test_examples_per_sec_is_that_of_all_steps():
    run = Run(trained=600, clock=Clock(1.5))
    assert run.examples_per_sec == 400
    assert Run().examples_per_sec == 0


def test_a_run_says_where_it_stands_in_one_line():
    assert repr(Run(epochs=10)) == "Run(0 of 10 epochs)"
    assert repr(Run(epochs=10, batch=47, num_batches=235)) == "Run(0 of 10 epochs and 47 of 235 batches)"
    end = Epoch(2, 2.0, 0.9, train_loss=0.51249, train_acc=0.8, test_loss=0.6, test_acc=0.79)
    run = Run(epoch=2, epochs=2, result=end, history=[end] * 99, trained=84_000, clock=Clock(4.0))
    assert repr(run) == "Run(2 of 2 epochs: loss 0.512, train acc 0.800, test acc 0.790, 21,000 examples/sec)"


def test_state_survives_json():
    run = Run(num_batches=3, clock=Clock(0.1))
    run.count(0.1 + 0.2, 1, 2)
    run.add_point(0.9)
    for _ in range(2):
        run.count(1 / 3, 1, 2)
    run.end_epoch(0.9, 0.7, 0.3)
    run.count(1e-17, 0, 2)
    again = Run.from_state_dict(json.loads(json.dumps(run.state_dict())))
    assert again.state_dict() == run.state_dict()
    assert (again.loss_sum, again.examples, again.trained, again.history) == (1e-17, 2, 8, run.history)
    assert again.result == run.history[-1]


def test_state_is_taken_with_the_clock_stopped(monkeypatch):
    """Between two measurements of a GPU the clock is running, and what it shows belongs to what has been trained."""
    times = iter([10, 25, 99, 100])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(times))
    run = Run()
    run.clock.start()
    run.clock.stop(settled=False)
    assert run.state_dict()["seconds"] == 15
    run.clock.start()  # writing the file is not counted
    run.clock.stop()
    assert run.clock.seconds == 16


@pytest.mark.parametrize("broken", [{"kind": "month"}, {"kind": "point"}, {"kind": "point", "epoch": 1, "moon": 2}])
def test_state_of_something_else(broken):
    state = Run().state_dict()
    with pytest.raises((KeyError, TypeError)):
        Run.from_state_dict({**state, "history": [broken]})
