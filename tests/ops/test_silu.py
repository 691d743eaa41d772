import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


def definition(v):
    return v / (1 + math.exp(-v))


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([0.0, math.log(2), -math.log(2)], np.float64, device, requires_grad=True)
    y = F.silu(x)
    y.sum().backward()
    assert_close(y, np.array([0, math.log(2) * 2 / 3, -math.log(2) / 3]))
    assert_close(x.grad, np.array([1 / 2, 2 / 3 + math.log(2) * 2 / 9, 1 / 3 - math.log(2) * 2 / 9]))


def test_numbers_of_any_size(device):
    y = F.silu(tinycnn.tensor(np.array([-1e9, 1e9, np.nan]), np.float32, device)).numpy()
    assert y[:2].tolist() == [0, 1e9] and np.isnan(y[2])


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-9, high=9)
    y = F.silu(x)
    assert y.dtype == dtype
    expected = np.array([definition(v) for v in x.numpy().ravel().tolist()]).reshape(shape)
    assert_close(y, expected.astype(dtype), *((1e-6, 2e-6) if dtype == np.float32 else (1e-14, 2e-15)))


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.silu(x)
    dy = rng.standard_normal(before.shape)
    upstream = dy.copy()
    dx = y.grad_fn.backward(y.grad_fn.ctx, np.ascontiguousarray(dy.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2))
    assert y.numpy().strides == x.numpy().strides == dx.strides
    assert np.array_equal(x.numpy(), before) and np.array_equal(dy, upstream)


# 3. Gradients


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(shape, rng, device):
    x = leaf(rng, *shape, device=device, low=-3, high=3)
    x.data += 0.01 * (x.data > 0) - 0.01 * (x.data <= 0)  # away from the kink, where there is one
    assert gradcheck(lambda x: F.silu(x), [x])


# 4. Errors


def test_error_for_integers_and_arrays():
    with pytest.raises(TypeError, match="silu: x must be floating point, got int64; convert it with .float()"):
        F.silu(tinycnn.tensor([1, 2]))
    with pytest.raises(TypeError, match="silu: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.silu(np.zeros(3))


# 5. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    assert_agrees_with_torch(F.silu, torch.nn.functional.silu, [leaf(rng, *shape, low=-9, high=9)], rng)
