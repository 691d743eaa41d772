"""memory: how much of it an operation may take for scratch, and keeping what has been freed."""

import ctypes
import math
import sys
from typing import Any

import numpy as np

from tinycnn.backend.arrays import Array

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
LIMIT = 1 << 30  # bytes
LINE = 64  # bytes that the processor's cache moves at a time; as wide as its widest vectors


def keep_freed_memory() -> bool:
    """Let the C library keep freed arrays of up to 1 GiB for the next ones; whether it could be told to.

    Why: by default glibc returns large blocks to the system as soon as they are freed, and the system hands out
    zeroed pages, one fault per 4 KiB, when the next step asks for the same size again.  With this, arrays of a
    step are made from memory that is already there, and often still in the cache.  It holds for the process, and
    costs nothing where it is not glibc: then it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LIMIT)) and bool(mallopt(M_TRIM_THRESHOLD, LIMIT))


_workspace = [64 << 20]  # bytes


def workspace_limit() -> int:
    """The bytes of scratch memory beyond which an operation works in pieces; 64 MiB unless set otherwise."""
    return _workspace[0]


def set_workspace_limit(size: int) -> None:
    """Set the scratch memory of one operation in bytes: less saves memory, more never changes a result."""
    if size < 1:
        raise ValueError(f"set_workspace_limit: got {size} bytes, expected at least 1")
    _workspace[0] = int(size)


def aligned(shape: tuple[int, ...], dtype: Any, value: float | None = None) -> Array:
    """A new array in main memory that begins where a cache line does; full of `value`, or of anything.

    Why: NumPy's own begin 16 bytes behind it, so that a vector of 64 bytes always lies across two lines.  A step of
    LeNet over such buffers takes a seventh longer.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    x: Array = memory[start : start + size].view(dtype).reshape(shape)
    if value is not None:
        x[...] = value
    return x


def aligned_rows(shape: tuple[int, ...], dtype: Any, value: float | None = None) -> Array:
    """As `aligned`, for a stack of matrices (..., M, N): rows an odd number of cache lines apart.

    Why: a cache finds a place for a line by some bits of its address.  Rows that are 4 KiB apart agree in all of them,
    so that a few push each other out; a product of 32 x 400 by 400 x 1,024 runs at half its speed.
    """
    per_line = LINE // np.dtype(dtype).itemsize
    *front, N = shape
    lines = -(-N // per_line) | 1
    return aligned((*front, lines * per_line), dtype, value)[..., :N]
