"""threads and processes compute what plain computes: every gradient, three steps of training, evaluation."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn, optim, random
from tinycnn.execution import ENGINES, WorkerError, make_step

pytest.importorskip("threadpoolctl", reason="micro-batches on workers need threadpoolctl")
LINUX = sys.platform.startswith("linux")
STRATEGIES = ["threads", pytest.param("processes", marks=pytest.mark.skipif(not LINUX, reason="needs Linux's fork"))]


def net(dtype=np.float64, dropout=0.0):
    random.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 2, groups=2, bias=False),
        nn.Sigmoid(),
        nn.AvgPool2d((2, 1)),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(6 * 1 * 1, 5),
        nn.Tanh(),
        nn.Linear(5, 4),
    ).to(dtype)


def batch(rng, n):
    return rng.integers(0, 256, (n, 2, 6, 8), dtype=np.uint8), rng.integers(0, 4, n)


def parts(strategy):
    """Two workers, and parts of four images; nothing for plain, which computes a batch in one piece."""
    return () if strategy == "plain" else (2, 4)


def train(strategy, batches, dtype=np.float64, dropout=0.0, loss=None, options=None, **how):
    """Results of every step, then gradients and parameters at the end."""
    model = net(dtype, dropout)
    optimizer = optim.SGD(model.parameters(), **(options or {"lr": 0.5, "momentum": 0.9, "weight_decay": 0.01}))
    random.manual_seed(11)
    with make_step(model, loss or nn.CrossEntropyLoss(), optimizer, strategy, **how) as step:
        results = [step(x, y) for x, y in batches]
        results.append(step.evaluate(*batches[0]))
        gradients = [p.grad.numpy().copy() for p in model.parameters()]
    return results, gradients, [p.numpy() for p in model.parameters()]


def assert_same(actual, expected, rtol=1e-9):
    for (loss, correct), (wanted, right) in zip(actual[0], expected[0], strict=True):
        np.testing.assert_allclose(loss, wanted, rtol=rtol)
        assert correct == right
    for a, e in zip(actual[1] + actual[2], expected[1] + expected[2], strict=True):
        assert_close(a, e, rtol, 1e-12 if a.dtype == np.float64 else 1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n", [1, 7, 8, 21])  # one image; less than a micro-batch; a multiple; one that does not divide
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_equals_plain(strategy, n, workers, engine, rng):
    batches = [batch(rng, n) for _ in range(3)]
    assert_same(train(strategy, batches, workers=workers, micro_batch=8, engine=engine), train("plain", batches))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("engine", ENGINES)
def test_equals_plain_in_float32(strategy, engine, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    actual = train(strategy, batches, np.float32, workers=2, micro_batch=8, engine=engine)
    assert_same(actual, train("plain", batches, np.float32), rtol=2e-4)
    assert all(a.dtype == np.float32 for a in actual[1] + actual[2])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(weight=np.array([1.0, 5.0, 0.25, 2.0])),
        nn.CrossEntropyLoss(ignore_index=2, label_smoothing=0.1),
        nn.CrossEntropyLoss(reduction="sum"),
        lambda logits, y: ((logits - tinycnn.Tensor(np.eye(4)[y])) ** 2).mean(),
    ],
    ids=["weighted", "ignoring", "sum", "mean squared error"],
)
def test_any_loss_is_that_of_the_whole_batch(strategy, loss, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    options = {"lr": 0.01}
    actual = train(strategy, batches, loss=loss, options=options, workers=2, micro_batch=8)
    assert_same(actual, train("plain", batches, loss=loss, options=options))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_part_whose_labels_are_all_ignored_counts_for_nothing(strategy, engine, rng):
    batches = [batch(rng, 12) for _ in range(3)]
    for _, y in batches:
        y[4:8] = -100  # the second part of three
    assert_same(train(strategy, batches, workers=2, micro_batch=4, engine=engine), train("plain", batches))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("label", [-100, 1], ids=["ignored", "of weight 0"])
def test_a_batch_in_which_no_label_counts(strategy, engine, label, rng):
    """Its mean is 0 / 0, NaN; ignored labels have no gradient all the same, others have NaN, as in torch."""
    x, y = batch(rng, 12)
    y[4:] = -100
    y[:4] = label
    loss = nn.CrossEntropyLoss(weight=np.array([1.0, 0, 1, 1]))
    expected = train("plain", [(x, y)], loss=loss)
    assert np.isnan(expected[0][0][0]) and np.isnan(expected[1][-1]).all() == (label == 1)
    actual = train(strategy, [(x, y)], loss=loss, workers=2, micro_batch=4, engine=engine)
    np.testing.assert_allclose(actual[0][0], expected[0][0])
    assert_close(actual[1][-1], expected[1][-1])


@pytest.mark.parametrize("strategy", ["plain", *STRATEGIES])
def test_what_is_no_array_is_named(strategy, rng):
    """As the tensors of a DataLoader, or lists."""
    model = net()
    x, y = batch(rng, 9)
    with make_step(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, *parts(strategy)
    ) as step:
        for run in (step, step.evaluate):
            with pytest.raises(TypeError, match=r"step: x is a tinycnn.Tensor, expected a NumPy .* array; pass x.data"):
                run(tinycnn.Tensor(x), tinycnn.Tensor(y))
            with pytest.raises(TypeError, match=r"step: y is a list, expected a .* array; pass np.asarray\(y\)"):
                run(x, y.tolist())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_closed_step_refuses_to_go_on(strategy, rng):
    model = net()
    step = make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, 2, 4)
    x, y = batch(rng, 9)
    step(x, y)
    step.close()
    step.close()
    before = model.state_dict()
    with pytest.raises(RuntimeError, match="closed|after shutdown"):
        step(x, y)
    assert all(np.array_equal(a, model.state_dict()[name]) for name, a in before.items())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_drops_the_same_whatever_the_workers(strategy, engine, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    expected = train("plain", batches, dropout=0.4)
    for workers in (1, 2, 3):
        assert_same(train(strategy, batches, dropout=0.4, workers=workers, micro_batch=8, engine=engine), expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_same_bits_for_any_number_of_workers(engine, rng):
    batches = [batch(rng, 21) for _ in range(3)]
    teams = ["threads", "processes"] if LINUX else ["threads"]
    runs = [
        train(team, batches, np.float32, 0.3, workers=w, micro_batch=4, engine=engine)
        for team in teams
        for w in (1, 2, 3)
    ]
    for run in runs[1:]:
        assert run[0] == runs[0][0]
        for a, b in zip(run[1] + run[2], runs[0][1] + runs[0][2], strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_parameter_that_is_not_used_stands_still(strategy, rng):
    class Half(nn.Module):
        def __init__(self):
            self.used, self.idle = nn.Linear(96, 4), nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x.flatten(1))

    model = Half()
    before = model.idle.weight.numpy().copy()
    with make_step(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1, weight_decay=0.5), strategy, 2, 4
    ) as step:
        step(*batch(rng, 9))
    assert model.idle.weight.grad is None and np.array_equal(model.idle.weight.numpy(), before)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_layer_that_is_used_twice_gets_both_gradients(strategy, rng):
    class Twice(nn.Module):
        def __init__(self):
            random.manual_seed(5)
            self.layer, self.last = nn.Linear(96, 96).double(), nn.Linear(96, 4).double()

        def forward(self, x):
            return self.last(self.layer(self.layer(x.flatten(1)).tanh()))

    x, y = batch(rng, 9)
    found = []
    for how in ("plain", strategy):
        model = Twice()
        with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), how, *parts(how)) as step:
            step(x, y)
            found.append([p.grad.numpy().copy() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        assert_close(a, b, 1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("strategy", ["plain", *STRATEGIES])
def test_evaluation_leaves_everything_as_it_was(strategy, training, rng):
    model = net(dropout=0.5)
    model.train(training)
    before = model.state_dict()
    with make_step(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, *parts(strategy)
    ) as step:
        step.evaluate(*batch(rng, 9))
    assert all(p.grad is None for p in model.parameters())
    assert all(module.training == training for module in model.modules())
    assert all(np.array_equal(a, model.state_dict()[name]) for name, a in before.items())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_batches_may_grow_and_change_their_kind(strategy, rng):
    model = net()
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, 2, 4) as step:
        for n in (3, 30, 31, 5):
            x, y = batch(rng, n)
            expected = step.evaluate(x, y)
            assert step.evaluate(*(np.concatenate([a, a]) for a in (x, y)))[1] == 2 * expected[1]
            floats = step.evaluate(x / 255.0, y)
            np.testing.assert_allclose(floats[0], expected[0], rtol=1e-12)


class Fragile(nn.Module):
    """Fails in a worker when it meets a pixel of 255 in the last image of a part."""

    def __init__(self, how):
        self.inner, self.how = net(), how

    def forward(self, x):
        if x.numpy()[-1].max() == 1.0:
            self.how()
        return self.inner(x)


def fragile_batch(rng, n=16, at=None):
    x, y = batch(rng, n)
    x = np.minimum(x, 254)
    if at is not None:
        x[at] = 255
    return x, y


def raise_it():
    raise KeyError("this layer broke")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_error_in_a_worker_reaches_the_caller_and_changes_nothing(strategy, rng):
    model = Fragile(raise_it)
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, 2, 4) as step:
        good = fragile_batch(rng)
        expected, before = step.evaluate(*good), model.state_dict()
        with pytest.raises(KeyError, match="this layer broke") as caught:
            step(*fragile_batch(rng, at=7))  # the last image of part 1, which is worker 1's
        assert all(np.array_equal(a, model.state_dict()[name]) for name, a in before.items())
        assert step.evaluate(*good) == expected  # and the step goes on working
    if strategy == "processes":
        assert "in raise_it" in str(caught.value.__cause__)
    else:
        assert any(entry.name == "raise_it" for entry in caught.traceback)


@pytest.mark.skipif(not LINUX, reason="needs Linux's fork")
def test_a_killed_worker_ends_the_step_with_a_message(rng):
    model = Fragile(lambda: os.kill(os.getpid(), signal.SIGKILL))
    step = make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", 2, 4)
    step(*fragile_batch(rng))
    before = model.state_dict()
    with pytest.raises(WorkerError, match="worker process 1 ended with exit code -9 in the middle of a step"):
        step(*fragile_batch(rng, at=7))
    assert all(np.array_equal(a, model.state_dict()[name]) for name, a in before.items())
    step.close()


@pytest.mark.skipif(not LINUX, reason="needs Linux's fork")
def test_parameters_are_private_again_after_close_and_can_be_loaded_in_between(rng):
    model, other = net(), net()
    other.load_state_dict({name: a + 1 for name, a in other.state_dict().items()})
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", 2, 4) as step:
        x, y = batch(rng, 9)
        step.evaluate(x, y)
        model.load_state_dict(other.state_dict())
        inside = step.evaluate(x, y)
        homes = [p.data for p in model.parameters()]
    assert all(not np.shares_memory(p.data, home) for p, home in zip(model.parameters(), homes, strict=True))
    with make_step(other, nn.CrossEntropyLoss(), optim.SGD(other.parameters(), 0.1), "processes", 1, 4) as step:
        assert step.evaluate(x, y) == inside


@pytest.mark.skipif(not LINUX, reason="needs Linux's fork")
def test_a_replaced_parameter_array_is_noticed(rng):
    model = net()
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", 2, 4) as step:
        model.double()[0].weight.data = model[0].weight.data.copy()
        with pytest.raises(RuntimeError, match="array was replaced while the step was open"):
            step(*batch(rng, 9))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_outlives_the_step_and_blas_is_as_before(strategy, rng):
    from threadpoolctl import threadpool_info, threadpool_limits

    def blas():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    threads = threading.active_count()
    model = net()
    with threadpool_limits(2, "blas"):
        with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, 3, 2) as step:
            step(*batch(rng, 9))
            team = [process for process, _ in getattr(step, "_team", [])]
            assert set(blas()) == {1}
        assert set(blas()) == {2} and threading.active_count() == threads
    assert not any(process.is_alive() for process in team)


def test_auto_on_a_cpu_says_what_it_chose():
    model = net()
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1)) as step:
        assert step.strategy in ("threads", "processes") and step.description.startswith(step.strategy)


def test_arguments_are_checked(rng):
    model = net()
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(
        ValueError, match="strategy must be one of auto, plain, threads, processes, ranks, graph, got 'fast'"
    ):
        make_step(model, nn.CrossEntropyLoss(), optimizer, "fast")
    with pytest.raises(ValueError, match="got micro_batch 0, workers 2; expected 1 or more"):
        make_step(model, nn.CrossEntropyLoss(), optimizer, "threads", 2, 0)
    x, y = batch(rng, 4)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, "plain") as step:
        with pytest.raises(ValueError, match="got 4 examples and 3 labels"):
            step(x, y[:3])
    model[0].float()
    with pytest.raises(ValueError, match="runs on the CPU with parameters of one dtype"):
        make_step(model, nn.CrossEntropyLoss(), optimizer, "threads")


@pytest.mark.skipif(not LINUX, reason="needs Linux's fork")
def test_workers_end_when_the_program_is_killed():
    program = (
        "import sys, time, numpy as np\n"
        "from tinycnn import nn, optim\n"
        "from tinycnn.execution import make_step\n"
        "model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))\n"
        "step = make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), 'processes', 3, 1)\n"
        "step(np.zeros((3, 1, 2, 2), np.float32), np.zeros(3, int))\n"
        "print(*[process.pid for process, _ in step._team], flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    deadline = time.monotonic() + 10
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(workers) == 2 and not any(map(running, workers))


def running(pid):
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
