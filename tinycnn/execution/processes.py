"""processes: micro-batches on forked processes that see one memory.

Why not threads: Python runs one thread at a time, and a step makes hundreds of short NumPy calls that each take
turns for the lock.  Forked processes share the parameters, the batch and the table of gradients in memory that
fork leaves shared, and meet twice a step: when the batch is there, and when the last part is done.

The calling process is worker 0.  The others wait at a pipe, which also carries their errors, and whose end tells
that a process died.  Nothing has a name in the system, so nothing can be left behind.
"""

import math
import mmap
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tinycnn import random
from tinycnn.backend import Array
from tinycnn.execution.blas import single_threaded_blas
from tinycnn.execution.parts import MOST, MicroBatchStep, evaluate_part, new_notes, run_part, shares
from tinycnn.execution.step import Loss
from tinycnn.nn import Module
from tinycnn.optim import SGD

SPIN = 2e-3  # seconds to ask a pipe again and again before sleeping at it: waking up takes longer than asking


class WorkerError(RuntimeError):
    """The traceback of an error in a worker process, as text; or that one has died."""


def shared(shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros in anonymous memory that processes forked from now on will share."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)


class ProcessesStep(MicroBatchStep):
    """Part k of a batch runs on worker k modulo the number of workers.

    While the step is open the parameters lie in shared memory, so that a change in place, such as load_state_dict,
    reaches all workers; other changes to the model (a layer replaced, another loss) do not.
    """

    strategy = "processes"

    def __init__(self, model: Module, loss: Loss, optimizer: SGD, workers: int, micro_batch: int | None) -> None:
        if not sys.platform.startswith("linux"):
            raise RuntimeError(f"make_step: processes needs Linux's fork, this is {sys.platform}; use threads")
        super().__init__(model, loss, optimizer, workers, micro_batch)
        self._blas = single_threaded_blas()
        for p, home in zip(self.params, self.split(shared(self.total.shape, self.total.dtype)), strict=True):
            home[...] = p.data
            p.data = home
        self._homes = [p.data for p in self.params]
        self._team: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
        self._x = self._y = np.empty(0)
        self._closed = False
        self.description = f"processes: micro-batches of {micro_batch or MOST} on {workers} processes, one memory"

    def run_parts(self, x: Array, y: Array, train: bool) -> tuple[Array, Array]:
        if self._closed:
            raise RuntimeError("step: this step is closed, or a worker of it has died; make another with make_step")
        if any(p.data is not home for p, home in zip(self.params, self._homes, strict=True)):
            raise RuntimeError(
                "step: a parameter's array was replaced while the step was open, so the workers no longer see it; "
                "change it in place (p.data[...] = values), or close this step and make another"
            )
        parts = self.parts(len(y))
        if not self._fits(x, y):
            self._start(x, y)
        self._x[: len(x)], self._y[: len(y)] = x, y
        order = (len(y), train, random.get_state(), shares(self.loss, y, parts))
        helping = min(len(parts), self.workers) - 1  # nobody is woken for nothing
        try:
            for _, pipe in self._team[:helping]:
                pipe.send(order)
            errors = [self._work(0, order), *(self._reply(i) for i in range(helping))]
        except BaseException:
            self.close()  # a process died or the user interrupted: the others' replies would come too late
            raise
        for error in errors:
            if error is not None:
                raise error
        return self._table[: len(parts)], self._notes[: len(parts)]

    def _work(self, worker: int, order: tuple[int, bool, tuple[int, int], list[float]]) -> Exception | None:
        """Run this worker's parts of the batch in shared memory; the error, if there was one."""
        examples, train, state, part_shares = order
        x, y, parts = self._x[:examples], self._y[:examples], self.parts(examples)
        try:
            for k in range(worker, len(parts), self.workers):
                if train:
                    run_part(self, x, y, parts[k], part_shares[k], state, self._table[k], self._notes[k])
                else:
                    evaluate_part(self, x, y, parts[k], part_shares[k], self._notes[k])
        except Exception as error:
            return error
        return None

    def _reply(self, i: int) -> Exception | None:
        """Wait for worker i + 1: None where all went well, or its error, with the worker's traceback as its cause."""
        process, pipe = self._team[i]
        try:
            _ask(pipe)
            error, text = pickle.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            process.join(1)
            raise WorkerError(
                f"step: worker process {i + 1} ended with exit code {process.exitcode} in the middle of a step; "
                "the parameters are those after the last whole step.  Exit code -9 is often the system running out "
                "of memory: use fewer workers or smaller micro-batches"
            ) from None
        if error is not None:
            error.__cause__ = WorkerError(f"in worker process {i + 1}\n{text}")
        answer: Exception | None = error
        return answer

    def _fits(self, x: Array, y: Array) -> bool:
        """Whether the shared batch has room for this one, of its shapes and dtypes, and the team is there."""
        return (
            bool(self._team or self.workers == 1)
            and len(x) <= len(self._x)
            and (x.shape[1:], x.dtype, y.shape[1:], y.dtype)
            == (self._x.shape[1:], self._x.dtype, self._y.shape[1:], self._y.dtype)
        )

    def _start(self, x: Array, y: Array) -> None:
        """Make room for batches like this one, and fork the team, which inherits it."""
        self._dismiss()
        K = len(self.parts(len(y)))
        self._x, self._y = shared(x.shape, x.dtype), shared(y.shape, y.dtype)
        self._table = shared((K, len(self.total)), self.total.dtype)
        notes = new_notes(K, len(self.params))
        self._notes = shared(notes.shape, notes.dtype)
        fork = multiprocessing.get_context("fork")
        for worker in range(1, self.workers):
            mine, theirs = fork.Pipe()
            ends = theirs, mine
            process = fork.Process(target=_serve, args=(self, worker, *ends), name=f"tinycnn-{worker}", daemon=True)
            with warnings.catch_warnings():
                # Python, and JAX where it is loaded, warn of threads that may hold locks during fork.  BLAS's own
                # threads are idle here and prepared for it (pthread_atfork); the child runs NumPy and nothing else.
                warnings.simplefilter("ignore")
                process.start()
            theirs.close()  # so that this pipe ends when the worker does
            self._team.append((process, mine))

    def _dismiss(self) -> None:
        for _, pipe in self._team:
            pipe.close()  # the worker reads the end of the pipe, and returns
        for process, _ in self._team:
            process.join(2)
            if process.is_alive():
                process.kill()
                process.join()
        self._team = []

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._dismiss()
        for p, home in zip(self.params, self._homes, strict=True):
            if p.data is home:
                p.data = home.copy()
        self._blas.restore_original_limits()


def _serve(step: ProcessesStep, worker: int, pipe: Connection, callers_end: Connection) -> None:
    """The life of a worker process: wait for an order, run it, reply; until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the calling process's affair
    for inherited in (callers_end, *(pipe for _, pipe in step._team)):
        inherited.close()  # held open here, they would hide from this worker and the others that the caller is gone
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            _ask(pipe)
            order = pipe.recv()
            step.model.train(order[1])
            pipe.send_bytes(_packed(step._work(worker, order)))
        except (EOFError, OSError):
            break
    os._exit(0)  # leave at once: what the parent registered to happen at exit is the parent's


def _packed(error: Exception | None) -> bytes:
    """An error and its traceback for the pipe; one that cannot be pickled as a RuntimeError with its text."""
    if error is None:
        return pickle.dumps((None, ""))
    text = "".join(traceback.format_exception(error))
    try:
        packed = pickle.dumps((error, text))
        pickle.loads(packed)
    except Exception:
        packed = pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), text))
    return packed


def _ask(pipe: Connection) -> None:
    """Wait until something can be read: asking again and again at first, which notices it sooner than sleeping."""
    deadline = time.perf_counter() + SPIN
    while not pipe.poll(0) and time.perf_counter() < deadline:
        pass
