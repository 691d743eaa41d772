import sys
import types

import pytest

from tinycnn.backend import DeviceError, cupy_problem, device_of, devices, resolve_device
from tinycnn.backend.devices import cupy, is_cupy


@pytest.fixture
def broken_cupy(monkeypatch):
    """A function that puts a module in CuPy's place whose first kernel, or search for devices, raises."""

    def install(kernel=None, available=True, count=lambda: 0):
        def arange(n):
            if isinstance(kernel, Exception):
                raise kernel
            return types.SimpleNamespace(sum=lambda: kernel)

        runtime = types.SimpleNamespace(getDeviceCount=count)
        module = types.ModuleType("cupy")
        module.is_available, module.arange = lambda: available, arange
        module.cuda = types.SimpleNamespace(runtime=runtime)
        monkeypatch.setitem(sys.modules, "cupy", module)

    return install


def test_processes_of_one_machine_take_its_gpus_in_turns(monkeypatch, broken_cupy):
    taken = []
    broken_cupy(kernel=3, count=lambda: 4)
    device = lambda number: types.SimpleNamespace(use=lambda: taken.append(number))  # noqa: E731
    monkeypatch.setattr(sys.modules["cupy"].cuda, "Device", device, raising=False)
    for turn in (0, 1, 3, 4, 6):
        monkeypatch.setattr(devices, "_turn", 0)
        devices.take_turn(turn)
        assert cupy_problem() is None
    assert taken == [1, 3, 0, 2]  # the first keeps the one it has


def raising(error):
    def f():
        raise error

    return f


def test_without_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r"CuPy cannot be imported"):
        cupy()
    text = cupy_problem()
    for hint in (
        "CuPy cannot be imported",
        'pip install "tinycnn[cuda13]"',
        "driver 580",
        "driver 525",
        "--device cpu",
    ):
        assert hint in text
    assert not is_cupy(1.0)


def test_with_a_cupy_that_works(fake_cupy):
    assert cupy() is fake_cupy.cupy and cupy_problem() is None
    assert is_cupy(fake_cupy.cupy.zeros(1)) and not is_cupy([1.0])
    assert device_of(fake_cupy.cupy.zeros(1)) == "gpu"


@pytest.mark.parametrize(
    ("count", "fact"),
    [
        (
            raising(RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")),
            "InsufficientDriver",
        ),
        (raising(RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")), "no CUDA-capable device"),
        (lambda: 0, "finds no CUDA device"),
    ],
)
def test_without_a_device(count, fact, broken_cupy):
    broken_cupy(available=False, count=count)
    text = cupy_problem()
    assert text.startswith("GPU: CuPy is installed but finds no CUDA device") and fact in text
    for hint in ("nvidia-smi", "driver 580", 'pip install "tinycnn[cuda12]"', "--device cpu"):
        assert hint in text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("Failed to find CUDA headers. Please install CUDA toolkit headers"), "without the CUDA headers"),
        (RuntimeError('catastrophic error: cannot open source file "vector_types.h"'), "without the CUDA headers"),
        (
            RuntimeError('incomplete type "__nv_fp8_e8m0" is not allowed'),
            "mixed with a newer compiler; unset CUDA_PATH",
        ),
        (ImportError("libcublas.so.13: cannot open shared object file"), "without cuBLAS"),
        (RuntimeError("CuPy failed to load libnvrtc.so.13"), "without the CUDA compiler"),
        (type("DynamicLibNotFoundError", (RuntimeError,), {})("nvrtc"), "without the CUDA libraries"),
        (RuntimeError("cudaErrorInsufficientDriver: too old"), "the NVIDIA driver is too old"),
        (RuntimeError("CUDA Headers are not where they were"), "without the CUDA headers"),
        (MemoryError("out of memory"), "a first kernel failed"),
    ],
    ids=lambda e: str(e)[:40],
)
def test_a_first_kernel_that_fails(error, cause, broken_cupy):
    broken_cupy(kernel=error)
    text = cupy_problem()
    assert text.startswith("GPU: ") and cause in text.splitlines()[0]
    assert str(error) in text and type(error).__name__ in text, "the original error is quoted"


def test_a_first_kernel_that_is_wrong(broken_cupy):
    broken_cupy(kernel=4)
    assert "summed 0 + 1 + 2 wrongly" in cupy_problem()


def test_resolving_a_device(fake_cupy):
    assert resolve_device("cpu") == ("cpu", "running on cpu, as asked")
    assert resolve_device("gpu") == resolve_device("auto") == resolve_device() == ("gpu", "running on gpu")


def test_resolving_without_a_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    device, reason = resolve_device("auto")
    assert device == "cpu" and reason.startswith("running on cpu; no usable GPU (CuPy cannot be imported")
    assert "\n" not in reason
    with pytest.raises(DeviceError, match="(?s)CuPy cannot be imported.*pip install"):
        resolve_device("gpu")
    assert resolve_device("cpu")[0] == "cpu"


@pytest.mark.parametrize("name", ["cuda", "GPU", "", None])
def test_unknown_devices_are_refused(name, fake_cupy):
    with pytest.raises(ValueError, match=f'device: got {name!r}, expected "auto", "cpu" or "gpu"'):
        resolve_device(name)


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_on_a_real_device():
    assert resolve_device("auto")[0] == "gpu" and is_cupy(cupy().zeros(1))
