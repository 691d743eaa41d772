"""`fused`: on a CPU the function as it is written, on a GPU one kernel.  CuPy itself traces the engine's functions
here, on arrays without memory, since tracing needs no GPU."""

import fakecupy
import numpy as np
import pytest

from tinycnn.backend import fused
from tinycnn.ops import relu, sigmoid, tanh
from tinycnn.optim import sgd


@fused
def silu(xp, x, y, scale):
    xp.exp(-x, out=y)
    y += 1
    xp.divide(x, y, out=y)
    if scale is not None:
        y *= scale


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("shape", [(), (1,), (3, 4, 5)], ids=str)
def test_the_same_numbers_on_either_device(shape, scale, fake_cupy, rng):
    x = rng.normal(size=shape)
    here, there = np.empty_like(x), fakecupy.cupy.empty(shape)
    silu(x, here, scale)
    silu(fakecupy.cupy.asarray(x), there, scale)
    np.testing.assert_allclose(here, x / (1 + np.exp(-x)) * (scale or 1), rtol=1e-12)
    np.testing.assert_array_equal(there.get(), here)


def test_a_kernel_runs_along_memory(fake_cupy, rng):
    """Batch-last arrays reach CuPy as they lie, so that threads beside each other read numbers beside each other."""
    seen = []

    @fused
    def looking(xp, x, y):
        seen.append((x.shape, x.flags.c_contiguous, y.flags.c_contiguous))

    x = fakecupy.cupy.asarray(rng.normal(size=(3, 4, 5, 6))).transpose(3, 0, 1, 2)
    looking(x, fakecupy.cupy.empty_like(x))
    assert seen == [((3, 4, 5, 6), True, True)]


NOT_ELEMENTWISE = {
    "a sum": lambda xp, x: x.__isub__(x.sum(axis=0)),
    "an index": lambda xp, x: x[1:],
    "a wait": lambda xp, x: float(x),
    "a product": lambda xp, x: xp.matmul(x, x, out=x),
    "a result": lambda xp, x: x + 1,
}


@pytest.mark.parametrize("function", NOT_ELEMENTWISE.values(), ids=NOT_ELEMENTWISE)
def test_what_cannot_be_fused_is_refused(function, fake_cupy):
    with pytest.raises(TypeError, match=r"cannot be fused|returns nothing"):
        fused(function)(fakecupy.cupy.ones((2, 2)))


def test_a_numbers_value_cannot_be_asked(fake_cupy):
    @fused
    def asking(xp, x, a):
        x *= 2 if a else 3

    with pytest.raises(TypeError, match="not known"):
        asking(fakecupy.cupy.ones(2), 0.5)


# CuPy's own opinion

HYPERPARAMETERS = (0.1, 0.9, 0.5, 1e-3, 0.9)  # of SGD
ENGINE = {  # name: (function, arrays, other arguments, how many NumPy-like calls become one kernel)
    "sigmoid": (sigmoid.values, 2, (), 4),
    "sigmoid's slopes": (sigmoid.slopes, 3, (), 3),
    "tanh's slopes": (tanh.slopes, 3, (), 3),
    "relu's slopes": (relu.slopes, 3, (), 3),
    "SGD": (sgd.move, 2, (None, 0.1, 0.0, None, None, None), 2),
    "SGD with everything": (sgd.move, 3, HYPERPARAMETERS, 9),
}


@pytest.mark.parametrize("name", ENGINE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cupy_makes_one_kernel_of_it(name, dtype):
    cp = pytest.importorskip("cupy")
    function, arrays, rest, operations = ENGINE[name]
    nowhere = cp.cuda.MemoryPointer(cp.cuda.UnownedMemory(0, 1024, None, 0), 0)
    dtypes = [dtype] * arrays if function is not relu.slopes else [dtype, *[f"i{np.dtype(dtype).itemsize}"] * 2]
    args = [cp.ndarray((3, 4), kind, nowhere) for kind in dtypes]
    kernel = traced(cp, function.__wrapped__, (*args, *rest))
    assert f"// {operations} operations" in kernel.operation
    other = {np.float32: "double", np.float64: "float"}[dtype]
    locals_ = [line for line in kernel.operation.splitlines() if line.startswith(other)]
    assert not locals_, "a number of another precision is computed with"
    assert kernel.no_return and not all(p.is_const for p in kernel.in_params)


def traced(cp, function, args):
    """What cupy.fuse makes of a function, before it is compiled; CuPy has no public way to see it."""
    fusion, local = cp._core.fusion, cp._core._fusion_thread_local.thread_local
    local.history, local.is_old_fusing = history, _ = fusion._FusionHistory(), True
    try:
        kernel, _ = history.get_fusion(lambda *a: function(cp, *a), args, "kernel")
    finally:
        local.history, local.is_old_fusing = None, False
    return kernel
