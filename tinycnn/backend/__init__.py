"""backend: where arrays live and who multiplies them.  NumPy on the CPU, CuPy on the GPU, the same code on both.

Everything above this package asks `array_module(x)` for NumPy or CuPy and never names a device again.
"""

from tinycnn.backend.arrays import Array, array_module, as_array, device_of, to_device, to_numpy, windows
from tinycnn.backend.devices import DeviceError, cupy_problem, resolve_device
from tinycnn.backend.gemm import gemm

__all__ = [
    "Array",
    "DeviceError",
    "array_module",
    "as_array",
    "cupy_problem",
    "device_of",
    "gemm",
    "resolve_device",
    "to_device",
    "to_numpy",
    "windows",
]
