"""Arrays on either device: which module they belong to, moving them, and windows over them."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinycnn.backend import devices

Array = NDArray[Any]  # a NumPy array, or a CuPy array, which answers to the same methods


def array_module(x: Array) -> ModuleType:
    """NumPy for NumPy's arrays and scalars, CuPy for CuPy's."""
    return np if isinstance(x, np.ndarray | np.generic) else devices.cupy()


def device_of(x: Array) -> str:
    """ "cpu" or "gpu"."""
    return "cpu" if isinstance(x, np.ndarray | np.generic) else "gpu"


def to_device(x: Array, device: str) -> Array:
    """The array on `device` ("cpu" or "gpu"), in the same memory order; the array itself where it is there."""
    if device_of(x) == device:
        return x
    if device == "cpu":
        return to_numpy(x)
    if device == "gpu":
        moved: Array = devices.cupy().asarray(x, order="K")
        return moved
    raise ValueError(f'device: got {device!r}, expected "cpu" or "gpu"')


def to_numpy(x: Array) -> Array:
    """The array in main memory, in the same memory order; the array itself where it is there.  Waits for the GPU."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    on_host: Array = x.get(order="A")
    return on_host


def windows(x: Array, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Array:
    """Every window of a batch-last image: a view (C, KH, KW, OH, OW, N) of x (C, H, W, N) that copies nothing.

    windows[c, u, v, i, j, n] is x[c, i*SH + u*DH, j*SW + v*DW, n]: the number that tap (u, v) of the kernel
    meets when it computes output (i, j).  Neighbouring windows overlap in memory: read it, never write to it.
    """
    C, H, W, N = x.shape
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
    c, h, w, n = x.strides
    view: Array = array_module(x).lib.stride_tricks.as_strided(
        x, (C, KH, KW, OH, OW, N), (c, h * DH, w * DW, h * SH, w * SW, n)
    )
    return view
