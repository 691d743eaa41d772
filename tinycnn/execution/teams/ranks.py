"""ranks: parts of a batch on the processes of an MPI job, on one machine or many.

Data parallelism: everybody has the whole net, and computes a part of the batch.  Of a batch of 256 on 4 ranks:

            images      gradients (P numbers each)     one slice of all four      the whole gradient
    rank 0   0 -  63    a0 b0 c0 d0  \\              /  a0 + a1 + a2 + a3 = a  \\              /  a b c d
    rank 1  64 - 127    a1 b1 c1 d1   |  exchange  |   b0 + b1 + b2 + b3 = b   |  exchange  |   a b c d
    rank 2 128 - 191    a2 b2 c2 d2   |            |   c0 + c1 + c2 + c3 = c   |            |   a b c d
    rank 3 192 - 255    a3 b3 c3 d3  /              \\  d0 + d1 + d2 + d3 = d  /              \\  a b c d

Then everybody makes the same update, so that the nets stay the same.  Each rank sends and receives 2 P (R - 1) / R
numbers, which is the least that R ranks can do (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", 2009).

The bits are those of one process, whatever the number of ranks: the batch is cut without regard to it, a rank gets
neighbouring parts, and the sum is the tree of parts.py, of which a rank with several parts adds up its own branches
before they travel.  An allreduce of MPI or NCCL promises no order.

On GPUs, one a rank, all this happens on the GPUs, but for the records of losses and what ranks compare (links.py).

Every rank has the whole data set, and draws every batch from the seed that all share, so that an epoch is exactly
the data set.  Nothing is taken on trust: what ranks must have in common is compared before it is used.
"""

import functools
import warnings
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np

import tinycnn
from tinycnn import random
from tinycnn.backend import Array, to_numpy
from tinycnn.data import Batches
from tinycnn.execution.engines.engine import MOST, Engine
from tinycnn.execution.parts import Job, PartsStep, added_up, additions
from tinycnn.execution.separable import SIMPLE, Snapshot
from tinycnn.execution.step import Course, Loss, Swept
from tinycnn.execution.teams.launcher import check_launch
from tinycnn.execution.teams.links import Link, gpus
from tinycnn.execution.teams.world import START, RankError, world
from tinycnn.nn import Module
from tinycnn.optim import Optimizer

LONGEST_WISH = 16  # bytes
MEETING = 1  # the tag of what ranks tell each other in the middle of a batch


class Plan(NamedTuple):
    """Who computes and adds what, of a batch of K parts on R ranks."""

    blocks: list[range]  # the parts of each rank, neighbours
    early: list[tuple[int, int]]  # additions (into, row) of rows that one rank has, each on its rank
    rows: list[list[int]]  # the rows that are then left on each rank, and travel
    late: list[tuple[int, int]]  # additions of what has travelled, to be made by everyone in its slice


@functools.lru_cache
def plan(parts: int, ranks: int) -> Plan:
    """The plan for a batch of so many parts."""
    blocks = [range(parts * r // ranks, parts * (r + 1) // ranks) for r in range(ranks)]
    early: list[tuple[int, int]] = []
    late: list[tuple[int, int]] = []
    for into, row in additions(parts):
        covered = range(into, min(2 * row - into, parts))  # all rows that are in the sum
        at_home = any(covered[0] in block and covered[-1] in block for block in blocks)
        (early if at_home else late).append((into, row))
    gone = {row for _, row in early}
    return Plan(blocks, early, [[k for k in block if k not in gone] for block in blocks], late)


class RanksStep(PartsStep):
    """This rank computes its parts in the calling thread; as many ranks as cores or GPUs; no threads, no forks.

    The same program runs on every rank.  Before the first batch all take over rank 0's parameters, optimiser and
    random numbers; RankError where model, loss or settings differ, where ranks come with different batches, and,
    before each epoch and each evaluation, where their data or parameters differ.
    """

    strategy = "ranks"
    devices = "cpu", "gpu"

    def __init__(
        self,
        model: Module,
        loss: Loss,
        optimizer: Optimizer,
        workers: int | None,
        micro_batch: int | None,
        engine: Callable[..., Engine],
    ) -> None:
        check_launch("ranks")
        if workers is not None:
            raise ValueError(f"make_step: got {workers} workers, but the launcher says how many ranks there are: -n")
        self.world = world()
        super().__init__(model, loss, optimizer, self.world.size, micro_batch, engine)
        R, P = self.world.size, len(self.total)
        self.slices = [slice(P * r // R, P * (r + 1) // R) for r in range(R)]  # of the gradient: who adds up what
        self._alike = self._closed = False
        self._digests: dict[tuple[int, int], tuple[object, bytes]] = {}  # of data by their ids, and those alive
        places, library = self.world.places(), self.world.library()
        self.description = f"ranks: {self.engine.name}, parts of {micro_batch or MOST} on {places}, {library}"
        self.link: Link = self.world
        if self.params[0].device == "gpu" and self.world.size > 1:
            self.link = gpus(self.world)
            self.description += f", GPUs {self.link.name}"

    @property
    def leads(self) -> bool:
        return self.world.rank == 0

    def agreed(self, wish: str | None) -> str | None:
        wishes = self.world.gather(np.array((wish or "").encode(), f"S{LONGEST_WISH}"))
        return max(wishes.tolist()).decode() or None

    # -- a batch

    def run_parts(self, x: Array, y: Array, job: Job) -> tuple[Array, Array]:
        if self._closed:
            raise RuntimeError("step: this step is closed; make another with make_step")
        K, rank = len(job.shares), self.world.rank
        blocks, notes = plan(K, self.world.size).blocks, self.new_notes(K)
        if K < self.world.size and job.train and not self.steps and self.leads:
            idle = f"{self.world.size - K} of {self.world.size} ranks have nothing to do"
            text = f"ranks: a batch of {len(y)} makes {K} part{'s' * (K > 1)}, and {idle}; try a smaller micro_batch"
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        if job.train and len(self.table) < K:
            self.lay_out(self.flat(rows=K))
        everyones = self._compared(x, y, job)
        meet, first = functools.partial(self._meet, blocks), min(blocks[rank], default=0)
        self.work(self.engine, blocks[rank], x, y, job, notes, meet, first)
        self._check_batch(everyones())
        records = {r: notes[block.start : block.stop] for r, block in enumerate(blocks) if block}
        mine = records.pop(rank, None)
        self._records = self.world.begin({} if mine is None else dict.fromkeys(self.world.others, mine), records)
        if not job.train:
            self._records()  # else they come with the gradients
        return self.table[:K], notes

    def _meet(self, blocks: list[range], rows: Array) -> Array:
        """From the rows of this rank's parts to the sum over the parts of all ranks, which comes to each of them."""
        every = {r: rows for r in range(self.world.size) if blocks[r]}
        for r in self.world.others:
            if blocks[r]:
                every[r] = np.empty((len(blocks[r]), *rows.shape[1:]), rows.dtype)
        incoming = {r: array for r, array in every.items() if r != self.world.rank}
        self.world.exchange(dict.fromkeys(incoming, rows), incoming, tag=MEETING)
        return added_up(row for of_one_rank in every.values() for row in of_one_rank)

    def _run(self, x: Array, y: Array, train: bool) -> tuple[Array, Array]:
        self._make_alike()
        return super()._run(x, y, train)

    def _compared(self, x: Array, y: Array, job: Job) -> Callable[..., Array]:
        """What all ranks' batches look like; it travels while they compute."""
        look = f"{x.shape[1:]} {x.dtype} {y.dtype}".encode() + to_numpy(y).tobytes()
        return self.world.begin_gather(np.array([self.steps, job.train, len(y), job.size, zlib.crc32(look)]))

    def _check_batch(self, everyones: Array) -> None:
        """RankError unless all ranks are at the same step with the same labels."""
        if who := [self.world.name(int(r)) for r in np.flatnonzero((everyones != everyones[0]).any(1))]:
            raise RankError(
                f"ranks: {', '.join(who)} came with another batch than {self.world.name(0)} in step {self.steps + 1}; "
                "expected the same batch on every rank, which computes its parts of it"
            )

    def add_up(self, table: Array) -> None:
        """Sum the rows into `total`: every rank its slice of all rows, and then everyone gets everyone's slice."""
        rank, others = self.world.rank, self.world.others
        blocks, early, rows, late = plan(len(table), self.world.size)
        for into, row in early:
            if into in blocks[rank]:
                table[into] += table[row]
        travelled = [row for of_one_rank in rows for row in of_one_rank]
        place = {row: i for i, row in enumerate(travelled)}
        mine = self.slices[rank]
        left: Any = rows[rank] if len(rows[rank]) != 1 else slice(rows[rank][0], rows[rank][0] + 1)  # one is not copied
        pieces = self.xp.empty((len(travelled), mine.stop - mine.start), table.dtype)
        received = {r: pieces[place[rows[r][0]] :][: len(rows[r])] for r in range(self.world.size) if rows[r]}
        if rows[rank]:
            received.pop(rank)[...] = table[left, mine]
        self.link.exchange({r: table[left, self.slices[r]] for r in others} if rows[rank] else {}, received)
        for into, row in late:
            pieces[place[into]] += pieces[place[row]]
        self.total[mine] = pieces[0]
        parts_of_total = {r: self.total[self.slices[r]] for r in range(self.world.size)}
        own = parts_of_total.pop(rank)
        self.link.exchange(dict.fromkeys(others, own), parts_of_total)
        self._records()
        if self.meets and not all(blocks):  # who had no part has not seen the batch's statistics
            knows = next(r for r, block in enumerate(blocks) if block)
            for b in self.model.buffers():
                self.world.exchange(*((dict.fromkeys(others, b.data), {}) if rank == knows else ({}, {knows: b.data})))

    # -- what ranks have in common

    def _make_alike(self) -> None:
        """Once: compare what the program says, and take over what rank 0 has learnt and drawn so far."""
        if self._alike:
            return
        self.world.compare(
            {
                "the versions": (tinycnn.__version__, np.__version__),
                "the layers, the loss or their settings": _described(Snapshot(self.model, self.loss)),
                "the parameters' shapes or dtypes": [(p.shape, str(p.dtype)) for p in self.params],
                "the optimiser's settings": self._settings(),
                "the engines or the sizes of parts": (self.engine.name, self.micro_batch),
            },
            patience=START,  # some have to fetch their data first
        )
        stream = random.generator().bit_generator
        state = self.model.state_dict(), self.optimizer.state_dict(), random.get_state(), stream.state
        parameters, learnt, rows, stream_state = self.world.from_leader(state)
        if not self.leads:
            self.model.load_state_dict(parameters)
            self.optimizer.load_state_dict(learnt)
            random.set_state(rows)
            stream.state = stream_state
        self._alike = True

    def _settings(self) -> dict[str, Any]:
        state = self.optimizer.state_dict()  # and None for an array that is to come
        return {name: value for name, value in state.items() if not isinstance(value, (np.ndarray, type(None)))}

    def _check_alike(self, kind: str, batches: Batches, course: Course | None) -> None:
        """RankError where what a sweep over these batches starts from is not the same everywhere."""
        self._make_alike()
        how = batches.first_epoch, batches.batch_size, batches.shuffle, batches.seed, batches.drop_last
        self.world.compare(
            {
                f"the {kind} images or labels": self._digest(batches),
                "the batches' size, order or number": how,
                "the epochs and batches that are done": course and (course.epoch, course.batch),
                "the optimiser's settings": self._settings(),
                "the parameters": b"".join(to_numpy(p.data).tobytes() for p in (*self.params, *self.model.buffers())),
            }
        )

    def _digest(self, batches: Batches) -> bytes:
        arrays = batches.images, batches.labels
        key = id(arrays[0]), id(arrays[1])
        if key not in self._digests:
            whole = sha256(f"{arrays[0].shape} {arrays[0].dtype} {arrays[1].dtype}".encode())
            for array in arrays:
                whole.update(np.ascontiguousarray(to_numpy(array)).data)
            self._digests[key] = arrays, whole.digest()
        return self._digests[key][1]

    def sweep(self, batches: Batches, course: Course) -> Iterator[Swept]:
        self._check_alike("training", batches, course)
        yield from super().sweep(batches, course)

    def evaluate_all(self, batches: Batches) -> Iterator[Swept]:
        self._check_alike("test", batches, None)
        yield from super().evaluate_all(batches)

    def close(self) -> None:
        self._closed = True
        self.blas()


def _described(known: Snapshot) -> list[tuple[str, str, str]]:
    """(place, kind, settings) of the loss and all layers, in words that are the same in every process."""
    return [
        (
            place,
            type(owner).__qualname__,
            repr([(name, value) for name, value in sorted(kept.items()) if name != "training" and _says_all(value)]),
        )
        for place, owner, kept in known.kept
    ]


def _says_all(value: object) -> bool:
    return all(map(_says_all, value)) if isinstance(value, tuple) else isinstance(value, SIMPLE)
