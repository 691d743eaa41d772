"""fusion: elementwise arithmetic that is one kernel on a GPU.

    @fused
    def silu(xp, x, y):
        xp.exp(-x, out=y)
        y += 1
        xp.divide(x, y, out=y)

    silu(x, y)

On a GPU every call of CuPy launches a kernel that reads and writes whole arrays, and for a net as small as LeNet the
launches take longer than the arithmetic.  CuPy's `fuse` runs a function once on stand-ins that write down what is
done to them, and makes one kernel of it.  On a CPU the function runs as it is written.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tinycnn.backend import devices


def fused(function: Callable[..., None]) -> Callable[..., None]:
    """Call `function(xp, *args)` as function(*args), with NumPy or CuPy for xp; on a GPU as one kernel.

    args are arrays of one shape, the first of them in any case, and numbers or None.  The function writes its results
    into arrays it was given, and returns nothing.  Each element may depend on those at its own place alone, so all it
    uses are elementwise functions of xp, with `out=`, and operators; it may ask `is None`, but not what a number is.
    Numbers meet arrays only: among themselves CuPy would compute in half precision.
    """

    @functools.wraps(function)
    def run(*args: Any) -> None:
        if devices.is_cupy(args[0]):
            _kernel(function, devices.cupy())(*_as_they_lie(args))
        else:
            function(np, *args)

    return run


@functools.cache
def _kernel(function: Callable[..., None], cp: ModuleType) -> Callable[..., None]:
    """CuPy compiles it at the first call for each combination of dtypes."""
    return cp.fuse(kernel_name=function.__name__)(functools.partial(function, cp))


def _as_they_lie(args: tuple[Any, ...]) -> list[Any]:
    """The arrays turned so that the first one's fastest axis comes last: CuPy gives neighbouring threads neighbours
    along the last axis, and only neighbours in memory are fetched together."""
    strides = args[0].strides
    axes = sorted(range(len(strides)), key=lambda axis: -strides[axis])
    return [a.transpose(axes) if devices.is_cupy(a) else a for a in args]
