"""step: what all ways to run a training step have in common."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module, to_device, type_name
from tinycnn.backend.devices import is_cupy
from tinycnn.data import Batches, scale
from tinycnn.nn import Module
from tinycnn.optim import Optimizer

Loss: TypeAlias = Callable[[Tensor, Array], Tensor]  # logits (N, C, ...) and labels (N, ...) -> one number
OTHER_TASKS = "for another task write the loop yourself: loss(model(x), y).backward() and optimizer.step()"
Result: TypeAlias = tuple[Any, Any]  # summed loss, correct: Python numbers, or 0-d arrays that are still on a GPU


class Course(Protocol):
    """Where a run stands, as far as a sweep has to know: `epoch`s complete and `batch`es of the next one done."""

    epoch: int
    batch: int

    @property
    def clock(self) -> Any:
        """`clock.start()` is called as soon as a batch is there, before it is copied to the device."""

    def next_stop(self, batch: int) -> int:
        """The batch after which the host next wants to know how things stand, or to change the learning rate."""


class Swept(NamedTuple):
    """What a step has run at once: one batch, as a rule.  Of the labels, `counted` count; None is one an example."""

    batches: int
    examples: int
    loss_sum: Any
    correct: Any
    counted: Any = None


class Step:
    """A training step as a value: `step(x, y)` moves the model's parameters by one batch.

        with make_step(model, loss, optimizer) as step:
            summed_loss, correct = step(images, labels)

    images are uint8 (N, C, H, W), which are scaled to [0, 1] (by the tape in `as_input`, by fused stages and kernels in
    the first weights or as they are gathered), or floats of any shape (N, ...) in the parameters'
    dtype; labels are integers (N, ...).  Both are on the parameters' device.  summed_loss is the mean loss times N,
    and correct counts the largest logits that are the label's: add both up over batches, and divide by the number
    of examples.  On a GPU they are arrays of no axes, so that nothing waits for the GPU before you print them.
    """

    strategy: str
    description: str  # one line for people: how the step runs

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer

    def __call__(self, x: Array, y: Array) -> Result:
        """Train on one batch, in training mode: the loss before the step, and the predictions that were right."""
        raise NotImplementedError

    def evaluate(self, x: Array, y: Array) -> Result:
        """As calling, in evaluation mode, without gradients and without a step."""
        raise NotImplementedError

    def sweep(self, batches: Batches, course: Course) -> Iterator[Swept]:
        """Train on what is left of the epoch, batch by batch, wherever the batches lie."""
        device = self.optimizer.params[0].device
        for x, y in batches.from_batch(course.epoch, course.batch):
            course.clock.start()
            y = to_device(y, device)
            yield self._swept(y, *self(to_device(x, device), y))

    def evaluate_all(self, batches: Batches) -> Iterator[Swept]:
        """Evaluate on all batches, wherever they lie."""
        device = self.optimizer.params[0].device
        for x, y in batches.from_batch(0, 0):
            y = to_device(y, device)
            yield self._swept(y, *self.evaluate(to_device(x, device), y))

    def _swept(self, y: Array, loss_sum: Any, correct: Any) -> Swept:
        """A batch with its loss summed over the labels that count: all but those that the loss ignores."""
        ignored = getattr(self.loss, "ignore_index", None)
        counted: Any = y.size if ignored is None else number((y != ignored).sum())
        share = (1 if getattr(self.loss, "reduction", "mean") == "sum" else counted) / len(y)
        if isinstance(counted, int):
            return Swept(1, len(y), loss_sum * share if counted else 0.0, correct, counted)  # else the mean is 0 / 0
        return Swept(1, len(y), array_module(counted).where(counted > 0, loss_sum * share, 0), correct, counted)

    @property
    def leads(self) -> bool:
        """Whether this process prints, draws and saves; of several ranks one does."""
        return True

    def agreed(self, wish: str | None) -> str | None:
        """What somebody who takes part in the step has been asked ("Ctrl-C", to stop): all get the same answer."""
        return wish

    def close(self) -> None:
        """Give back what the step holds: threads, processes, shared memory.  The parameters stay as they are."""

    def __enter__(self) -> "Step":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def as_input(x: Array, parameter: Tensor) -> Tensor:
    """A batch as the model takes it: bytes are scaled to [0, 1] in the parameters' dtype, floats stay as they are."""
    return Tensor(scale(x, parameter.dtype) if x.dtype == np.uint8 else x)


def count_correct(logits: Tensor, y: Array) -> Any:
    """How many of the largest logits (N, C, ...) are those of the labels (N, ...)."""
    if logits.ndim < 2 or (logits.shape[0], *logits.shape[2:]) != y.shape:
        raise ValueError(
            f"step: right answers are counted for logits (N, C, ...) and labels (N, ...), got logits {logits.shape} "
            f"and labels {y.shape}; {OTHER_TASKS}"
        )
    return (logits.data.argmax(axis=1) == y).sum()


@no_grad()
def evaluate_whole(model: Module, loss: Loss, parameter: Tensor, x: Array, y: Array) -> Result:
    """Summed loss and correct of a batch, in one piece; the model is in evaluation mode."""
    logits = model(as_input(x, parameter))
    return number(loss(logits, y).data * len(y)), number(count_correct(logits, y))


def number(x: Any) -> Any:
    """A NumPy scalar as Python's own; an array on a GPU as it is."""
    return x.item() if array_module(x) is np else x


def check_batch(x: Array, y: Array) -> None:
    """ValueError unless there is at least one example, and a label for each; TypeError unless both are arrays, and
    the labels classes."""
    for name, given in (("x", x), ("y", y)):
        if not (isinstance(given, np.ndarray) or is_cupy(given)):
            way = f"{name}.data" if isinstance(given, Tensor) else f"np.asarray({name})"
            raise TypeError(f"step: {name} is a {type_name(given)}, expected a NumPy or CuPy array; pass {way}")
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(
            f"step: got {len(x)} examples and {len(y)} labels, expected as many labels as examples, at least one "
            f"(x {x.shape}, y {y.shape})"
        )
    if y.dtype.kind not in "iub":
        raise TypeError(
            f"step: labels are {y.dtype} {y.shape}, expected integers, the numbers of classes; {OTHER_TASKS}"
        )
