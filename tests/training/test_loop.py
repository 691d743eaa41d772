import signal
import warnings

import fakecupy
import numpy as np
import pytest
from fakecupy import counts

from tinycnn import Tensor
from tinycnn.autograd.tape import is_grad_enabled
from tinycnn.backend import device_of, to_device
from tinycnn.data import Batches, scale
from tinycnn.execution import GraphStep, Step, make_step
from tinycnn.nn import Conv2d, CrossEntropyLoss, Linear, Module, ReLU, Sequential
from tinycnn.optim import SGD, OneCycleLR, StepLR
from tinycnn.training import Epoch, NonFiniteLoss, Observer, Point, Run, evaluate, train


class Noting(Observer):
    """Writes down all that it is told."""

    def __init__(self):
        self.told = []

    def on_start(self, run):
        self.told.append(("start", run.epoch, run.batch))

    def on_point(self, run, point):
        self.told.append(("point", point.epoch, point.batch))

    def on_batch(self, run):
        self.told.append(("batch", run.epoch, run.batch))

    def on_epoch_end(self, run, result):
        self.told.append(("epoch", result.epoch))

    def on_end(self, run):
        self.told.append(("end",))


class Pretended(Step):
    """A step that computes nothing: loss 2 and one right answer a batch."""

    def __init__(self, task):
        super().__init__(task.net, task.loss, task.optimizer)
        self.seen, self.tested = [], []

    def __call__(self, x, y):
        self.seen.append(x)
        return 2.0 * len(x), 1

    def evaluate(self, x, y):
        self.tested.append(x)
        return 4.0 * len(x), len(x)


def test_the_chapters_measurements(task):
    task = task(images=235 * 2 - 1, batch_size=2)
    step = Pretended(task)
    run = train(step, task.batches, task.test_batches, epochs=2)
    points = [record for record in run.history if isinstance(record, Point)]
    assert [(p.epoch, p.batch) for p in points] == [(e, b) for e in (1, 2) for b in (47, 94, 141, 188, 235)]
    assert [p.x for p in points] == [e + b / 235 for e in (0, 1) for b in (47, 94, 141, 188, 235)]
    assert [p.train_loss for p in points] == [2.0] * 10
    assert [p.train_acc for p in points] == 2 * [0.5, 0.5, 0.5, 0.5, 235 / 469]
    epochs = [record for record in run.history if isinstance(record, Epoch)]
    assert epochs == [Epoch(e, float(e), 0.5, 2.0, 235 / 469, 4.0, 1.0) for e in (1, 2)]
    assert run.history[5] is epochs[0] and run.result is epochs[1]
    assert (run.epoch, run.batch, run.trained) == (2, 0, 2 * 469)
    assert len(step.seen) == 470 and len(step.tested) == 2 * len(task.test_batches)


def test_training_is_the_textbooks_loop(task):
    """The same by hand, to the last bit: forward, backward, update on each batch, in the epochs' orders."""
    ours, theirs = task(seed=3, momentum=0.5), task(seed=3, momentum=0.5)
    with ours.step() as step:
        run = train(step, ours.batches, ours.test_batches, epochs=2)
    for _ in range(2):
        losses, correct = [], 0
        for x, y in theirs.batches:
            theirs.optimizer.zero_grad()
            logits = theirs.net(Tensor(scale(x)))
            loss = theirs.loss(logits, y)
            loss.backward()
            theirs.optimizer.step()
            losses.append((loss.data * len(y)).item())
            correct += int((logits.numpy().argmax(1) == y).sum())
    assert ours.bits() == theirs.bits()
    assert (run.result.train_loss, run.result.train_acc) == (sum(losses) / 50, correct / 50)
    logits = theirs.net(Tensor(scale(ours.test_batches.images)))
    assert run.result.test_acc == (logits.numpy().argmax(1) == ours.test_batches.labels).mean()
    assert run.result.test_loss == pytest.approx(theirs.loss(logits, ours.test_batches.labels).item(), rel=1e-6)


def test_training_learns(task):
    task = task(images=400, batch_size=16)
    with task.step() as step:
        run = train(step, task.batches, task.test_batches, epochs=8)
    assert run.history[0].train_loss > 0.9 and run.result.train_loss < 0.5 and run.result.test_acc > 0.7


STRATEGIES = [("plain", {}), ("threads", {"workers": 1}), ("threads", {"workers": 2}), ("processes", {"workers": 2})]


@pytest.mark.parametrize(("strategy", "options"), STRATEGIES)
def test_the_same_seed_gives_the_same_bits_twice(task, strategy, options):
    found = []
    for _ in range(2):
        one = task(seed=5, momentum=0.9, lr=0.1, dropout=0.3)
        try:
            step = one.step(strategy, **({} if strategy == "plain" else {"micro_batch": 3, **options}))
        except RuntimeError as error:
            pytest.skip(str(error))
        with step:
            run = train(step, one.batches, one.test_batches, epochs=2)
        found.append((one.bits(), run.history))
    assert found[0] == found[1]
    other = task(seed=6, momentum=0.9, lr=0.1, dropout=0.3)
    assert other.bits() != task(seed=5).bits()


def test_a_run_goes_on_in_the_middle_of_an_epoch(task):
    whole, parts = task(seed=1), task(seed=1)
    with whole.step() as step:
        expected = train(step, whole.batches, whole.test_batches, epochs=2)

    class Leave(Observer):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (1, 3):
                raise KeyboardInterrupt

    run = Run()
    with parts.step() as step:
        with pytest.raises(KeyboardInterrupt):
            train(step, parts.batches, parts.test_batches, epochs=2, observers=[Leave()], run=run)
        assert (run.epoch, run.batch) == (1, 3)
        train(step, parts.batches, parts.test_batches, epochs=2, run=run)
    assert parts.bits() == whole.bits()
    assert run.history == expected.history and run.result == expected.result


def test_more_epochs_can_follow(task):
    whole, parts = task(), task()
    with whole.step() as step:
        expected = train(step, whole.batches, whole.test_batches, epochs=3)
    with parts.step() as step:
        run = train(step, parts.batches, parts.test_batches, epochs=1)
        train(step, parts.batches, parts.test_batches, epochs=3, run=run)
        train(step, parts.batches, parts.test_batches, epochs=3, run=run)  # nothing is left to do
    assert parts.bits() == whole.bits() and run.history == expected.history


def test_observers_are_told_in_order(task):
    task, noting = task(images=24), Noting()
    train(Pretended(task), task.batches, task.test_batches, epochs=1, observers=[noting])
    batches = [told for b in (1, 2, 3) for told in (("point", 1, b), ("batch", 0, b))]
    assert noting.told == [("start", 0, 0), *batches, ("epoch", 1), ("end",)]


def test_every_observer_hears_of_the_end_whatever_the_others_do(task):
    class Failing(Observer):
        def on_point(self, run, point):
            raise OSError("the disk is full")

        def on_end(self, run):
            raise OSError("still full")

    task, noting = task(), Noting()
    with pytest.warns(RuntimeWarning, match="still full"), pytest.raises(OSError, match="the disk is full"):
        train(Pretended(task), task.batches, task.test_batches, epochs=1, observers=[Failing(), noting])
    assert noting.told[-1] == ("end",)


@pytest.mark.filterwarnings("ignore:(overflow|invalid) ")
def test_an_error_at_the_end_never_hides_the_one_that_ended_the_run(task):
    class Full(Observer):
        def on_end(self, run):
            raise OSError("no space left")

    class CtrlC(Observer):
        def on_batch(self, run):
            raise KeyboardInterrupt

    task = task(lr=1e39)
    with pytest.warns(RuntimeWarning, match="no space left"), task.step() as step, pytest.raises(NonFiniteLoss):
        train(step, task.batches, task.test_batches, 2, [Full()])
    task = type(task)
    with pytest.warns(RuntimeWarning, match="no space left"), pytest.raises(KeyboardInterrupt):
        task = task()
        train(Pretended(task), task.batches, task.test_batches, 1, [CtrlC(), Full()])


class Decoration(Observer):
    essential = False

    def __init__(self, method):
        self.calls = 0
        setattr(self, method, self.fail)

    def fail(self, *arguments):
        self.calls += 1
        raise BrokenPipeError("nobody looks")


@pytest.mark.parametrize("method", ["on_start", "on_point", "on_batch", "on_epoch_end", "on_end"])
def test_an_observer_that_only_shows_steps_aside_with_one_warning(task, method):
    task, decoration, noting = task(), Decoration(method), Noting()
    with pytest.warns(RuntimeWarning, match="Decoration steps aside, training goes on: .*nobody looks") as caught:
        run = train(Pretended(task), task.batches, task.test_batches, epochs=2, observers=[decoration, noting])
    assert len(caught) == 1 and decoration.calls == 1
    assert run.epoch == 2 and noting.told[-1] == ("end",)


def test_warnings_that_are_errors_do_not_end_training_either(task):
    task = task()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = train(Pretended(task), task.batches, task.test_batches, epochs=2, observers=[Decoration("on_point")])
    assert run.epoch == 2


def test_an_observer_that_never_began_hears_of_no_end(task):
    class Refusing(Observer):
        def on_start(self, run):
            raise RuntimeError("not here")

    task, noting = task(), Noting()
    with pytest.raises(RuntimeError, match="not here"):
        train(Pretended(task), task.batches, task.test_batches, epochs=1, observers=[Refusing(), noting])
    assert noting.told == []


# One run after another


def test_training_again_goes_on_with_new_orders(task):
    """`for lr in rates: train(..., epochs=1)` is the same as three epochs at once."""
    whole, parts = task(momentum=0.5), task(momentum=0.5)
    with whole.step() as step:
        run = train(step, whole.batches, whole.test_batches, epochs=3)
    with parts.step() as step:
        runs = [train(step, parts.batches, parts.test_batches, epochs=1) for _ in range(3)]
    assert parts.bits() == whole.bits()
    assert [r.result.train_loss for r in runs] == [e.train_loss for e in run.history if isinstance(e, Epoch)]


def test_a_for_loop_after_training_has_an_order_of_its_own(task):
    one = task(images=40)
    first = [y.tolist() for _, y in one.batches.from_batch(0, 0)]
    train(Pretended(one), one.batches, one.test_batches, epochs=1)
    again = [y.tolist() for _, y in one.batches]
    assert again != first and again == [y.tolist() for _, y in one.batches.from_batch(1, 0)]


def test_evaluate_gives_every_layer_its_own_mode_back(task):
    task = task(dropout=0.3)
    task.net[3].eval()
    with task.step() as step:
        evaluate(step, task.test_batches)
        evaluate(task.net, task.test_batches)
    assert [layer.training for layer in task.net] == [True, True, True, False, True]


# Labels of other shapes, and other tasks


def pixels(rng, images=20, ignored=0.0):
    """4x4 images whose pixels are to be told apart by their brightness: a class for each."""
    x = rng.integers(0, 256, (images, 1, 4, 4), np.uint8)
    y = (x[:, 0] // 86).astype(np.int64)
    y[rng.random(y.shape) < ignored] = -100
    return x, y


@pytest.mark.parametrize("ignored", [0.0, 0.4])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_accuracy_per_pixel_is_a_share(rng, ignored, reduction):
    x, y = pixels(rng, ignored=ignored)
    net, loss = Sequential(Conv2d(1, 3, 1)), CrossEntropyLoss(reduction=reduction)
    batches, test = Batches(x, y, 6), Batches(x, y, 7, shuffle=False)
    with make_step(net, loss, SGD(net.parameters(), lr=0.0), "plain") as step:
        run = train(step, batches, test, epochs=1)
    logits, used = net(Tensor(scale(x))), y != -100
    right = (logits.numpy().argmax(1) == y)[used].mean()
    mean = CrossEntropyLoss()(logits, y).item()
    assert run.result.test_acc == run.result.train_acc == pytest.approx(right)
    assert run.result.test_loss == pytest.approx(mean, rel=1e-5)
    assert run.result.train_loss == pytest.approx(mean, rel=1e-5)


def test_a_batch_whose_labels_are_all_ignored_counts_for_nothing(task):
    task = task(images=40)
    labels = task.test_batches.labels.copy()
    labels[:8] = -100  # the whole first batch
    some = Batches(task.test_batches.images, labels, 8, shuffle=False)
    rest = Batches(task.test_batches.images[8:], labels[8:], 8, shuffle=False)
    with np.errstate(invalid="ignore"):
        assert evaluate(task.net, some) == pytest.approx(evaluate(task.net, rest))


def test_another_task_is_refused_by_name_before_anything_is_learnt(task, rng):
    net = Sequential(Linear(3, 1))
    before = net.state_dict()
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(20, 1)).astype(np.float32)
    with make_step(net, lambda z, t: ((z - Tensor(t)) ** 2).mean(), SGD(net.parameters(), lr=0.1), "plain") as step:
        for attempt in (
            lambda: train(step, Batches(x, y, 4), Batches(x, y, 4), 1),
            lambda: evaluate(step, Batches(x, y, 4)),
            lambda: step(x, y),
        ):
            with pytest.raises(TypeError, match=r"labels are float32 \(20, 1\), expected integers.* write the loop"):
                attempt()
    assert all((before[name] == value).all() for name, value in net.state_dict().items())


def test_labels_of_another_shape_than_the_logits_are_refused_by_name(rng):
    net = Sequential(Linear(3, 4))
    x, y = rng.normal(size=(6, 3)).astype(np.float32), rng.integers(0, 2, (6, 4))
    with (
        make_step(net, lambda z, t: (z * 0).sum(), SGD(net.parameters(), 0.1), "plain") as step,
        pytest.raises(ValueError, match=r"step: right answers .* logits \(6, 4\) and labels \(6, 4\)"),
    ):
        step(x, y)


@pytest.mark.parametrize("batches", [[(1, 2)], (), 3], ids=str)
def test_what_is_no_batches_is_refused_by_name(task, batches):
    task = task()
    with pytest.raises(TypeError, match=r"train: batches are a (list|tuple|int), expected tinycnn.data.Batches"):
        train(Pretended(task), batches, task.test_batches, 1)


def test_a_net_without_parameters_can_be_evaluated(rng):
    x = rng.uniform(size=(20, 3)).astype(np.float32)
    assert evaluate(Sequential(ReLU()), Batches(x, x.argmax(1), 7))[1] == 1.0


# An optimiser of one's own


class OwnMomentum:
    """The book's way, with a state of its own."""

    def __init__(self, params, lr):
        self.params, self.lr, self.steps, self.v = list(params), lr, 0, {}

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    def step(self):
        self.steps += 1
        for i, p in enumerate(self.params):
            self.v[i] = 0.5 * self.v.get(i, 0) + p.grad.data
            p.data -= self.lr * self.v[i]


def test_an_optimizer_of_ones_own_trains(task):
    ours, theirs = task(momentum=0.5), task(momentum=0.5)
    theirs.optimizer = OwnMomentum(theirs.net.parameters(), ours.optimizer.lr)
    for one in (ours, theirs):
        with one.step() as step:
            train(step, one.batches, one.test_batches, 2)
    for name, value in ours.net.state_dict().items():
        np.testing.assert_allclose(theirs.net.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:(overflow|invalid) ")
def test_where_it_blows_up_is_found_with_its_own_state(task):
    task = task()
    task.optimizer = OwnMomentum(task.net.parameters(), 1e39)
    with (
        task.step() as step,
        pytest.raises(NonFiniteLoss, match="in epoch 1, batch 1 of 7\n  first not finite: the .*after its update"),
    ):
        train(step, task.batches, task.test_batches, 1)
    assert task.optimizer.steps <= 2


def test_an_optimizer_that_lacks_something_is_refused_by_name(task):
    task = task()
    task.optimizer = type("Own", (), {"params": list(task.net.parameters()), "step": lambda self: None})()
    with pytest.raises(TypeError, match="the optimizer, a .*Own, has no lr and no zero_grad"):
        train(Pretended(task), task.batches, task.test_batches, 1)


def test_a_schedule_moves_after_each_epoch(task):
    task = task(lr=0.8)
    schedule = StepLR(task.optimizer, step_size=1, gamma=0.5)
    with task.step() as step:
        run = train(step, task.batches, task.test_batches, epochs=3, schedule=schedule)
    assert [record.lr for record in run.history if isinstance(record, Epoch)] == [0.8, 0.4, 0.2]
    assert {record.lr for record in run.history if record.epoch == 2} == {0.4}
    assert task.optimizer.lr == 0.1


# Ctrl-C


class Interrupting(Observer):
    def __init__(self, batch, times=1, number=signal.SIGINT):
        self.batch, self.times, self.number = batch, times, number

    def on_batch(self, run):
        if run.epoch * run.num_batches + run.batch == self.batch:
            for _ in range(self.times):
                signal.raise_signal(self.number)


def test_sigterm_is_taken_like_ctrl_c_and_the_second_does_what_it_always_does(task):
    task, heard = task(), []
    usual = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    mine = signal.getsignal(signal.SIGTERM)
    try:
        run = train(Pretended(task), task.batches, task.test_batches, 4, [Interrupting(9, number=signal.SIGTERM)])
        assert run.interrupted and run.stopped_by == "SIGTERM" and (run.epoch, run.batch) == (1, 3) and not heard
        run = train(Pretended(task), task.batches, task.test_batches, 4, [Interrupting(9, 2, signal.SIGTERM)])
        assert run.interrupted and heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, usual)


def test_ctrl_c_ends_after_the_next_batch_with_the_result_so_far(task):
    task, noting = task(), Noting()
    usual = signal.getsignal(signal.SIGINT)
    with task.step() as step:
        run = train(step, task.batches, task.test_batches, epochs=4, observers=[Interrupting(9), noting])
    assert run.interrupted and (run.epoch, run.batch) == (1, 3)
    assert noting.told[-2:] == [("batch", 1, 3), ("end",)]
    assert run.result.epoch == 2 and run.result.x == 1 + 3 / 7
    assert run.result.train_loss == run.history[-1].train_loss
    assert run.result.test_acc == evaluate(task.net, task.test_batches)[1]
    assert not any(record is run.result for record in run.history)
    assert signal.getsignal(signal.SIGINT) is usual


def test_ctrl_c_during_the_evaluation_ends_after_it(task):
    class AtEpochsEnd(Observer):
        def on_epoch_end(self, run, result):
            signal.raise_signal(signal.SIGINT)

    task = task()
    run = train(Pretended(task), task.batches, task.test_batches, epochs=4, observers=[AtEpochsEnd()])
    assert run.interrupted and (run.epoch, run.batch) == (1, 0) and run.result is run.history[-1]


def test_a_second_ctrl_c_interrupts_at_once(task):
    task, noting = task(), Noting()
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(Pretended(task), task.batches, task.test_batches, epochs=4, observers=[noting, Interrupting(9, times=2)])
    assert noting.told[-2:] == [("batch", 1, 2), ("end",)]
    assert signal.getsignal(signal.SIGINT) is usual


# Evaluation


def test_evaluation_needs_no_tape_and_leaves_the_model_as_it_was(task):
    task = task(dropout=0.9)
    seen = []

    def loss(logits, y):
        seen.append((task.net.training, is_grad_enabled()))
        return CrossEntropyLoss()(logits, y)

    task.loss = loss
    with task.step() as step:
        once, again = evaluate(step, task.test_batches), evaluate(step, task.test_batches)
    assert once == again  # dropout lets everything pass
    assert set(seen) == {(False, False)}
    assert task.net.training


def test_evaluating_a_model_or_a_step_is_the_same(task):
    pytest.importorskip("threadpoolctl", reason="else a model is evaluated in one piece")
    task = task()
    with task.step("threads", workers=1) as step:  # which computes the same parts, and so the same bits
        assert evaluate(task.net, task.test_batches) == evaluate(step, task.test_batches)
    before = task.bits()
    loss, accuracy = evaluate(task.net, task.test_batches)
    logits = task.net(Tensor(scale(task.test_batches.images)))
    assert loss == pytest.approx(task.loss(logits, task.test_batches.labels).item(), rel=1e-6)
    assert accuracy == (logits.numpy().argmax(1) == task.test_batches.labels).mean()
    assert task.bits() == before


# On a GPU: a strict stand-in for CuPy


def on_device(task):
    """The same task with parameters and images on the device."""
    task.net.to("gpu")
    for batches in (task.batches, task.test_batches):
        batches.images, batches.labels = to_device(batches.images, "gpu"), to_device(batches.labels, "gpu")
    return task


@pytest.mark.parametrize("where", ["images on the device", "images on the host"])
def test_a_run_on_the_device_waits_only_to_measure(task, fake_cupy, where):
    here, there = task(images=12 * 8, momentum=0.5), on_device(task(images=12 * 8, momentum=0.5))
    if where == "images on the host":
        there.batches = task(images=12 * 8).batches
    waits = []

    class Looking(Observer):
        def on_batch(self, run):
            waits.append((run.at_point, counts.syncs))
            assert isinstance(run.loss_sum, float) == run.at_point

        def on_epoch_end(self, run, result):
            waits.append((True, counts.syncs))  # for the evaluation

    with here.step() as step:
        expected = train(step, here.batches, here.test_batches, epochs=2)
    with there.step() as step:
        found = train(step, there.batches, there.test_batches, epochs=2, observers=[Looking()])
    for (_, before), (measured, after) in zip(waits, waits[1:], strict=False):
        assert (after > before) == measured  # measurements are after every second batch of twelve
    assert [type(record) for record in found.history] == [type(record) for record in expected.history]
    for ours, theirs in zip(found.history, expected.history, strict=True):
        assert vars(ours) == pytest.approx(vars(theirs), rel=1e-5)
    assert found.examples_per_sec > 0
    loss, accuracy = evaluate(there.net, there.test_batches)
    assert (loss, accuracy) == pytest.approx((found.result.test_loss, found.result.test_acc), rel=1e-6)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")  # which the stand-in's NumPy gives
def test_trouble_on_the_device_is_found_at_the_next_measurement(task, fake_cupy):
    one = on_device(task(images=12 * 8, lr=1e38))
    with one.step() as step, pytest.raises(NonFiniteLoss, match=r"epoch 1, batch \d of 12\n  first not finite: the "):
        train(step, one.batches, one.test_batches, epochs=1)


class PretendedGraph(GraphStep):
    """A graph step that computes nothing: batch k of an epoch has loss k for each image, and k right answers."""

    def __init__(self, task):
        Step.__init__(self, task.net, task.loss, task.optimizer)
        self.runs, self.orders, self.evaluated = [], [], []

    def __call__(self, x, y):
        raise AssertionError("batch by batch")

    def run(self, images, labels, order, batch_size, first_batch, count):
        assert device_of(images) == device_of(labels) == device_of(order) == "gpu"
        self.runs.append((first_batch, count))
        self.orders.append(order.get())
        k = np.arange(first_batch, first_batch + count)
        sizes = np.minimum((k + 1) * batch_size, len(order)) - k * batch_size
        return fakecupy.cupy.asarray((k * sizes).astype(np.float32)), fakecupy.cupy.asarray(k.astype(np.int32))

    def evaluate(self, x, y):
        self.evaluated.append(len(x))
        return fakecupy.cupy.asarray(np.float32(3 * len(x))), fakecupy.cupy.asarray(np.int32(len(y)))


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_graph_runs_from_measurement_to_measurement(task, fake_cupy, drop_last):
    """11 batches, the last of 2 images: measurements, and strides, end after 2, 4, 6, 8, 10, 11."""
    task, noting = on_device(task(images=10 * 8 + 2)), Noting()
    task.batches.drop_last = drop_last
    step = PretendedGraph(task)
    run = train(step, task.batches, task.test_batches, epochs=2, observers=[noting])
    ends = [2, 4, 6, 8, 10] if drop_last else [2, 4, 6, 8, 10, 11]
    strides = [(k, min(2, ends[-1] - k)) for k in range(0, ends[-1], 2)]
    assert step.runs == 2 * strides
    images = 80 if drop_last else 82
    for epoch in range(2):
        for order in step.orders[epoch * len(strides) :][: len(strides)]:
            assert order.tolist() == task.batches.order(epoch)[:images].tolist()
    told = [told for b in ends for told in (("point", 1, b), ("batch", 0, b))]
    assert noting.told[: len(told) + 2] == [("start", 0, 0), *told, ("epoch", 1)]
    examples = [8] * 10 + [2] * (not drop_last)
    for point, end in zip(run.history, ends, strict=False):
        done = sum(examples[:end])
        assert point.train_loss == pytest.approx(sum(k * n for k, n in enumerate(examples[:end])) / done)
        assert point.train_acc == sum(range(end)) / done
    assert run.trained == 2 * images and (run.result.test_loss, run.result.test_acc) == (3, 1)


def test_the_graph_goes_on_in_the_middle_of_an_epoch(task, fake_cupy):
    task = on_device(task(images=96))
    step = PretendedGraph(task)
    run = train(step, task.batches, task.test_batches, epochs=1, run=Run(batch=3, num_batches=12, examples=24))
    assert step.runs == [(3, 1), (4, 2), (6, 2), (8, 2), (10, 2)] and run.trained == 72


def test_a_model_is_evaluated_by_stages_where_they_know_it(task, monkeypatch):
    pytest.importorskip("threadpoolctl", reason="else a model is evaluated in one piece")
    task = task()
    expected = evaluate(task.net, task.test_batches)

    def call(*args):
        raise AssertionError("a layer was called")

    monkeypatch.setattr(Module, "__call__", call)
    assert evaluate(task.net, task.test_batches) == expected


def test_the_graph_evaluates_all_images_at_once(task, fake_cupy):
    task = on_device(task())
    step = PretendedGraph(task)
    assert evaluate(step, task.test_batches) == (3, 1) and step.evaluated == [30]
    task.test_batches.drop_last = True
    evaluate(step, task.test_batches)
    assert step.evaluated == [30, 8, 8, 8]


def test_ctrl_c_ends_the_graph_after_its_stride(task, fake_cupy):
    task = on_device(task(images=96))
    run = train(PretendedGraph(task), task.batches, task.test_batches, epochs=3, observers=[Interrupting(4)])
    assert run.interrupted and (run.epoch, run.batch) == (0, 6)


def test_images_on_the_host_go_to_the_graph_batch_by_batch(task, fake_cupy):
    here = task(images=96)
    task = on_device(task(images=96))
    with pytest.raises(AssertionError, match="batch by batch"):
        train(PretendedGraph(task), here.batches, task.test_batches, epochs=1)


# Errors


def test_errors(task):
    task = task()
    nothing = Batches(np.zeros((0, 1, 4, 4), np.uint8), np.zeros(0, np.int64), 8)
    with task.step() as step:
        with pytest.raises(ValueError, match=r"train: got 0 epochs, 7 training and 4 test batches; expected at least"):
            train(step, task.batches, task.test_batches, epochs=0)
        with pytest.raises(ValueError, match=r"train: got 1 epochs, 0 training and 4 test batches"):
            train(step, nothing, task.test_batches, epochs=1)
        with pytest.raises(ValueError, match=r"7 training and 0 test batches"):
            train(step, task.batches, nothing, epochs=1)
        with pytest.raises(ValueError, match=r"epochs of 8 batches, now there are 7; expected the same images"):
            train(step, task.batches, task.test_batches, epochs=2, run=Run(num_batches=8))
        with pytest.raises(ValueError, match="evaluate: there are no batches"):
            evaluate(step, nothing)


def test_a_schedule_by_the_batch_steps_after_each_batch(task):
    task, rates = task(momentum=0.9), []

    class Rates(Observer):
        def on_batch(self, run):
            rates.append(task.optimizer.lr)

    expected = []
    schedule = OneCycleLR(task.optimizer, 0.5, total_steps=2 * len(task.batches))
    for epoch in range(len(task.batches) * 2):
        expected.append(schedule.rate(min(epoch + 1, schedule.total_steps - 1), 0.0))
    train(task.step(), task.batches, task.test_batches, 2, [Rates()], schedule=schedule)
    assert rates == expected and schedule.last_epoch == 14


def test_a_sweep_of_several_batches_ends_where_the_rate_changes():
    run = Run(num_batches=40)
    assert run.next_stop(2) == run.next_point(2) > 3
    run.rate_per_batch = True
    assert run.next_stop(2) == 3
