"""processes: parts of a batch on forked processes that see one memory.

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

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.execution.engines.engine import MOST
from tinycnn.execution.parts import Job, PartsStep, added_up
from tinycnn.execution.teams.world import mpi_runs
from tinycnn.execution.together import Meet, NotTogether

SPIN = 2e-3  # seconds to ask a pipe again and again before sleeping at it: waking up takes longer than asking

_callers_ends: set[Connection] = set()  # of the pipes of all open teams; a worker closes those that it inherits


class WorkerError(RuntimeError):
    """The traceback of an error in a worker process, as text; or that one has died."""


def shared(shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros in anonymous memory that processes forked from now on will share."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)


class ProcessesStep(PartsStep):
    """Part k of a batch runs on worker k modulo the number of workers.

    While the step is open the parameters lie in shared memory, so that a change in place, such as load_state_dict,
    reaches all workers.  Any other change to the model or the loss, a layer replaced, a parameter frozen, is noticed
    before the next batch, and workers that know it are forked anew.  RuntimeError where a model keeps what could
    change unnoticed.
    """

    strategy = "processes"

    def __init__(self, *how: Any) -> None:
        if reason := why_no_workers():
            raise RuntimeError(f"make_step: processes cannot run here: {reason}; use threads")
        super().__init__(*how)
        homes = self.split(shared(self.total.shape, self.total.dtype))
        statistics = list(self.model.buffers())
        homes += [shared(b.shape, b.dtype) for b in statistics]
        self._homes: list[tuple[Tensor, Array]] = list(zip([*self.params, *statistics], homes, strict=True))
        for tensor, home in self._homes:
            home[...] = tensor.data
            tensor.data = home
        self._team: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
        self._x = self._y = np.empty(0)
        self._told = self.edition  # of the model, which the team knows
        self._closed = False
        processes = f"{self.workers} process{'es' * (self.workers > 1)}"
        self.description = (
            f"processes: {self.engine.name}, parts of {self.micro_batch or MOST} on {processes}, one memory"
        )

    def run_parts(self, x: Array, y: Array, job: Job) -> tuple[Array, Array]:
        if self._closed:
            raise RuntimeError("step: this step is closed, or a worker of it has died; make another with make_step")
        if any(tensor.data is not home for tensor, home in self._homes):
            raise RuntimeError(
                "step: a parameter's or buffer's array was replaced while the step was open, so the workers no longer "
                "see it; change it in place (p.data[...] = values), or close this step and make another"
            )
        if not self._fits(x, y, len(job.shares)):
            self._start(x, y, len(job.shares))
        self._x[: len(x)], self._y[: len(y)] = x, y
        self._parts = K = len(job.shares)
        self._heard: dict[int, Any] = {}  # what workers said that nobody has dealt with
        helping = min(K, self.workers) - 1  # nobody is woken for nothing
        try:
            for i in range(helping):
                self._send(i, job)
            errors = [self._work(0, job, self._meet), *(self._reply(i) for i in range(helping))]
        except BaseException:
            self.close()  # a process died or the user interrupted: the others' replies would come too late
            raise
        found = [error for error in errors if error is not None]
        if found:
            raise next((error for error in found if not isinstance(error, NotTogether)), found[0])
        return self.table[:K], self._notes[:K]

    def _work(self, worker: int, job: Job, meet: Meet) -> Exception | None:
        """Run this worker's parts of the batch in shared memory; the error, if there was one."""
        x, y, which = self._x[: job.examples], self._y[: job.examples], range(worker, len(job.shares), self.workers)
        try:
            self.work(self.engine, which, x, y, job, self._notes, meet)
        except Exception as error:
            return error
        return None

    def _send(self, i: int, message: Job | Array | None) -> None:
        try:
            self._team[i][1].send(message)
        except OSError:
            raise self._died(i) from None

    def _hear(self, i: int) -> Any:
        """Wait for what worker i + 1 says next: the rows that it brings to a meeting, or its reply to the job."""
        try:
            _ask(self._team[i][1])
            return pickle.loads(self._team[i][1].recv_bytes())
        except (EOFError, OSError):
            raise self._died(i) from None

    def _meet(self, rows: Array) -> Array:
        """Worker 0 at a meeting: hear the others' rows, add up all parts', and tell the sum."""
        helping = range(min(len(self._team), self._parts - 1))
        self._heard = {i: self._hear(i) for i in helping}
        if any(isinstance(said, tuple) for said in self._heard.values()):
            raise NotTogether  # some have come to their end, or failed: _reply deals with all
        every: list[Any] = [None] * self._parts
        for worker, brought in enumerate([rows, *self._heard.values()]):
            every[worker :: self.workers] = brought
        total = added_up(every)
        self._heard = {}
        for i in helping:
            self._send(i, total)
        return total

    def _reply(self, i: int) -> Exception | None:
        """Wait for worker i + 1: None where all went well, or its error, with the worker's traceback as its cause."""
        said = self._heard.pop(i) if i in self._heard else self._hear(i)
        while not isinstance(said, tuple):  # it waits at a meeting to which worker 0 will not come
            self._send(i, None)
            said = self._hear(i)
        error: Exception | None = said[0]
        if error is not None:
            error.__cause__ = WorkerError(f"in worker process {i + 1}\n{said[1]}")
        return error

    def _died(self, i: int) -> WorkerError:
        process = self._team[i][0]
        process.join(1)
        return WorkerError(
            f"step: worker process {i + 1} ended with exit code {process.exitcode} in the middle of a step; "
            "the parameters are those after the last whole step.  Exit code -9 is often the system running out "
            "of memory: use fewer workers or a smaller micro_batch"
        )

    def _fits(self, x: Array, y: Array, parts: int) -> bool:
        """Whether the shared batch has room for this one, of its shapes and dtypes, and the team knows the model."""
        return (
            bool(self._team or self.workers == 1)
            and self._told == self.edition
            and len(x) <= len(self._x)
            and parts <= len(self.table)
            and (x.shape[1:], x.dtype, y.shape[1:], y.dtype)
            == (self._x.shape[1:], self._x.dtype, self._y.shape[1:], self._y.dtype)
        )

    def _start(self, x: Array, y: Array, K: int) -> None:
        """Make room for batches like this one, of K parts, and fork the team, which inherits it and the model."""
        self._dismiss()
        self._told, (known, _) = self.edition, self._known
        if self.workers > 1 and (unseen := next(known.unseen(), None)):
            raise RuntimeError(
                f"make_step: the workers of processes would each have their own {unseen}, and its changes could not "
                'be told; use strategy "threads" or "plain"'
            )
        self._x, self._y = shared(x.shape, x.dtype), shared(y.shape, y.dtype)
        self.lay_out(shared((K, len(self.total)), self.total.dtype))
        notes = self.new_notes(K)
        self._notes = shared(notes.shape, notes.dtype)
        try:
            for worker in range(1, self.workers):
                self._team.append(self._fork(worker))
        except BaseException:
            self._dismiss()
            raise

    def _fork(self, worker: int) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        """A process that serves as this worker, and the caller's end of its pipe."""
        fork = multiprocessing.get_context("fork")
        mine, theirs = fork.Pipe()
        _callers_ends.add(mine)
        process = fork.Process(target=_serve, args=(self, worker, theirs), name=f"tinycnn-{worker}", daemon=True)
        try:
            with warnings.catch_warnings():
                # Python, and JAX where it is loaded, warn of threads that may hold locks during fork.  BLAS's own
                # threads are idle here and prepared for it (pthread_atfork); the child runs NumPy and nothing else.
                warnings.simplefilter("ignore")
                process.start()
        except BaseException:
            _callers_ends.discard(mine)
            mine.close()
            raise
        finally:
            theirs.close()  # so that this pipe ends when the worker does
        return process, mine

    def _dismiss(self) -> None:
        for _, pipe in self._team:
            _callers_ends.discard(pipe)
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
        for tensor, home in self._homes:
            if tensor.data is home:
                tensor.data = home.copy()
        self.blas()


def why_no_workers() -> str:
    """Empty where workers can be forked from this process; else what is in the way."""
    if not sys.platform.startswith("linux"):
        return f"they need Linux's fork, and this is {sys.platform}"
    if multiprocessing.current_process().daemon:
        return "this process is itself a worker (of a multiprocessing.Pool, say), and may have none"
    if mpi_runs():
        return "MPI runs in this process, whose connections forked processes must not share"
    return ""


def _serve(step: ProcessesStep, worker: int, pipe: Connection) -> None:
    """The life of a worker process: wait for a job, run it, reply; until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the calling process's affair
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for inherited in _callers_ends:
        inherited.close()  # held open here, they would hide from the workers of any team that the caller is gone
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            _ask(pipe)
            job = pipe.recv()
            step.model.train(job.train)
            pipe.send_bytes(_packed(step._work(worker, job, lambda rows: _meet(pipe, rows))))
        except (EOFError, OSError):
            break
    os._exit(0)  # leave at once: what the parent registered to happen at exit is the parent's


def _meet(pipe: Connection, rows: Array) -> Array:
    """A worker at a meeting: bring the rows of its parts, and be told the sum over all."""
    pipe.send_bytes(pickle.dumps(rows))
    _ask(pipe)
    if (total := pipe.recv()) is None:
        raise NotTogether
    given: Array = total
    return given


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
