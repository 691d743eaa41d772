"""trouble: a loss that stops being a number ends the run and says why; one that does not move gets a hint.

A step that went wrong has spoilt the parameters already, so Watch keeps a copy of them from the last measurement.
From there it takes the same steps again, slowly, until it meets the first number that is not finite.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

from tinycnn import random
from tinycnn.backend import to_device
from tinycnn.data import Batches
from tinycnn.execution import Step
from tinycnn.nn import Module, Sigmoid
from tinycnn.training.diagnosis import Place, first_not_finite, largest, not_finite
from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Point, Run

STUCK = 0.99  # of ln(classes): a loss above this is no better than guessing
ORDINARY = 1e3  # weights above this have grown in training, and not to any good
PATIENCE = 400  # steps that a net of sigmoids gets before it counts as stuck; measured for LeNet, ten seeds


class NonFiniteLoss(RuntimeError):
    """The loss became infinite or NaN; the message says where, and what is likely to be the cause."""


class Watch(Observer):
    """Raises NonFiniteLoss as soon as a loss, or at a measurement a parameter, is not finite."""

    def __init__(self, step: Step, batches: Batches) -> None:
        self.step, self.batches = step, batches

    def on_start(self, run: Run) -> None:
        self._keep(run)

    def on_batch(self, run: Run) -> None:
        if isinstance(run.loss_sum, float) and not math.isfinite(run.loss_sum):
            raise self._found(run, f"the loss is {run.loss_sum}")

    def on_point(self, run: Run, point: Point) -> None:
        if not math.isfinite(point.train_loss):
            raise self._found(run, f"the loss is {point.train_loss}")
        if not_finite(*(p.data for p in self.step.optimizer.params)):
            raise self._found(run, "a parameter is not finite")
        self._keep(run)

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        if not math.isfinite(result.test_loss):
            weight = largest(self.step.optimizer.params)
            raise NonFiniteLoss(
                f"training: the loss on the test set is {result.test_loss} after epoch {result.epoch}\n"
                f"  likely cause: {self._usual_cause(weight)}"
            )

    def _keep(self, run: Run) -> None:
        """Remember everything that the next steps start from."""
        optimizer = self.step.optimizer
        self.kept_at = run.epoch, run.batch
        self.params = [p.data.copy() for p in optimizer.params]
        self.state = _state(optimizer)
        self.random = random.get_state()

    def _found(self, run: Run, fact: str) -> NonFiniteLoss:
        epoch, batch, place, weight = self._replay(run)
        if place is None:
            found = (
                f"  taking the steps since batch {self.kept_at[1]} again on one tape gave finite numbers: the way this "
                f'run took its steps is to blame ({self.step.description}); try execution "plain"'
            )
        else:
            found = f"  first not finite: {place.what}\n  likely cause: {place.cause or self._usual_cause(weight)}"
        return NonFiniteLoss(f"training: {fact} in epoch {epoch + 1}, batch {batch + 1} of {run.num_batches}\n{found}")

    def _replay(self, run: Run) -> tuple[int, int, Place | None, float]:
        """Epoch and batch (from 0) where numbers stop being finite, what was first, and the greatest weight there."""
        optimizer = self.step.optimizer
        for p, kept in zip(optimizer.params, self.params, strict=True):
            p.data[...] = kept
        vars(optimizer).update(self.state)
        random.set_state(self.random)
        kept_epoch, first = self.kept_at
        if kept_epoch < run.epoch:
            first = 0  # the last measurement of an epoch is at its end
        for batch, (x, y) in enumerate(self.batches.from_batch(run.epoch, first), first):
            weight = largest(optimizer.params)
            device = optimizer.params[0].device
            place = first_not_finite(self.step, to_device(x, device), to_device(y, device))
            if place is not None or batch + 1 == run.batch:
                break
        return run.epoch, batch, place, weight

    def _usual_cause(self, weight: float) -> str:
        """What to blame where no fault is plain, by the greatest weight before it happened."""
        lr = self.step.optimizer.lr
        if weight > ORDINARY or lr > ORDINARY:
            return f"a learning rate that is too high (lr {lr:g}, weights up to {weight:.3g}); try {lr / 10:g} or less"
        return (
            f"an operation at the edge of what it is defined for, such as log(0), 1/0 or the slope of sqrt(0): the "
            f"weights were ordinary (up to {weight:.3g}); if there is none in the model or the loss, a learning rate "
            f"below {lr:g} may help"
        )


def _state(optimizer: Any) -> dict[str, Any]:
    """A copy of what an optimiser remembers, not of its parameters and options; nothing where it cannot be copied."""
    own = {name: value for name, value in vars(optimizer).items() if name not in ("params", "param_groups", "lr")}
    try:
        return copy.deepcopy(own, {id(p): p for p in optimizer.params})
    except Exception:  # a file, a lock: what happened will be told less exactly
        return {}


class StuckHint(Observer):
    """Says so when an epoch ends no better than guessing: after the first, and once more when patience is at an end.

    Sigmoid nets start slowly.  The chapter's stays at ln 10 for 150 to 300 steps, most of its first epoch, so the
    first hint tells whoever trains one to wait.  Other nets get no patience.
    """

    essential = False

    def __init__(self, classes: int, model: Module, say: Callable[[str], None] = print) -> None:
        self.classes, self.say = classes, say
        self.patience = PATIENCE if any(isinstance(layer, Sigmoid) for layer in model.modules()) else 0
        self.sums = [(0.0, 0)]  # summed loss and examples, at the measurements of this epoch
        self.done = False

    def on_point(self, run: Run, point: Point) -> None:
        self.sums.append((run.loss_sum, run.examples))

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        sums, self.sums = self.sums[-2:], [(0.0, 0)]
        if self.done or len(sums) < 2:
            return
        (loss_before, before), (loss, examples) = sums
        recent, guessing = (loss - loss_before) / (examples - before), math.log(self.classes)
        self.done = recent <= STUCK * guessing
        if self.done:
            return
        fact = f"hint: the loss is {recent:.3f}, and guessing gives ln {self.classes} = {guessing:.3f}"
        if run.epoch * run.num_batches >= self.patience:
            self.done = True
            self.say(
                f"{fact}; the net learns nothing.\n  Try another learning rate (this is {result.lr:g}), another "
                "activation (relu with learning rate 0.1), or another seed"
            )
        elif result.epoch == 1:
            self.say(f"{fact}.\n  Nets of sigmoids start slowly: this is usual for the first {self.patience} steps")
