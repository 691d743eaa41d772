import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


def definition(v):
    return v if v > 0 else -v


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([-2.0, 0, 3, -np.inf, np.nan], np.float64, device, requires_grad=True)
    y = F.abs(x)
    y.backward(tinycnn.tensor([1.0, 10, 100, 1000, 10000], np.float64, device))
    assert y.numpy()[:4].tolist() == [2, 0, 3, np.inf] and np.isnan(y.numpy()[4])
    assert x.grad.numpy().tolist() == [-1, 0, 100, -1000, 0]  # 0 at 0 and at NaN, as in torch


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-9, high=9)
    y = F.abs(x)
    assert y.dtype == dtype
    expected = np.array([definition(v) for v in x.numpy().ravel().tolist()]).reshape(shape)
    assert_close(y, expected.astype(dtype), *((1e-6, 2e-6) if dtype == np.float32 else (1e-14, 2e-15)))


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.abs(x)
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
    assert gradcheck(lambda x: F.abs(x), [x])


# 4. Errors


def test_error_for_integers_and_arrays():
    with pytest.raises(TypeError, match="abs: x must be floating point, got int64; convert it with .float()"):
        F.abs(tinycnn.tensor([1, 2]))
    with pytest.raises(TypeError, match="abs: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.abs(np.zeros(3))


# 5. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-2, 3, shape), np.float64, requires_grad=True)
    assert_agrees_with_torch(F.abs, torch.abs, [x], rng)
