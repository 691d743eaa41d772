"""threads: parts on threads of one process; NumPy and BLAS let go of Python's lock while they compute."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.execution.engines.engine import MOST, Engine
from tinycnn.execution.parts import Job, PartsStep, added_up
from tinycnn.execution.together import NotTogether


class ThreadsStep(PartsStep):
    """Each thread takes the next part that is free; with one worker, all parts run in the calling thread."""

    strategy = "threads"

    def __init__(self, *how: Any) -> None:
        super().__init__(*how)
        self._engines = [self.engine, *(self.new_engine() for _ in range(1, self.workers))]
        self._pool = ThreadPoolExecutor(self.workers, "tinycnn") if self.workers > 1 else None
        threads = f"{self.workers} thread{'s' * (self.workers > 1)}"
        self.description = f"threads: {self.engine.name}, parts of {self.micro_batch or MOST} on {threads}"

    def run_parts(self, x: Array, y: Array, job: Job) -> tuple[Array, Array]:
        K = len(job.shares)
        if job.train and len(self.table) < K:
            self.lay_out(self.flat(rows=K))
        notes = self.new_notes(K)
        if self._pool is None:
            self.work(self._engines[0], range(K), x, y, job, notes, added_up)
            return self.table[:K], notes
        hall = Hall(min(K, self.workers), K)
        free: SimpleQueue[int] = SimpleQueue()
        for k in range(K):
            free.put(k)
        if self.meets:
            every = zip(self._engines, hall.seats, strict=False)
            work = [self._pool.submit(self._meeting, hall, e, seat, x, y, job, notes) for e, seat in every]
        else:
            shared = x, y, job, notes, added_up
            work = [self._pool.submit(self.work, e, _taken(free), *shared) for e in self._engines]
        errors = [error for done in work if (error := done.exception())]  # wait for all before anything is raised
        if errors:
            raise next((error for error in errors if not isinstance(error, NotTogether)), errors[0])
        return self.table[:K], notes

    def _meeting(self, hall: "Hall", engine: Engine, seat: range, x: Array, y: Array, job: Job, notes: Array) -> None:
        """The work of a thread that meets the others, and tells them where it fails."""
        try:
            self.work(engine, seat, x, y, job, notes, lambda rows: hall.meet(seat, rows))
            hall.meet(seat, None)
        except BaseException:
            hall.abort()
            raise

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self.blas()


class Hall:
    """Where threads meet for layers that look at the whole batch; who comes last adds up.

    There each thread has its parts from the start, its seat: a part that waited to be taken would not come.
    """

    def __init__(self, threads: int, parts: int) -> None:
        self.seats = [range(thread, parts, threads) for thread in range(threads)]
        self._rows: list[Array | None] = [None] * parts
        self._total = np.empty(0)
        self._all_here = threading.Barrier(threads, action=self._add_up)
        self.abort = self._all_here.abort  # who waits, or comes later, gets NotTogether

    def meet(self, seat: range, rows: Array | None) -> Array:
        """From the rows of the parts at this seat to the sum over all; None at the end, when nobody has any."""
        for i, k in enumerate(seat):
            self._rows[k] = None if rows is None else rows[i]
        try:
            self._all_here.wait()
        except threading.BrokenBarrierError:
            raise NotTogether from None
        return self._total

    def _add_up(self) -> None:
        rows = [row for row in self._rows if row is not None]
        if 0 < len(rows) < len(self._rows):
            raise NotTogether
        if rows:
            self._total = added_up(rows)


def _taken(free: "SimpleQueue[int]") -> Iterator[int]:
    """The parts that this thread gets: one after another, as long as there are any."""
    while True:
        try:
            yield free.get_nowait()
        except Empty:
            return
