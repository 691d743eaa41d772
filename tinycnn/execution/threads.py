"""threads: micro-batches on threads of one process; NumPy and BLAS let go of Python's lock while they compute."""

from concurrent.futures import ThreadPoolExecutor

from tinycnn import random
from tinycnn.backend import Array
from tinycnn.execution.blas import single_threaded_blas
from tinycnn.execution.parts import MOST, MicroBatchStep, evaluate_part, new_notes, run_part, shares
from tinycnn.execution.step import Loss
from tinycnn.nn import Module
from tinycnn.optim import SGD


class ThreadsStep(MicroBatchStep):
    """Each thread takes the next part that is free; with one worker, all parts run in the calling thread."""

    strategy = "threads"

    def __init__(self, model: Module, loss: Loss, optimizer: SGD, workers: int, micro_batch: int | None) -> None:
        super().__init__(model, loss, optimizer, workers, micro_batch)
        self._table = self.flat(rows=0)
        self._blas = single_threaded_blas()
        self._pool = ThreadPoolExecutor(workers, "tinycnn") if workers > 1 else None
        self.description = f"threads: micro-batches of {micro_batch or MOST} on {workers} thread{'s' * (workers > 1)}"

    def run_parts(self, x: Array, y: Array, train: bool) -> tuple[Array, Array]:
        parts = self.parts(len(y))
        part_shares, state = shares(self.loss, y, parts), random.get_state()
        notes = new_notes(len(parts), len(self.params))
        if train and len(self._table) < len(parts):
            self._table = self.flat(rows=len(parts))

        def run(k: int) -> None:
            if train:
                run_part(self, x, y, parts[k], part_shares[k], state, self._table[k], notes[k])
            else:
                evaluate_part(self, x, y, parts[k], part_shares[k], notes[k])

        if self._pool is None:
            for k in range(len(parts)):
                run(k)
        else:
            jobs = [self._pool.submit(run, k) for k in range(len(parts))]
            errors = [error for job in jobs if (error := job.exception())]  # wait for all before anything is raised
            if errors:
                raise errors[0]
        return self._table[: len(parts)], notes

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._blas.restore_original_limits()
