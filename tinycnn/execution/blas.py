"""blas: how many threads the matrix products take; while parts run on workers, one each."""

import importlib.util
import threading
import weakref
from typing import Any

TO_INSTALL = 'pip install "tinycnn[train]" (or threadpoolctl)'

_lock = threading.Lock()
_open: set[int] = set()  # whoever asked for one thread and has not given it back
_limits: Any = None  # what takes the limit away when nobody is left


def can_limit_blas() -> bool:
    """Whether threadpoolctl is there to set the number of BLAS's threads."""
    return importlib.util.find_spec("threadpoolctl") is not None


def single_threaded_blas(holder: object) -> "weakref.finalize[[int], Any]":
    """Let BLAS use one thread until the result is called, or `holder` is gone; of several, until the last of them.

    RuntimeError where threadpoolctl is not installed: workers and BLAS's own threads would fight for the cores.
    """
    if not can_limit_blas():
        raise RuntimeError(f"execution: parts of a batch on workers need threadpoolctl; {TO_INSTALL}")
    from threadpoolctl import threadpool_limits

    global _limits
    give_back = weakref.finalize(holder, _give_back, id(holder))
    with _lock:
        if not _open:
            _limits = threadpool_limits(1, "blas")
        _open.add(id(holder))
    return give_back


def _give_back(holder: int) -> None:
    with _lock:
        _open.discard(holder)
        if not _open:
            _limits.restore_original_limits()
