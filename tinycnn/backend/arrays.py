"""Arrays on either device: which module they belong to, moving them, and windows over them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinycnn.backend import devices

Array = NDArray[Any]  # a NumPy array, or a CuPy array, which answers to the same methods
MAIN_MEMORY, CUDA = (1, 3), (2, 13)  # DLPack's DLDeviceType: kDLCPU, kDLCUDAHost; kDLCUDA, kDLCUDAManaged
_NUMPY = (np.ndarray, np.generic)  # NumPy's reductions return scalars, which count as arrays of shape ()


def array_module(x: Array) -> ModuleType:
    """NumPy for NumPy's arrays and scalars, CuPy for CuPy's; TypeError for anything else."""
    return np if device_of(x) == "cpu" else devices.cupy()


def device_of(x: Array) -> str:
    """ "cpu" or "gpu"; TypeError for what is no array."""
    if isinstance(x, _NUMPY):
        return "cpu"
    if not devices.is_cupy(x):
        raise TypeError(f"expected a NumPy or CuPy array, got {type_name(x)}")
    return "gpu"


def type_name(x: Any) -> str:
    """The name of x's type for people, with the library where that is not Python's own: "torch.Tensor", "list"."""
    kind = type(x)
    library = kind.__module__.split(".")[0]
    return kind.__name__ if library in ("builtins", "__main__") else f"{library}.{kind.__name__}"


def bits(x: Array) -> Array:
    """x seen as integers of the same width.  Times a mask they are x or exactly 0, also where x is infinite or NaN."""
    return x.view(f"i{x.itemsize}")


def wide(x: Array) -> Array:
    """x in the precision of sums: numbers in half precision may add up to more than that holds."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def batch_last(x: Array) -> Array:
    """(N, C, H, W), or (N, ...), as it lies in memory: (C, H, W, N); a view.

    Users see the batch first, as in PyTorch.  In memory it comes last, so that the inner loop of every operation is a
    long run over the batch: the columns of LeNet's first convolution take half the time of (N, C, H, W) in memory, and
    a matrix product, a pooling or a linear layer meets its operands as it needs them.
    """
    return x.transpose(*range(1, x.ndim), 0)


def batch_first(x: Array) -> Array:
    """(C, H, W, N) in memory as the user sees it: (N, C, H, W); a view."""
    return x.transpose(-1, *range(x.ndim - 1))


def as_array(x: Any) -> Array:
    """The array that x is or wraps, not copied: NumPy's and CuPy's arrays, and all that has `__array__`.

    TypeError for anything else: numbers and lists are not arrays yet.
    """
    if devices.is_cupy(x):
        return x
    if hasattr(x, "__array__"):
        return np.asarray(x)  # NumPy's own too: of its subclasses, the plain array
    raise TypeError(f"expected a NumPy or CuPy array, got {type_name(x)}; tinycnn.tensor(...) makes a tensor of it")


def from_dlpack(x: Any) -> Array:
    """The array of another library, not copied: NumPy's where it lies in main memory, CuPy's on an NVIDIA GPU.

    TypeError where x does not speak DLPack, or lies elsewhere.
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: {type(x).__name__} does not have __dlpack__, the protocol for sharing arrays")
    kind = int(x.__dlpack_device__()[0])
    if kind not in (*MAIN_MEMORY, *CUDA):
        raise TypeError(
            f"from_dlpack: the {type(x).__name__} is on a device of DLPack's kind {kind}, expected main memory or an "
            "NVIDIA GPU; copy it to main memory first"
        )
    return (np if kind in MAIN_MEMORY else devices.cupy()).from_dlpack(x)


def to_device(x: Array, device: str) -> Array:
    """The array on `device` ("cpu" or "gpu"), in the same memory order; the array itself where it is there."""
    if device not in devices.DEVICES:
        raise ValueError(f'device: got {device!r}, expected "cpu" or "gpu" (or "cuda", which is the same)')
    if device_of(x) == devices.DEVICES[device]:
        return x
    if devices.DEVICES[device] == "cpu":
        return to_numpy(x)
    return _in_order(x, devices.cupy().asarray)


def to_numpy(x: Array) -> Array:
    """The array in main memory, in the same memory order; the array itself where it is there.  Waits for the GPU."""
    if isinstance(x, _NUMPY):
        return np.asarray(x)
    return _in_order(x, lambda dense: dense.get())


def owner(x: Any) -> int:
    """A number that two arrays share, while both are there, where one is a view of the other's memory."""
    while isinstance(base := getattr(x, "base", None), type(x)) and base is not x:  # a dtype's base is itself
        x = base
    return id(x)


def _in_order(x: Array, move: Callable[[Array], Array]) -> Array:
    """Move x as a C-contiguous array, its slowest axis first, and turn the axes back: CuPy keeps no other order."""
    slowest_first = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    moved = move(x.transpose(slowest_first))
    return moved.transpose([slowest_first.index(axis) for axis in range(x.ndim)])


def strided(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """A view of x's memory with any shape and strides (bytes): element i, j, ... lies i*strides[0] + j*strides[1] ...
    bytes after x's first.  Elements may overlap: read it, never write to it.  The caller answers for the bounds."""
    return array_module(x).lib.stride_tricks.as_strided(x, shape, strides)
