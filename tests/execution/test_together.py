"""Batch normalisation in parts: its statistics are the whole batch's on every team, for any number of workers."""

import os
import signal
import sys

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn, optim, random, whole
from tinycnn.execution import WorkerError, make_step
from tinycnn.execution.together import NotTogether, side_by_side
from tinycnn.models import VGG, LeNet, ResNet

pytest.importorskip("threadpoolctl", reason="parts on workers need threadpoolctl")
LINUX = sys.platform.startswith("linux")
ENGINES = ["tape", "stages"]
TEAMS = ["threads", pytest.param("processes", marks=pytest.mark.skipif(not LINUX, reason="needs Linux's fork"))]


def net(dtype=np.float64, *layers, **how):
    random.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1),
        nn.BatchNorm2d(4, **how),
        nn.ReLU(),
        nn.Residual(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.Dropout(0.2)),
        nn.AvgPool2d(2),
        *layers,
        nn.Flatten(),
        nn.Linear(24, 5),
        nn.BatchNorm1d(5, affine=False),
        nn.Linear(5, 4),
    ).to(dtype)


def batch(rng, n):
    return rng.integers(0, 256, (n, 2, 6, 8), dtype=np.uint8), rng.integers(0, 4, n)


def train(strategy, batches, model=None, loss=None, micro_batch=4, **how):
    """Results of every step and of an evaluation; gradients; parameters and statistics at the end."""
    model = model or net()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    random.manual_seed(11)
    how |= {} if strategy == "plain" else {"micro_batch": micro_batch}
    with make_step(model, loss or nn.CrossEntropyLoss(), optimizer, strategy, **how) as step:
        results = [step(x, y) for x, y in batches]
        results.append(step.evaluate(*batches[0]))
        gradients = [p.grad.numpy().copy() for p in model.parameters()]
    return results, gradients, model.state_dict()


def assert_same(actual, expected, rtol=1e-9, atol=1e-12):
    for (loss, correct), (wanted, right) in zip(actual[0], expected[0], strict=True):
        np.testing.assert_allclose(loss, wanted, rtol=rtol)
        assert correct == right
    for a, e in zip(actual[1], expected[1], strict=True):
        assert_close(a, e, rtol, atol)
    for name, array in expected[2].items():
        assert_close(actual[2][name], array, rtol, atol)


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("n", [2, 4, 21])  # fewer than in a part; one part; a last part of one image
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_statistics_are_those_of_the_whole_batch(team, n, workers, engine, rng):
    batches = [batch(rng, n) for _ in range(3)]
    actual, expected = train(team, batches, workers=workers, engine=engine), train("plain", batches)
    assert_same(actual, expected)
    assert actual[2]["1.num_batches_tracked"] == 3 and (actual[2]["1.running_var"] != 1).all()


@pytest.mark.parametrize("how", [{"momentum": None}, {"track_running_stats": False}, {"affine": False}], ids=str)
@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_way_to_normalise(team, how, engine, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    assert_same(train(team, batches, net(**how), workers=2, engine=engine), train("plain", batches, net(**how)))


@pytest.mark.parametrize("engine", ENGINES)
def test_same_bits_for_any_number_of_workers(engine, rng):
    batches = [batch(rng, n) for n in (21, 21, 9)]
    teams = ["threads", "processes"] if LINUX else ["threads"]
    runs = [train(team, batches, net(np.float32), workers=w, engine=engine) for team in teams for w in (1, 2, 3)]
    for results, gradients, state in runs[1:]:
        assert results == runs[0][0]
        assert all(np.array_equal(a, b) for a, b in zip(gradients, runs[0][1], strict=True))
        assert all(np.array_equal(a, runs[0][2][name]) for name, a in state.items())
    assert_same(runs[0], train("plain", batches, net(np.float32)), rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("engine", ENGINES)
def test_images_whose_labels_are_ignored_are_still_in_the_mean(team, engine, rng):
    batches = [batch(rng, 12) for _ in range(3)]
    for _, y in batches:
        y[4:8] = -100  # the second part of three
    assert_same(train(team, batches, workers=2, engine=engine), train("plain", batches))


@pytest.mark.parametrize("team", TEAMS)
def test_a_loss_of_ones_own_is_checked_and_moves_no_statistics_twice(team, rng):
    batches = [batch(rng, 21) for _ in range(3)]

    def loss(logits, y):
        return ((logits - tinycnn.Tensor(np.eye(4)[y])) ** 2).mean()

    assert_same(train(team, batches, loss=loss, workers=2), train("plain", batches, loss=loss))


@pytest.mark.parametrize("team", TEAMS)
def test_what_is_loaded_while_a_step_is_open_reaches_all_workers(team, rng):
    (x, y), other = batch(rng, 21), train("plain", [batch(rng, 30)])[2]
    losses = []
    for strategy in ("plain", team):
        model = net()
        with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy) as step:
            step(x, y)
            model.load_state_dict(other)
            losses.append(step.evaluate(x, y))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)


class Picky(nn.Module, per_example=True):
    """Passes on what it gets; a part with an image of large numbers takes `another_way`."""

    def __init__(self, another_way):
        self.another_way = another_way

    def forward(self, x):
        return self.another_way(x) if (x.numpy() > 500).any() else x


def picky(another_way):
    random.manual_seed(3)
    layers = nn.Conv2d(2, 2, 3), Picky(another_way), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(48, 4)
    return nn.Sequential(*layers).to(np.float64)


def with_large_numbers(rng, n, where):
    x, y = batch(rng, n)
    x = x.astype(np.float64)
    x[where] = 1e6
    return x, y


def fail(x):
    raise ArithmeticError("it broke here")


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("where", [0, 6, 20])  # in a part of the first worker, of the second, in the last part
def test_an_error_in_one_part_ends_the_batch_and_the_next_goes_on(team, where, rng):
    model = picky(fail)
    before, optimizer = model.state_dict(), optim.SGD(model.parameters(), 0.1)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, team, workers=2, micro_batch=4) as step:
        with pytest.raises(ArithmeticError, match="it broke here"):
            step(*with_large_numbers(rng, 21, where))
        assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
        x, y = batch(rng, 21)
        assert np.isfinite(step(x.astype(np.float64), y)[0])


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("where", [0, 6, 20])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_parts_that_take_different_ways_are_refused(team, where, workers, rng):
    """Some meet once more than others; nobody waits for those who do not come."""
    model = picky(nn.BatchNorm2d(2))
    optimizer = optim.SGD(model.parameters(), 0.1)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, team, workers=workers, micro_batch=4) as step:
        with pytest.raises(NotTogether, match="looked at the whole batch in some of its parts and not in others"):
            step(*with_large_numbers(rng, 21, where))
        x, y = batch(rng, 21)
        assert np.isfinite(step(x.astype(np.float64), y)[0])


@pytest.mark.skipif(not LINUX, reason="needs Linux's fork")
def test_a_worker_that_dies_on_the_way_to_a_meeting_is_told_of(rng):
    caller = os.getpid()

    def die(x):
        assert os.getpid() != caller
        os.kill(os.getpid(), signal.SIGKILL)

    model = picky(die)
    optimizer = optim.SGD(model.parameters(), 0.1)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, "processes", workers=2, micro_batch=4) as step:
        with pytest.raises(WorkerError, match="worker process 1 ended with exit code -9"):
            step(*with_large_numbers(rng, 21, where=6))


class Centred(nn.Module, sees="batch"):
    """Says what it looks at, and looks at its part alone."""

    def forward(self, x):
        return x - x.mean(axis=0, keepdims=True)


class CentredTogether(nn.Module, sees="batch", meets=True):
    def forward(self, x):
        return x - tinycnn.Tensor(whole.total(x.numpy().sum(0)) / whole.examples(len(x)))


@pytest.mark.parametrize("team", TEAMS)
def test_a_layer_of_ones_own_meets_where_it_declares_to(team, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    assert_same(
        train(team, batches, net(np.float64, CentredTogether()), workers=2),
        train("plain", batches, net(np.float64, CentredTogether())),
    )
    with pytest.raises(RuntimeError, match="differs from the whole batch's .* Centred looks at the whole batch"):
        train(team, batches, net(np.float64, Centred()), workers=2)


def test_auto_saves_itself_the_meetings():
    for model, stages in ((net(np.float64, CentredTogether()), False), (net(), True), (ResNet(), True)):
        with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1)) as step:
            assert (": stages, parts of " in step.description) == stages
            assert (step.strategy == "plain") != stages
            assert stages or step.description.endswith("no faster: they would meet at every BatchNorm2d")


def test_on_gpus_parts_do_not_meet(fake_cupy):
    model = net().to("gpu")
    with pytest.raises(ValueError, match='threads .* use strategy "plain"'):
        make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "threads")


def test_a_part_that_waits_is_dropped_with_the_others():
    """Side by side, but one at a time: part 1 fails while part 0 waits, and part 2 never starts."""
    seen = []

    def part(k):
        def compute():
            seen.append(k)
            if k == 1:
                raise ArithmeticError("it broke here")
            whole.total(np.ones(1))
            seen.append("on")

        return compute

    with pytest.raises(ArithmeticError, match="it broke here"):
        side_by_side({k: part(k) for k in range(3)}, 3, 0, lambda rows: rows.sum(0))
    assert seen == [0, 1]


@pytest.mark.parametrize("team", TEAMS)
@pytest.mark.parametrize("kind", [ResNet, VGG, LeNet])
@pytest.mark.parametrize(
    "rule", [lambda p: optim.Adam(p, 0.01), lambda p: optim.AdamW(p, 0.01), lambda p: optim.SGD(p, 0.01, 0.9)]
)
def test_thirty_steps_of_deeper_nets_are_plains(team, kind, rule, rng):
    """And plain's are torch's, in test_parity."""
    batches = [(rng.random((10, 1, 12, 12)), rng.integers(0, 10, 10)) for _ in range(30)]
    options = {"channels": (3, 4)} | ({"batch_norm": True, "image_size": 12, "hidden": (6,)} if kind is LeNet else {})
    ends = []
    for strategy in ("plain", team):
        random.manual_seed(5)
        model = kind(**options).to(np.float64)
        how = {} if strategy == "plain" else {"workers": 2, "micro_batch": 4}
        optimizer = rule(model.parameters())
        rate = optim.OneCycleLR(optimizer, 0.05, 30) if isinstance(optimizer, optim.SGD) else None
        with make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, **how) as step:
            losses = []
            for x, y in batches:
                losses.append(step(x, y)[0])
                if rate:
                    rate.step()
        ends.append((losses, model.state_dict()))
    np.testing.assert_allclose(ends[1][0], ends[0][0], rtol=1e-8)
    assert np.ptp(ends[0][0]) > 0.01
    for name, array in ends[0][1].items():
        assert_close(ends[1][1][name], array, 1e-7, 1e-8)
