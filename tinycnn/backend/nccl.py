"""nccl: arrays from GPU to GPU, each in a process of its own, by NVIDIA's NCCL as CuPy offers it.

    rendezvous = unique_id()                     in one process, which tells the others
    nccl = Nccl(size, rank, rendezvous)          in every process, for its current device
    nccl.exchange({1: mine}, {1: theirs}, 50)    after what the current stream was given before

It moves bytes and adds nothing up: ncclAllReduce promises no order of its additions.
"""

import time
import warnings
from collections.abc import Mapping
from typing import Any

from tinycnn.backend.arrays import Array
from tinycnn.backend.devices import cupy


def why_no_nccl() -> str:
    """Empty where CuPy has NCCL with messages from one GPU to another; else what is missing."""
    nccl = _nccl()
    if not getattr(nccl, "available", False):
        return "CuPy finds no NCCL (pip install nvidia-nccl-cu13, or -cu12)"
    if nccl.get_version() < 2700:
        return f"NCCL {version()} is older than 2.7"
    return ""


def version() -> str:
    """NCCL's version: "2.27.7", which it tells as 22707, and those before 2.9 as 2708."""
    number = int(_nccl().get_version())
    unit = 10000 if number >= 10000 else 1000
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def unique_id() -> tuple[int, ...]:
    """What the processes that are to talk must know of each other."""
    identity: tuple[int, ...] = _nccl().get_unique_id()
    return identity


class Nccl:
    """The GPUs of `size` processes, of which this one is `rank`; all make theirs at once, and wait for each other."""

    def __init__(self, size: int, rank: int, identity: tuple[int, ...]) -> None:
        self._nccl, self._cuda = _nccl(), cupy().cuda
        self._talk = self._nccl.NcclCommunicator(size, identity, rank)

    def exchange(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array], patience: float) -> None:
        """Send each array to its rank, and fill others from theirs; all C-contiguous, of one size at both ends.

        In the current stream's order.  TimeoutError where it is not over after so many seconds: NCCL itself waits
        for ever, and what it was to fill is then lost.
        """
        stream = self._cuda.get_current_stream()
        self._nccl.groupStart()  # all at once, so that nobody waits for one who waits
        for rank, array in outgoing.items():
            self._talk.send(array.data.ptr, array.nbytes, self._nccl.NCCL_UINT8, rank, stream.ptr)  # type: ignore[attr-defined]  # CuPy's
        for rank, array in incoming.items():
            self._talk.recv(array.data.ptr, array.nbytes, self._nccl.NCCL_UINT8, rank, stream.ptr)  # type: ignore[attr-defined]  # CuPy's
        self._nccl.groupEnd()
        over = stream.record(self._cuda.Event(disable_timing=True))
        deadline = time.monotonic() + patience
        while not over.done:
            self._talk.check_async_error()
            if time.monotonic() > deadline:
                self._talk.abort()
                raise TimeoutError(f"nccl: an exchange is not over after {patience:g} seconds")
            time.sleep(0)

    def close(self) -> None:
        """Give back what NCCL holds."""
        self._talk.destroy()


def _nccl() -> Any:
    cupy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's words about a library that is not there; why_no_nccl has its own
        from cupy.cuda import nccl
    return nccl
