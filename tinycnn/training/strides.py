"""strides: an epoch cut into what is run at a time.

That is one batch, except where the graph strategy meets images that lie on the GPU: then all batches up to the next
measurement are one stride, in which the GPU waits for nobody.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeGuard

from tinycnn.backend import Array, device_of, to_device
from tinycnn.data import Batches
from tinycnn.execution import GraphStep, Step
from tinycnn.execution.step import Result
from tinycnn.training.run import Run


class Stride(NamedTuple):
    """So many batches with so many examples; `take` trains on them: their summed loss, and how many were right."""

    batches: int
    examples: int
    take: Callable[[], Result]


def strides(step: Step, batches: Batches, run: Run) -> Iterator[Stride]:
    """What is left of the epoch that the run is in."""
    if resident(step, batches):
        return _on_the_gpu(step, batches, run)
    return _batch_by_batch(step, batches, run)


def resident(step: Step, batches: Batches) -> TypeGuard[GraphStep]:
    """Whether the step can take many batches at once: a graph, and images that lie on the GPU, as bytes."""
    return isinstance(step, GraphStep) and device_of(batches.images) == "gpu" and batches.images.dtype == "uint8"


def _batch_by_batch(step: Step, batches: Batches, run: Run) -> Iterator[Stride]:
    device = step.optimizer.params[0].device
    for x, y in batches.from_batch(run.epoch, run.batch):

        def take(x: Array = x, y: Array = y) -> Result:
            return step(to_device(x, device), to_device(y, device))

        yield Stride(1, len(y), take)


def _on_the_gpu(step: GraphStep, batches: Batches, run: Run) -> Iterator[Stride]:
    size = batches.batch_size
    order = to_device(batches.order(run.epoch)[: len(batches) * size], "gpu")  # without a batch that is left out
    first = run.batch
    while first < len(batches):
        last = run.next_point(first)

        def take(first: int = first, count: int = last - first) -> Result:
            losses, corrects = step.run(batches.images, batches.labels, order, size, first, count)
            return losses.sum(), corrects.sum()

        yield Stride(last - first, min(last * size, len(order)) - first * size, take)
        first = last
