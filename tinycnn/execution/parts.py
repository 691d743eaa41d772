"""parts: a batch cut into micro-batches, whose gradients add up to the whole batch's.

Why: LeNet's first convolution and sigmoid make 14 MB of arrays for 256 images and 3.6 MB for 64.  Micro-batches keep
a step's arrays in the processor's cache, which alone makes it faster on one core, and they are what workers share.

Why the sum is right: a mean over the batch is a weighted mean of the means over its parts, with the weights that
`shares` computes; so backward starts in part k from share k instead of 1, and the gradients add up.

Why the bits are the same for any number of workers: the cut depends on the batch alone, part k writes row k of a
table wherever it runs, and the rows are summed in one fixed order.
"""

import math

import numpy as np

from tinycnn import random
from tinycnn.autograd.tape import Leaf, run_backward
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, to_numpy
from tinycnn.backend.memory import keep_freed_memory
from tinycnn.execution.step import (
    Loss,
    Result,
    Step,
    as_input,
    check_batch,
    count_correct,
    evaluate_whole,
    evaluation_mode,
)
from tinycnn.nn import CrossEntropyLoss, Module
from tinycnn.optim import SGD

MOST, LEAST, PARTS = 64, 16, 4  # images in a part, unless told; parts of a small batch.  Measured best for LeNet


class MicroBatchStep(Step):
    """What strategies with workers share: cutting, the table of gradients, the sum, and the update.

    A subclass says where the parts run, in `run_parts`.
    """

    def __init__(self, model: Module, loss: Loss, optimizer: SGD, workers: int, micro_batch: int | None) -> None:
        super().__init__(model, loss, optimizer)
        self.micro_batch = micro_batch
        if workers < 1 or (micro_batch is not None and micro_batch < 1):
            raise ValueError(f"make_step: got micro_batch {micro_batch}, workers {workers}; expected 1 or more")
        self.workers = workers
        self.params = optimizer.params
        kinds = {(p.device, str(p.dtype)) for p in self.params}
        if len(kinds) != 1 or self.params[0].device != "cpu":
            raise ValueError(
                f"make_step: {self.strategy} runs on the CPU with parameters of one dtype, got {sorted(kinds)}; "
                'move the model with .to("cpu"), or use strategy "plain"'
            )
        keep_freed_memory()
        self.total = self.flat()  # (P,) the batch's gradient, all parameters one after the other
        self.gradients = [Tensor(g) for g in self.split(self.total)]

    def flat(self, rows: int | None = None) -> Array:
        """A new array (P,), or (rows, P): room for all parameters, one after the other."""
        P = sum(p.size for p in self.params)
        return np.zeros(P if rows is None else (rows, P), self.params[0].dtype)

    def split(self, row: Array) -> list[Array]:
        """A flat row (P,) as views of the parameters' shapes."""
        ends = np.cumsum([p.size for p in self.params])
        return [row[end - p.size : end].reshape(p.shape) for p, end in zip(self.params, ends, strict=True)]

    def parts(self, examples: int) -> list[slice]:
        """Where the batch is cut; small batches into smaller parts, so that there is something to share."""
        size = self.micro_batch or min(MOST, max(LEAST, -(-examples // PARTS)))
        return [slice(i, min(i + size, examples)) for i in range(0, examples, size)]

    def run_parts(self, x: Array, y: Array, train: bool) -> tuple[Array, Array]:
        """Run every part of the batch; for K parts, (table, notes): the gradients (K, P), and a record of each
        part (K, columns) as `run_part` writes it."""
        raise NotImplementedError

    def __call__(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        self.model.train()
        table, notes = self.run_parts(x, y, train=True)
        np.add.reduce(table, axis=0, out=self.total)
        for i, (p, g) in enumerate(zip(self.params, self.gradients, strict=True)):
            p.grad = g if notes[:, 3 + i].any() else None  # a parameter that no part reached has no gradient
        self.optimizer.step()
        seed, call = random.get_state()
        random.set_state((seed, call + int(notes[0, 2])))
        return self._result(notes, len(y))

    def evaluate(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        with evaluation_mode(self.model):
            _, notes = self.run_parts(x, y, train=False)
        return self._result(notes, len(y))

    def _result(self, notes: Array, examples: int) -> Result:
        return float(notes[:, 0].sum()) * examples, int(notes[:, 1].sum())


def new_notes(parts: int, params: int) -> Array:
    """A record per part: its share of the mean loss, correct, random calls made, and which parameters it reached."""
    return np.zeros((parts, 3 + params))


def run_part(
    step: MicroBatchStep, x: Array, y: Array, part: slice, share: float, state: tuple[int, int], row: Array, note: Array
) -> None:
    """Train on one part of the batch (x, y): write its gradient into row (P,), and what it found into note."""
    gradients = step.split(row)
    place = {id(p): i for i, p in enumerate(step.params)}
    note[:] = 0
    row[:] = 0

    def deposit(leaf: Leaf, gradient: Array) -> None:
        if (i := place.get(id(leaf))) is not None:
            gradients[i] += gradient
            note[3 + i] = 1

    with random.at(state, part.start):
        logits = step.model(as_input(x[part], step.params[0]))
        loss = step.loss(logits, y[part])
        note[:3] = _counted(loss.data, share), count_correct(logits, y[part]), random.get_state()[1] - state[1]
    if loss.grad_fn is not None and share:
        run_backward(loss.grad_fn, np.full_like(loss.data, share), deposit)


def evaluate_part(step: MicroBatchStep, x: Array, y: Array, part: slice, share: float, note: Array) -> None:
    """Loss and correct of one part of the batch (x, y), into note."""
    summed, correct = evaluate_whole(step.model, step.loss, step.params[0], x[part], y[part])
    note[:2] = _counted(summed / len(y[part]), share), correct


def _counted(loss: Array | float, share: float) -> Array | float:
    """What a part's loss adds to the batch's: nothing where its labels are all ignored, and its own mean is 0 / 0."""
    return loss * share if share else 0.0


def shares(loss: Loss, y: Array, parts: list[slice]) -> list[float]:
    """What each part's loss counts for in the batch's: its share of what a mean divides by, and 1 in a sum.

    A loss that is not the engine's is taken for a mean over examples.
    """
    if not isinstance(loss, CrossEntropyLoss):
        return [(part.stop - part.start) / len(y) for part in parts]
    if loss.reduction == "sum":
        return [1.0] * len(parts)
    weights = _weights(loss, y)
    total = weights.sum()
    return [float(weights[part].sum() / total) for part in parts] if total else [math.nan] * len(parts)


def _weights(loss: CrossEntropyLoss, y: Array) -> Array:
    """What the label of each example, or of each of its pixels, adds to the divisor of the mean."""
    used: Array = y != loss.ignore_index
    if loss.weight is not None:
        used = np.where(used, to_numpy(loss.weight.data)[np.where(used, y, 0)], 0)
    return used
