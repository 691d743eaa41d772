"""parts: a batch cut into parts, whose gradients add up to the whole batch's.

Why: LeNet's first convolution and sigmoid make 14 MB of arrays for 256 images and 3.6 MB for 64.  Parts keep a step's
arrays in the processor's cache, which alone makes it faster on one core, and they are what workers share.

Why the sum is right: a mean over the batch is a weighted mean of the means over its parts, with the weights that
`shares` computes; so backward starts in part k from share k instead of 1, and the gradients add up.

Why the bits are the same for any number of workers: the cut depends on the batch alone, part k writes row k of a
table wherever it runs, and the rows are summed in one fixed order, a tree: neighbours first, then pairs of pairs.
Whoever has several neighbouring rows can add them up before they travel, and the bits stay the same.

Batch normalisation is the layer that looks at other examples: there the parts meet, see together.py.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinycnn import random, whole
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module, to_numpy
from tinycnn.backend.memory import keep_freed_memory
from tinycnn.execution.blas import single_threaded_blas
from tinycnn.execution.engines.engine import Engine, note_type
from tinycnn.execution.engines.tape import TapeEngine
from tinycnn.execution.separable import Snapshot, meets, why_not_separable
from tinycnn.execution.step import Loss, Result, Step, check_batch, evaluate_whole
from tinycnn.execution.together import Meet, NotTogether, side_by_side
from tinycnn.nn import CrossEntropyLoss, Module
from tinycnn.optim import Optimizer

PARTS = 4  # of a small batch, so that there is something to share,
LEAST, LEAST_LARGE = 16, 4  # with so many images at least; so many where an image is so large that few fit in cache
ROUNDING = 100  # of a dtype's epsilon, by which a gradient in parts may differ from the whole batch's


class Job(NamedTuple):
    """What a worker is told of a batch, besides its examples: how many, how it is cut, what to do, and the shares."""

    examples: int
    size: int  # examples of a part; the last may have less
    train: bool
    random: tuple[int, int]  # the state from which dropout draws
    shares: list[float]


class PartsStep(Step):
    """What all teams share: cutting, the table of gradients, the sum, the update.  A subclass says where parts run.

    Where model and loss promise that they can be cut (separable.py), they are.  Where they do not, the gradient is
    held against the whole batch's at steps 1, 2, 4, 8, ...: RuntimeError where they differ, before anything is learnt.
    """

    devices: tuple[str, ...] = ("cpu",)  # where the parameters may be

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        workers: int,
        micro_batch: int | None,
        engine: Callable[..., Engine],
    ) -> None:
        super().__init__(model, loss, optimizer)
        self.micro_batch = micro_batch
        self.workers = workers
        self.params = optimizer.params
        kinds = {(p.device, str(p.dtype)) for p in self.params}
        if len(kinds) != 1 or self.params[0].device not in self.devices:
            places = " or ".join(self.devices).upper()
            raise ValueError(
                f"make_step: {self.strategy} runs on the {places} with parameters of one dtype, got {sorted(kinds)}; "
                'move the model with .to("cpu"), or use strategy "plain"'
            )
        self.xp = array_module(self.params[0].data)
        self.doubt = why_not_separable(model, loss)
        self.meets = meets(model)
        if self.meets and self.params[0].device != "cpu":
            raise ValueError(
                f"make_step: {self.strategy} cannot run {self.meets}, which looks at the whole batch, on GPUs; use "
                'strategy "plain"'
            )
        self.steps = 0
        self.edition, self._known = 0, self._look()  # counts the changes of anything but the parameters' numbers
        self.new_engine: Callable[[], Engine] = lambda: engine(model, loss, self.params)
        self.engine = self.new_engine()  # the calling process's, or its first thread's
        keep_freed_memory()
        self.total = self.flat()  # (P,) the batch's gradient, all parameters one after the other
        self.lay_out(self.flat(rows=0))
        self.gradients = [Tensor(g) for g in self.split(self.total)]
        self.blas: Callable[[], object] = single_threaded_blas(self)

    # -- cutting

    def flat(self, rows: int | None = None) -> Array:
        """A new array (P,), or (rows, P): room for all parameters, one after the other."""
        P = sum(p.numel() for p in self.params)
        zeros: Array = self.xp.zeros(P if rows is None else (rows, P), self.params[0].dtype)
        return zeros

    def split(self, row: Array) -> list[Array]:
        """A flat row (P,) as views of the parameters' shapes."""
        ends = np.cumsum([p.numel() for p in self.params])
        return [row[end - p.numel() : end].reshape(p.shape) for p, end in zip(self.params, ends, strict=True)]

    def lay_out(self, table: Array) -> None:
        """From now on the gradients of part k go into row k of this table (K, P)."""
        self.table, self._rows = table, [self.split(row) for row in table]

    def part_size(self, x: Array) -> int:
        """How many examples a part of this batch has: what fits in cache, and less of a small batch."""
        if self.micro_batch is not None:
            return self.micro_batch
        self.engine.begin(self.edition)
        fitting = self.engine.fitting(x)
        return min(fitting, max(LEAST if fitting >= 2 * LEAST else LEAST_LARGE, -(-len(x) // PARTS)))

    def new_notes(self, parts: int) -> Array:
        """A record for each part."""
        return np.zeros(parts, note_type(len(self.params)))

    # -- running

    def _look(self) -> tuple[Snapshot, list[tuple[Any, ...]]]:
        """The model and the loss as they are now, but for the parameters' numbers."""
        return Snapshot(self.model, self.loss), self._kinds()

    def _kinds(self) -> list[tuple[Any, ...]]:
        return [(p.data.shape, p.data.dtype) for p in self.params]

    def _look_again(self) -> None:
        """Before each batch: a new edition, where anything has changed since the last look."""
        known, kinds = self._known
        if any(known.changes()) or kinds != self._kinds():
            self.edition, self._known = self.edition + 1, self._look()

    def run_parts(self, x: Array, y: Array, job: Job) -> tuple[Array, Array]:
        """Run every part of the batch; for K parts, (table, notes): the gradients (K, P), and a record of each (K,)."""
        raise NotImplementedError

    def work(
        self,
        engine: Engine,
        which: Iterable[int],
        x: Array,
        y: Array,
        job: Job,
        notes: Array,
        meet: Meet,
        first: int = 0,
    ) -> None:
        """One worker's share of a job: run the parts `which` of the batch (x, y), each into its row and record.

        Where a layer looks at the whole batch, they run side by side, and `meet` the other workers'; part `first`
        moves running statistics.
        """
        engine.begin(self.edition)
        if self.meets:
            parts = {k: partial(self._part, engine, k, x, y, job, notes) for k in which}
            side_by_side(parts, job.examples, first, meet)
            return
        for k in which:
            self._part(engine, k, x, y, job, notes)

    def _part(self, engine: Engine, k: int, x: Array, y: Array, job: Job, notes: Array) -> None:
        part, note = cut_into(job.size, job.examples)[k], notes[k]
        note.fill(0)
        if not job.train:
            engine.evaluate(x[part], y[part], job.shares[k], note)
            return
        with random.at(job.random, part.start):
            engine.train(x[part], y[part], job.shares[k], self._rows[k], note)
            note["calls"] = random.get_state()[1] - job.random[1]
        note["norm"] = float(self.xp.linalg.norm(self.table[k])) if self.doubt else 0.0

    def add_up(self, table: Array) -> None:
        """Sum the rows of a batch's table (K, P) into `total`; the table is used up."""
        for into, row in additions(len(table)):
            table[into] += table[row]
        self.total[...] = table[0]

    def _run(self, x: Array, y: Array, train: bool) -> tuple[Array, Array]:
        self._look_again()
        size = self.part_size(x)
        job = Job(len(y), size, train, random.get_state(), shares(self.loss, to_numpy(y), cut_into(size, len(y))))
        before = Snapshot(self.model, self.loss) if self.doubt else None
        table, notes = self.run_parts(x, y, job)
        if before is not None and (change := next(before.changes(), None)):
            raise RuntimeError(
                f"step: forward changes {change}, and in parts it would be left with what one part made of it; "
                'use strategy "plain"'
            )
        return table, notes

    def __call__(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        self.model.train()
        table, notes = self._run(x, y, train=True)
        self.add_up(table)
        self.steps += 1
        if self.doubt and self.steps & (self.steps - 1) == 0:
            self._compare_with_the_whole(x, y, float(notes["norm"].sum()))
        for i, (p, g) in enumerate(zip(self.params, self.gradients, strict=True)):
            p.grad = g if notes["reached"][:, i].any() else None  # a parameter that no part reached has no gradient
        self.optimizer.step()
        seed, call = random.get_state()
        random.set_state((seed, call + int(notes["calls"][0])))
        return self._result(notes, len(y))

    def evaluate(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        with self.model.evaluating():
            if self.doubt:
                return evaluate_whole(self.model, self.loss, self.params[0], x, y)
            _, notes = self._run(x, y, train=False)
        return self._result(notes, len(y))

    def _result(self, notes: Array, examples: int) -> Result:
        return float(notes["loss"].sum()) * examples, int(notes["correct"].sum())

    def _compare_with_the_whole(self, x: Array, y: Array, norms: float) -> None:
        """RuntimeError unless the parts' gradients, of `norms` together, add up to the whole's, but for rounding."""
        expected, note = self.flat(), self.new_notes(1)[0]
        forgetful = whole.Part(len(y), first=False, add_up=lambda numbers: numbers)  # running statistics have moved
        with random.at(random.get_state(), 0), whole.within(forgetful):
            TapeEngine(self.model, self.loss, self.params).train(x, y, 1.0, self.split(expected), note)
        allowed, norm = ROUNDING * np.finfo(expected.dtype).eps * norms, float(self.xp.linalg.norm(expected))
        if not (off := float(self.xp.linalg.norm(self.total - expected))) <= allowed:
            raise RuntimeError(
                f"step: computed in parts, the gradient differs from the whole batch's by {off:.3g} "
                f"(its norm is {norm:.3g}, rounding explains {allowed:.1g}); {self.doubt}: "
                'use strategy "plain", which computes the batch in one piece; nothing was learnt in this step'
            )


def additions(rows: int) -> list[tuple[int, int]]:
    """(into, row) for each addition of rows 0 ... `rows` - 1, in order: a tree, whose root is row 0.

    Of 5 rows: 0 += 1, 2 += 3, then 0 += 2, then 0 += 4.
    """
    distances = [1 << level for level in range((rows - 1).bit_length())]
    return [(k, k + distance) for distance in distances for k in range(0, rows - distance, 2 * distance)]


def added_up(rows: Iterable[Array]) -> Array:
    """The sum of what a batch's parts bring to a meeting, in the tree's order; NotTogether unless of one shape."""
    sums = list(rows)
    if len({row.shape for row in sums}) > 1:
        raise NotTogether
    for into, row in additions(len(sums)):
        sums[into] = sums[into] + sums[row]
    return sums[0]


def cut_into(size: int, examples: int) -> list[slice]:
    """Where a batch is cut into parts of `size`."""
    return [slice(i, min(i + size, examples)) for i in range(0, examples, size)]


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


def _weights(loss: CrossEntropyLoss, y: Array) -> Any:
    """What the label of each example, or of each of its pixels, adds to the divisor of the mean."""
    used = y != loss.ignore_index
    if loss.weight is not None:
        used = np.where(used, to_numpy(loss.weight.data)[np.where(used, y, 0)], 0)
    return used
