"""blas: how many threads the matrix products take; with micro-batches on workers, one each."""

import importlib.util
from typing import Any

TO_INSTALL = 'pip install "tinycnn[train]" (or threadpoolctl)'


def can_limit_blas() -> bool:
    """Whether threadpoolctl is there to set the number of BLAS's threads."""
    return importlib.util.find_spec("threadpoolctl") is not None


def single_threaded_blas() -> Any:
    """Let BLAS use one thread until `restore_original_limits()` of the result is called.

    RuntimeError where threadpoolctl is not installed: workers and BLAS's own threads would fight for the cores.
    """
    if not can_limit_blas():
        raise RuntimeError(f"execution: micro-batches on workers need threadpoolctl; {TO_INSTALL}")
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
