"""backend: where arrays live and who multiplies them.  NumPy on the CPU, CuPy on the GPU, the same code on both.

Everything above this package asks `array_module(x)` for NumPy or CuPy and never names a device again.
"""

from tinycnn.backend.arrays import (
    Array,
    array_module,
    as_array,
    batch_first,
    batch_last,
    bits,
    device_of,
    from_dlpack,
    owner,
    strided,
    to_device,
    to_numpy,
    type_name,
    wide,
)
from tinycnn.backend.devices import DEVICES, DeviceError, cupy_problem, resolve_device
from tinycnn.backend.fusion import fused
from tinycnn.backend.memory import aligned, aligned_rows, set_workspace_limit, workspace_limit
from tinycnn.backend.products import Product, SumOfProducts, gemm, gemm_sum

__all__ = [
    "DEVICES",
    "Array",
    "DeviceError",
    "Product",
    "SumOfProducts",
    "aligned",
    "aligned_rows",
    "array_module",
    "as_array",
    "batch_first",
    "batch_last",
    "bits",
    "cupy_problem",
    "device_of",
    "from_dlpack",
    "fused",
    "gemm",
    "gemm_sum",
    "owner",
    "resolve_device",
    "set_workspace_limit",
    "strided",
    "to_device",
    "to_numpy",
    "type_name",
    "wide",
    "workspace_limit",
]
