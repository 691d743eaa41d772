"""Which device to use, and what to tell a person whose GPU cannot be used.

CuPy is imported here and nowhere else, and only when a GPU is asked for: `import tinycnn` needs NumPy alone.
"""

import importlib
import sys
from types import ModuleType

DEVICES = {"cpu": "cpu", "gpu": "gpu", "cuda": "gpu", "cuda:0": "gpu"}  # by every name they go by
CUDA12, CUDA13 = 'pip install "tinycnn[cuda12]"', 'pip install "tinycnn[cuda13]"'


_turn = 0  # of the processes of this machine that share its GPUs, which this one is


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used; the message says why and what mends it."""


def cupy() -> ModuleType:
    """The CuPy module.  Raises DeviceError where it is not installed."""
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise DeviceError(
            f"GPU: CuPy cannot be imported ({error}).\n"
            f"  Install it for your driver: {CUDA13} (driver 580 or newer) or {CUDA12} (driver 525 or newer);\n"
            "  or run on the CPU: --device cpu"
        ) from error


def is_cupy(x: object) -> bool:
    """Whether x is a CuPy array; imports nothing, since there are none before CuPy is imported."""
    cp = sys.modules.get("cupy")
    return cp is not None and isinstance(x, cp.ndarray)


def take_turn(turn: int) -> None:
    """Tell which of a machine's processes this one is, from 0: each takes the GPU of that number, in turns."""
    global _turn
    _turn = turn


def gpu_address() -> str:
    """Where the current GPU sits in this machine, its address on the PCI bus."""
    address: str = cupy().cuda.Device().pci_bus_id
    return address


def cupy_problem() -> str | None:
    """Why the GPU cannot be used, in words that say how to mend it; None where it can.

    Runs one tiny kernel, because CuPy finds missing CUDA headers only when it first compiles one.
    """
    try:
        cp = cupy()
        if not cp.is_available():
            return _no_device(cp)
        if _turn:
            cp.cuda.Device(_turn % cp.cuda.runtime.getDeviceCount()).use()
        if int(cp.arange(3).sum()) != 3:
            return "GPU: a first kernel ran but summed 0 + 1 + 2 wrongly; check the card with nvidia-smi"
    except DeviceError as error:
        return str(error)
    except Exception as error:  # CuPy raises many types here; each is one message to the user, never a traceback
        return _explain(error)
    return None


def resolve_device(name: str = "auto") -> tuple[str, str]:
    """Turn "auto", "cpu" or "gpu" into the device to use, and a line that says why.

    Returns ("cpu" or "gpu", reason).  "auto" takes the GPU where it works and says so where it does not;
    "gpu" raises DeviceError where it does not.  Other names raise ValueError.
    """
    if name == "cpu":
        return "cpu", "running on cpu, as asked"
    if name not in ("auto", "gpu"):
        raise ValueError(f'device: got {name!r}, expected "auto", "cpu" or "gpu"')
    problem = cupy_problem()
    if problem is None:
        return "gpu", "running on gpu"
    if name == "gpu":
        raise DeviceError(problem)
    return "cpu", f"running on cpu; no usable GPU ({problem.splitlines()[0].removeprefix('GPU: ')})"


def _no_device(cp: ModuleType) -> str:
    """CuPy is there and reports no device: no driver, a driver that is too old, or no card."""
    try:
        cp.cuda.runtime.getDeviceCount()
        fact = "CuPy is installed but finds no CUDA device"
    except Exception as error:
        fact = f"CuPy is installed but finds no CUDA device ({error})"
    return (
        f"GPU: {fact}.\n"
        "  `nvidia-smi` shows whether there is a card and which driver it has.  CUDA 13 needs driver 580 or newer;\n"
        f"  for an older driver uninstall cupy-cuda13x, then {CUDA12}; or run on the CPU: --device cpu"
    )


def _explain(error: Exception) -> str:
    """The failures users meet, each with its cause and its remedy; anything else is quoted whole."""
    text = f"{type(error).__name__}: {error}"
    causes = {
        "nv_fp8_e8m0": "the system's CUDA headers are mixed with a newer compiler; unset CUDA_PATH and try again",
        "header": f"CuPy is installed without the CUDA headers; {CUDA13} brings them",
        "vector_types.h": f"CuPy is installed without the CUDA headers; {CUDA13} brings them",
        "DynamicLibNotFound": f"CuPy is installed without the CUDA libraries; {CUDA13} brings them",
        "libnvrtc": f"CuPy is installed without the CUDA compiler; {CUDA13} brings it",
        "libcublas": f"CuPy is installed without cuBLAS; {CUDA13} brings it",
        "InsufficientDriver": f"the NVIDIA driver is too old for this CuPy; update it, or {CUDA12}",
    }
    for sign, cause in causes.items():
        if sign.lower() in text.lower():
            return f"GPU: {cause}.\n  ({text})"
    return f"GPU: CuPy is installed but a first kernel failed.\n  ({text})"
