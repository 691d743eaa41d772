"""What operations on each number by itself have in common: the definition, the memory's order, gradients, errors."""

import math
from functools import partial

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]
OPERATIONS = {  # name: the operation, and its definition for one number
    "abs": (F.abs, lambda v: v if v > 0 else -v),
    "clamp": (partial(F.clamp, min=-1, max=2), lambda v: sorted((-1, v, 2))[1]),
    "gelu": (F.gelu, lambda v: v * math.erfc(-v / math.sqrt(2)) / 2),
    "leaky_relu": (partial(F.leaky_relu, negative_slope=0.1), lambda v: v if v > 0 else 0.1 * v),
    "silu": (F.silu, lambda v: v / (1 + math.exp(-v))),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(name, shape, dtype, rng, device):
    operation, definition = OPERATIONS[name]
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-9, high=9)
    y = operation(x)
    assert y.dtype == dtype
    expected = np.array([definition(v) for v in x.numpy().ravel().tolist()]).reshape(shape)
    assert_close(y, expected.astype(dtype), *((1e-6, 2e-6) if dtype == np.float32 else (1e-14, 2e-15)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_keeps_the_memory_order_and_the_input(name, rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = OPERATIONS[name][0](x)
    dy = rng.standard_normal(before.shape)
    upstream = dy.copy()
    dx = y.grad_fn.backward(y.grad_fn.ctx, np.ascontiguousarray(dy.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2))
    assert y.numpy().strides == x.numpy().strides == dx.strides
    assert np.array_equal(x.numpy(), before) and np.array_equal(dy, upstream)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(name, shape, rng, device):
    x = leaf(rng, *shape, device=device, low=-3, high=3)
    x.data += 0.01 * (x.data > 0) - 0.01 * (x.data <= 0)  # away from the kink, where there is one
    assert gradcheck(OPERATIONS[name][0], [x])


@pytest.mark.parametrize("name", OPERATIONS)
def test_error_for_integers_and_arrays(name):
    operation = OPERATIONS[name][0]
    with pytest.raises(TypeError, match=f"^{name}: x must be floating point, got int64; convert it with .float()"):
        operation(tinycnn.tensor([1, 2]))
    with pytest.raises(TypeError, match=f"^{name}: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        operation(np.zeros(3))
