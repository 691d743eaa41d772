import math

import numpy as np
import pytest

from tinycnn.nn import Linear, ReLU, Sequential, Sigmoid
from tinycnn.training import Epoch, MetricsFile, NonFiniteLoss, Observer, StuckHint, read_metrics, train, trouble
from tinycnn.training.run import Point, Run

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero):RuntimeWarning")


def trained(task, strategy="plain", observers=(), epochs=3, **options):
    with task.step(strategy, **options) as step:
        return train(step, task.batches, task.test_batches, epochs, observers)


class At(Observer):
    """Does something to the run after one batch, counted from the run's start."""

    def __init__(self, batch, action):
        self.batch, self.action = batch, action

    def on_batch(self, run):
        if run.epoch * run.num_batches + run.batch == self.batch:
            self.action()


@pytest.mark.parametrize("strategy", ["plain", "threads", "processes"])
def test_a_learning_rate_that_is_too_high(task, strategy):
    task = task(lr=1e38, momentum=0.9)
    options = {} if strategy == "plain" else {"workers": 2, "micro_batch": 4}
    try:
        task.step(strategy, **options).close()
    except RuntimeError as error:
        pytest.skip(str(error))
    with pytest.raises(NonFiniteLoss) as caught:
        trained(task, strategy, **options)
    first, found, cause = str(caught.value).splitlines()
    assert first.startswith("training: the loss is ") and " in epoch 1, batch " in first and first.endswith(" of 7")
    assert found.startswith("  first not finite: the ")
    assert cause.startswith("  likely cause: a learning rate that is too high (lr 1e+38, weights up to ")
    assert cause.endswith("try 1e+37 or less")


@pytest.mark.parametrize(("batch", "epoch", "within"), [(3, 1, 4), (7, 2, 1), (12, 2, 6)])
def test_the_batch_is_the_one_where_it_happened(task, batch, epoch, within):
    """Bad numbers come into the data between two steps; the steps are taken again from the measurement before."""
    task = task(momentum=0.5, dropout=0.2, images=50)
    task.batches.images = task.batches.images.astype(np.float32) / 255
    task.test_batches.images = task.test_batches.images.astype(np.float32) / 255

    def spoil():
        task.batches.images[:] = np.nan

    with pytest.raises(
        NonFiniteLoss, match=f"epoch {epoch}, batch {within} of 7\n.*not finite: the images: "
    ) as caught:
        trained(task, observers=[At(batch, spoil)])
    assert "likely cause: the data itself" in str(caught.value)


def test_a_step_is_found_whose_loss_was_still_finite(task):
    """The gradient of step 5 is infinite, and only the loss of step 6 shows it; the message speaks of step 5."""
    task = task(images=12 * 8)
    task.batches.shuffle = False
    inner, spoilt = task.loss, task.batches.labels[4 * 8 : 5 * 8]

    def loss(logits, y):
        x, logit = inner(logits, y), logits[0, 0]
        return x + (logit - logit.detach()).sqrt() if (y == spoilt).all() else x  # sqrt(0) is 0, its slope infinite

    task.loss = loss
    with pytest.raises(NonFiniteLoss, match=r"the loss is nan in epoch 1, batch 5 of 12\n") as caught:
        trained(task)
    assert "first not finite: the gradient of the output of layer 4 (" in str(caught.value)
    assert "likely cause: an operation at the edge" in str(caught.value) and "weights were ordinary" in str(
        caught.value
    )


def test_a_parameter_that_is_not_finite_is_noticed_although_no_loss_shows_it(task):
    """In the last step of an epoch; the loss of that step was that of the parameters before it."""
    task = task(lr=0.0)
    with pytest.raises(NonFiniteLoss, match=r"a parameter is not finite in epoch 1, batch 7 of 7\n") as caught:
        trained(task, observers=[At(6, lambda: setattr(task.optimizer, "lr", 1e39))])
    assert "the parameter '1.weight' after its update" in str(caught.value)


def test_nothing_that_is_not_finite_reaches_the_metrics(task, tmp_path):
    task = task(images=12 * 8)  # points every second batch
    images = task.batches.images.astype(np.float32) / 255
    task.batches.images = task.test_batches.images = images
    task.test_batches.labels = task.batches.labels
    with pytest.raises(NonFiniteLoss):
        metrics = MetricsFile(tmp_path / "m", {})
        trained(task, observers=[metrics, At(5, lambda: images.fill(np.nan))])
    assert [row["batch"] for row in read_metrics(tmp_path / "m")[1]] == [2, 4]


def test_a_test_loss_that_is_not_finite(task):
    task = task()
    task.test_batches.images = np.full((30, 1, 4, 4), np.nan, np.float32)
    with pytest.raises(
        NonFiniteLoss, match=r"the loss on the test set is nan after epoch 1\n  likely cause: an operation"
    ):
        trained(task)


def test_a_strategy_is_blamed_where_the_same_steps_on_one_tape_are_finite(task):
    task = task()
    with task.step() as step:
        step.description = "a way with a fault"
        inner = type(step).__call__
        step.__class__ = type("Faulty", (type(step),), {"__call__": lambda s, x, y: (inner(s, x, y)[0] + np.inf, 0)})
        with pytest.raises(NonFiniteLoss, match=r"epoch 1, batch 1 of 7\n.*is to blame \(a way with a fault\); try"):
            train(step, task.batches, task.test_batches, 1)


def test_the_steps_that_are_taken_again_are_the_same_steps(task, monkeypatch):
    """From the measurement after batch 4 of 12, with momentum and dropout as they were then."""
    task, before, again = task(images=12 * 8, momentum=0.9, dropout=0.4), [], []

    class Looking(Observer):
        def on_batch(self, run):
            before.append(task.bits())

    def noting(step, x, y):
        again.append(task.bits())
        step(x, y)

    monkeypatch.setattr(trouble, "first_not_finite", noting)
    with task.step() as step:
        inner, losses = type(step).__call__, iter([0, 0, 0, 0, 0, np.inf, 0, 0])
        step.__class__ = type(
            "Faulty", (type(step),), {"__call__": lambda s, x, y: (inner(s, x, y)[0] + next(losses), 0)}
        )
        with pytest.raises(NonFiniteLoss, match="since batch 4 again"):
            train(step, task.batches, task.test_batches, 1, [Looking()])
    assert len(before) == 5 and again == before[3:]


# Hints


def hints(model, losses, num_batches=235):
    """What is said of epochs whose last fifths had these losses, for ten classes."""
    said, run = [], Run(num_batches=num_batches)
    hint = StuckHint(10, model, said.append)
    for epoch, loss in enumerate(losses, 1):
        for examples in (80, 100):
            run.examples, run.loss_sum = examples, 80 * 9.0 + (examples - 80) * loss  # the first 80 do not matter
            hint.on_point(run, Point(epoch, 1, epoch, 0.9, 9.0, 0.1))
        run.epoch = epoch
        hint.on_epoch_end(run, Epoch(epoch, epoch, 0.9, 9.0, 0.1, 9.0, 0.1))
        said.append(epoch)
    return said


RELUS = Sequential(Linear(2, 2), ReLU())
SIGMOIDS = Sequential(Linear(2, 2), Sigmoid())


def test_a_net_that_learns_gets_no_hint():
    assert hints(SIGMOIDS, [1.8, 1.2]) == hints(RELUS, [1.8, 1.2]) == [1, 2]


def test_a_sigmoid_net_is_given_time_and_then_a_hint():
    wait, one, stuck, two, three = hints(SIGMOIDS, [2.302, 2.31, 2.30])
    assert wait.startswith("hint: the loss is 2.302, and guessing gives ln 10 = 2.303") and "start slowly" in wait
    assert (
        stuck.startswith("hint: the loss is 2.310") and "the net learns nothing" in stuck and "(this is 0.9)" in stuck
    )
    assert (one, two, three) == (1, 2, 3)


def test_time_is_counted_in_steps():
    assert [type(s) for s in hints(SIGMOIDS, [2.3, 2.3, 2.3], num_batches=150)] == [str, int, int, str, int]


def test_other_nets_get_the_hint_at_once():
    stuck, one, two = hints(RELUS, [2.3, 2.3])
    assert "the net learns nothing" in stuck and (one, two) == (1, 2)


def test_a_net_that_started_is_left_alone():
    assert hints(SIGMOIDS, [2.303, 1.5, 2.4, 2.4])[1:] == [1, 2, 3, 4]


def test_the_hint_comes_in_a_real_run(task, capsys):
    task = task(lr=0.0)
    for p in task.net.parameters():
        p.data[:] = 0
    trained(task, observers=[StuckHint(3, task.net)], epochs=1)
    assert f"the loss is {math.log(3):.3f}, and guessing gives ln 3 = {math.log(3):.3f}" in capsys.readouterr().out
