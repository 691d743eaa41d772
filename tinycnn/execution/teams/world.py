"""world: the processes of an MPI job, and the one way in which they talk: send, and wait for the others, with patience.

MPI's own calls wait for ever, and some burn a core while they do.  Here a rank that waits looks again and again, gives
way to others, goes to sleep, and says in the end who has not answered.

mpi4py is imported when a World is made, which starts MPI, and nowhere else.
"""

import faulthandler
import functools
import math
import os
import pickle
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from types import TracebackType
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.execution.teams.launcher import launched

PATIENCE = "TINYCNN_PATIENCE"  # the variable that sets the seconds after which a rank that does not answer is given up
USUAL_PATIENCE = 50.0
START = 300.0  # seconds within which all ranks must have started, and have their data
SPIN, PAUSE = 1e-3, 1e-4  # seconds to look again and again before going to sleep, and to sleep between two looks
GRACE = 5.0  # seconds that rank 0 has to speak first of an error that all ranks meet
PASSED_ON = 0.5  # seconds in which the launcher shows what was printed, before it ends the job
TO_INSTALL = 'pip install "tinycnn[mpi]", and an MPI: the system\'s, or pip install mpich'


class RankError(RuntimeError):
    """A rank does not answer, or works on something else than the others."""


@functools.cache
def world() -> "World":
    """The job that this process is part of; the first call starts MPI."""
    return World()


def mpi_runs() -> bool:
    """Whether MPI runs in this process, whoever started it."""
    mpi = sys.modules.get("mpi4py.MPI")
    return mpi is not None and bool(mpi.Is_initialized()) and not mpi.Is_finalized()


class World:
    """All ranks of a job: this one is `rank` of `size`, and rank r runs on `hosts[r]`.

    RuntimeError where mpi4py or MPI is missing, or is not the one whose mpiexec started this process.
    """

    def __init__(self) -> None:
        launch = launched()
        # MPI starts when all ranks have come, and waits for ever for one that ended before: no Python runs meanwhile
        with no_longer_than(START if launch is not None and launch.size != 1 else math.inf):
            self.mpi = _mpi()
            self.comm = self.mpi.COMM_WORLD.Dup()  # messages of its own, which no other user of MPI can take
        self.rank, self.size = int(self.comm.rank), int(self.comm.size)
        if launch is not None and launch.size not in (None, self.size):
            raise RuntimeError(
                f"ranks: {launch.by} has started {launch.size} processes, but each finds itself alone: mpi4py uses "
                f"{self.library()}, whose mpiexec is another; start the program with that one (or srun with --mpi=pmix "
                "or --mpi=pmi2)"
            )
        self.hosts: list[str] = self.comm.allgather(self.mpi.Get_processor_name())
        self.others = [r for r in range(self.size) if r != self.rank]
        self.patience = _patience()
        if self.size > 1:
            self._usual_hook, sys.excepthook = sys.excepthook, self._hook

    def library(self) -> str:
        """The MPI that runs: "MPICH 5.0.2"."""
        name, version = self.mpi.get_vendor()
        return f"{name} {'.'.join(map(str, version))}"

    def name(self, rank: int) -> str:
        """As people call a rank: "rank 2 on node7"."""
        return f"rank {rank} on {self.hosts[rank]}"

    @property
    def turn(self) -> int:
        """The number of this rank among those of its host, from 0."""
        return self.hosts[: self.rank].count(self.hosts[self.rank])

    def places(self) -> str:
        """How many ranks there are, and where: "4 ranks on 2 hosts (node1 3, node2 1)"."""
        count = Counter(self.hosts)
        ranks = f"{self.size} rank{'s' * (self.size > 1)}"
        if len(count) == 1:
            return f"{ranks} on {self.hosts[0]}"
        return f"{ranks} on {len(count)} hosts ({', '.join(f'{host} {n}' for host, n in count.items())})"

    # -- talking

    def exchange(
        self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array], patience: float = 0, tag: int = 0
    ) -> None:
        """Send each array to its rank, and fill others from theirs; contiguous, and of one size and tag at both ends.

        RankError, which names them, where some have not answered after `patience` seconds, the usual where it is 0.
        """
        self.begin(outgoing, incoming, tag)(patience)

    def begin(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array], tag: int = 0) -> Callable[..., None]:
        """As exchange, while this rank goes on; the result waits for the end, and until then the arrays stay alone."""
        receiving = {r: self.comm.Irecv([_bytes(a), self.mpi.BYTE], r, tag) for r, a in incoming.items()}
        sending = {r: self.comm.Isend([_bytes(a), self.mpi.BYTE], r, tag) for r, a in outgoing.items()}
        return functools.partial(self._wait, receiving, sending)

    def _wait(self, receiving: Mapping[int, Any], sending: Mapping[int, Any], patience: float = 0) -> None:
        requests, patience = [*receiving.values(), *sending.values()], patience or self.patience
        start = time.monotonic()
        while not self.mpi.Request.Testall(requests):
            waited = time.monotonic() - start
            if waited > patience:
                raise self._silent(patience, receiving, sending)
            time.sleep(PAUSE) if waited > SPIN else _give_way()

    def _silent(self, patience: float, receiving: Mapping[int, Any], sending: Mapping[int, Any]) -> RankError:
        silent = {r for messages in (receiving, sending) for r, request in messages.items() if not request.Test()}
        return RankError(
            f"ranks: no answer from {', '.join(map(self.name, sorted(silent)))} for {patience:g} seconds: stopped, or "
            f"busy with something that the others are not doing; {PATIENCE}=SECONDS grants more"
        )

    def gather(self, mine: Array, patience: float = 0) -> Array:
        """Everyone's array, of one shape and dtype, in the order of the ranks: (size, *mine.shape)."""
        return self.begin_gather(mine)(patience)

    def begin_gather(self, mine: Array) -> Callable[..., Array]:
        """As gather, while this rank goes on; the result waits, and returns everyone's."""
        everyones = np.empty((self.size, *mine.shape), mine.dtype)
        everyones[self.rank] = mine
        wait = self.begin(dict.fromkeys(self.others, mine), {r: everyones[r : r + 1] for r in self.others})

        def arrived(patience: float = 0) -> Array:
            wait(patience)
            return everyones

        return arrived

    def from_leader(self, value: Any) -> Any:
        """Rank 0's value, which can be pickled."""
        content = np.frombuffer(pickle.dumps(value), np.uint8) if self.rank == 0 else np.empty(0, np.uint8)
        sizes = self.gather(np.array(len(content)))
        if self.rank == 0:
            self.exchange(dict.fromkeys(self.others, content), {})
            return value
        received = np.empty(sizes[0], np.uint8)
        self.exchange({}, {0: received})
        return pickle.loads(received.tobytes())

    def compare(self, facts: Mapping[str, Any], patience: float = 0) -> None:
        """RankError unless everybody knows the same of each fact: bytes, or what says it all when printed."""
        known = [value if isinstance(value, bytes) else repr(value).encode() for value in facts.values()]
        mine = np.frombuffer(b"".join(sha256(value).digest() for value in known), np.uint8)
        digests = self.gather(mine, patience)
        different = (digests != digests[0]).reshape(self.size, len(facts), -1).any(2)  # (ranks, facts)
        for i, fact in enumerate(facts):
            if who := [self.name(int(r)) for r in np.flatnonzero(different[:, i])]:
                raise RankError(f"ranks: {fact} of {', '.join(who)} differ from those of {self.name(0)}")

    # -- the end

    def finish(self) -> None:
        """Wait for the others, however long it takes; MPI would burn a core over it."""
        messages = {r: np.zeros(1) for r in self.others}
        self.exchange(messages, {r: np.zeros(1) for r in self.others}, patience=math.inf)

    def abandon(self, error: BaseException) -> None:
        """This rank cannot go on, so that none can: end the job, with this rank's traceback.

        Often all ranks meet the same error.  Then rank 0's own words are enough: it ends the job when its program
        ends, and the others hold their tongues until then.
        """
        interrupted = isinstance(error, KeyboardInterrupt)
        status = 130 if interrupted else 1  # 128 + SIGINT, as shells have it
        if self.rank == 0:
            from mpi4py.run import set_abort_status

            set_abort_status(status)
            return
        time.sleep(min(GRACE, self.patience / 4))
        text = "" if interrupted else "".join(traceback.format_exception(error))
        print(f"{self.name(self.rank)} cannot go on:\n{text}", end="", file=sys.stderr, flush=True)
        time.sleep(PASSED_ON)
        self.mpi.COMM_WORLD.Abort(status)

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if self.rank == 0:
            self._usual_hook(kind, error, trace)
        self.abandon(error)


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """End this process, with a traceback, where the block takes longer, whatever it waits for."""
    if seconds < math.inf:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise RuntimeError(f"ranks: mpi4py is not installed, or does not work ({error}); {TO_INSTALL}") from error
    except RuntimeError as error:  # it looks for MPI's library when it is imported
        raise RuntimeError(f"ranks: mpi4py finds no MPI ({error}); {TO_INSTALL}") from error
    return MPI


def _patience() -> float:
    text = os.environ.get(PATIENCE, "")
    try:
        seconds = float(text) if text else USUAL_PATIENCE
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise RuntimeError(f"ranks: {PATIENCE} is {text!r}, expected seconds, more than 0")
    return seconds


def _bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


def _give_way() -> None:
    """Let another process have the core, if one waits for it: there may be more ranks than cores."""
    os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
