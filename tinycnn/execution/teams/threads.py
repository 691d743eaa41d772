"""threads: parts on threads of one process; NumPy and BLAS let go of Python's lock while they compute."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from tinycnn.backend import Array
from tinycnn.execution.engines.engine import MOST
from tinycnn.execution.parts import Job, PartsStep


class ThreadsStep(PartsStep):
    """Each thread takes the next part that is free; with one worker, all parts run in the calling thread."""

    strategy = "threads"

    def __init__(self, *how: Any) -> None:
        super().__init__(*how)
        self._table = self.flat(rows=0)
        self._engines = [self.engine, *(self.new_engine() for _ in range(1, self.workers))]
        self._pool = ThreadPoolExecutor(self.workers, "tinycnn") if self.workers > 1 else None
        threads = f"{self.workers} thread{'s' * (self.workers > 1)}"
        self.description = f"threads: {self.engine.name}, parts of {self.micro_batch or MOST} on {threads}"

    def run_parts(self, x: Array, y: Array, job: Job) -> tuple[Array, Array]:
        K = len(job.shares)
        if job.train and len(self._table) < K:
            self._table = self.flat(rows=K)
        notes = self.new_notes(K)
        if self._pool is None:
            self.work(self._engines[0], range(K), x, y, job, self._table, notes)
            return self._table[:K], notes
        free: SimpleQueue[int] = SimpleQueue()
        for k in range(K):
            free.put(k)
        work = [self._pool.submit(self.work, e, _taken(free), x, y, job, self._table, notes) for e in self._engines]
        errors = [error for done in work if (error := done.exception())]  # wait for all before anything is raised
        if errors:
            raise errors[0]
        return self._table[:K], notes

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self.blas()


def _taken(free: "SimpleQueue[int]") -> Iterator[int]:
    """The parts that this thread gets: one after another, as long as there are any."""
    while True:
        try:
            yield free.get_nowait()
        except Empty:
            return
