"""run: where a training run stands and what it has found so far, in numbers that JSON can hold."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

POINTS = 5  # measurements an epoch, as in the chapter's plots


@dataclass(frozen=True)
class Point:
    """A measurement within an epoch: means over the epoch so far, taken while the parameters change.

    epoch and batch count from 1; x is the place on an axis of epochs: 0.2 after a fifth of the first.
    """

    kind: ClassVar[str] = "point"
    epoch: int
    batch: int
    x: float
    lr: float
    train_loss: float
    train_acc: float


@dataclass(frozen=True)
class Epoch:
    """An epoch that is complete: the means over it, and those of the test set after it.

    epoch counts from 1.  train_loss and train_acc were taken while the parameters changed, test_loss and test_acc
    with the parameters as they were at x.
    """

    kind: ClassVar[str] = "epoch"
    epoch: int
    x: float
    lr: float
    train_loss: float
    train_acc: float
    test_loss: float
    test_acc: float


Record = Point | Epoch
COUNTS = ("first_epoch", "epoch", "batch", "num_batches", "correct", "examples", "counted", "trained")  # whole numbers
KINDS: dict[str, type[Point] | type[Epoch]] = {"point": Point, "epoch": Epoch}


def as_row(record: Record) -> dict[str, Any]:
    """A record as one line of the metrics file: {"kind": "point", "epoch": 1, "batch": 47, ...}."""
    return {"kind": record.kind, **asdict(record)}


class Clock:
    """Seconds that steps took: copy to the device, forward, backward, update and metrics; nothing between batches.

    A GPU is still at work when a step returns; what that took is known only when its numbers are read.  So
    `stop(settled=False)` lets the clock run on, and the time between batches is then counted as well.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._since: float | None = None

    def start(self) -> None:
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self, settled: bool = True) -> None:
        if settled and self._since is not None:
            self.seconds += time.perf_counter() - self._since
            self._since = None


@dataclass(repr=False)
class Run:
    """All that changes during a run, apart from the model and the optimiser: `train` starts or goes on from here.

    epoch        epochs that are complete
    batch        batches of the next one that are done
    loss_sum, correct, examples    their sums, from which the running means follow
    counted      labels in these sums: as a rule one an example, and without those that the loss ignores
    first_epoch  which of the batches' orders the first epoch has: not 0 where they were trained on before
    history      every Point and Epoch so far, in order
    trained      examples in all steps, which took clock.seconds
    """

    epoch: int = 0
    batch: int = 0
    loss_sum: Any = 0.0  # a number, or an array of no axes that is still on a GPU
    correct: Any = 0
    examples: int = 0
    counted: Any = 0
    first_epoch: int = 0
    history: list[Record] = field(default_factory=list)
    trained: int = 0
    clock: Clock = field(default_factory=Clock)
    # what `train` was asked to do, and what became of it
    epochs: int = 0
    num_batches: int = 0
    interrupted: bool = False
    rate_per_batch: bool = False  # whether the learning rate changes with each batch
    stopped_by: str | None = None  # "Ctrl-C" or "SIGTERM"
    result: Epoch | None = None  # of the last epoch, or of as much of it as there was

    def __repr__(self) -> str:
        at = f"{self.epoch} of {self.epochs} epochs"
        at += f" and {self.batch} of {self.num_batches} batches" if self.batch else ""
        if (end := self.result) is None:
            return f"Run({at})"
        found = f"loss {end.train_loss:.3f}, train acc {end.train_acc:.3f}, test acc {end.test_acc:.3f}"
        return f"Run({at}: {found}, {self.examples_per_sec:,.0f} examples/sec)"

    def heed(self, stopped_by: str | None) -> None:
        """Somebody has asked to stop, in this way; or nobody has."""
        self.interrupted, self.stopped_by = stopped_by is not None, stopped_by

    def count(self, loss_sum: Any, correct: Any, examples: int, batches: int = 1, counted: Any = None) -> None:
        """So many batches more, one as a rule, in which so many labels count, by default one an example."""
        self.batch += batches
        self.loss_sum = self.loss_sum + loss_sum  # not +=, which would write into the step's own array
        self.correct = self.correct + correct
        self.examples += examples
        self.counted = self.counted + (examples if counted is None else counted)
        self.trained += examples

    def next_point(self, batch: int) -> int:
        """The batch after which the next Point is due when `batch` are done: 47, 94, 141, 188 and 235 of 235."""
        every = max(1, self.num_batches // POINTS)
        return min((batch // every + 1) * every, self.num_batches)

    def next_stop(self, batch: int) -> int:
        """The batch after which the next Point is due, or, where the learning rate changes with each, the next one."""
        return batch + 1 if self.rate_per_batch else self.next_point(batch)

    @property
    def at_point(self) -> bool:
        """Whether a Point is due now."""
        return self.batch == self.next_point(self.batch - 1)

    def means(self) -> tuple[float, float]:
        """Loss and accuracy over the epoch so far, 0 before its first batch.  Waits for a GPU."""
        self.loss_sum, self.correct, self.counted = float(self.loss_sum), int(self.correct), int(self.counted)
        return self.loss_sum / max(1, self.counted), self.correct / max(1, self.counted)

    def add_point(self, lr: float) -> Point:
        """Measure now."""
        loss, accuracy = self.means()
        point = Point(self.epoch + 1, self.batch, self.epoch + self.batch / self.num_batches, lr, loss, accuracy)
        self.history.append(point)
        return point

    def measured(self, lr: float, test_loss: float, test_acc: float) -> Epoch:
        """The epoch as far as it has come."""
        x = self.epoch + self.batch / self.num_batches
        return Epoch(self.epoch + 1, x, lr, *self.means(), test_loss, test_acc)

    def end_epoch(self, lr: float, test_loss: float, test_acc: float) -> Epoch:
        """The epoch is complete and the test set evaluated: on to the next."""
        self.result = self.measured(lr, test_loss, test_acc)
        self.history.append(self.result)
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.correct, self.examples, self.counted = 0.0, 0, 0, 0
        return self.result

    @property
    def examples_per_sec(self) -> float:
        """Examples per second of step time, over the whole run so far; 0 before the first step."""
        return self.trained / self.clock.seconds if self.clock.seconds else 0.0

    # -- to a file and back

    def state_dict(self) -> dict[str, Any]:
        """Everything that a run which goes on needs; waits for a GPU."""
        self.means()
        self.clock.stop()
        numbers = {name: getattr(self, name) for name in (*COUNTS, "loss_sum")}
        return {**numbers, "seconds": self.clock.seconds, "history": [as_row(record) for record in self.history]}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> "Run":
        """The run whose state_dict() this was; KeyError, TypeError or ValueError where it cannot be."""
        numbers = {name: value for name, value in state.items() if name not in ("history", "seconds")}
        rows = [dict(row) for row in state["history"]]
        history = [KINDS[row.pop("kind")](**row) for row in rows]
        for row in (state, *rows):
            for name, value in row.items():
                _check(name, value)
        if missing := [name for name in COUNTS if name not in numbers]:
            raise KeyError(missing[0])
        if not numbers["batch"] <= numbers["num_batches"]:
            raise ValueError(f"batch is {numbers['batch']} of {numbers['num_batches']}")
        run = cls(**numbers, history=history, clock=Clock(float(state["seconds"])))
        run.result = next((record for record in reversed(history) if isinstance(record, Epoch)), None)
        return run


def _check(name: str, value: Any) -> None:
    """TypeError or ValueError where a number of a saved run cannot be one."""
    if name in ("history", "kind"):
        return
    if not isinstance(value, int if name in COUNTS else (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}, expected a number")
    if not math.isfinite(value) or (name in COUNTS and not 0 <= value < 2**63):
        raise ValueError(f"{name} is {value!r}")
