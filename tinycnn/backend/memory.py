"""memory: keep what has been freed, so that a training step in steady state asks the system for nothing."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
LIMIT = 1 << 30  # bytes


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
