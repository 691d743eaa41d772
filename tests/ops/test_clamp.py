import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


def definition(v):
    return sorted((-1, v, 2))[1]


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([-2.0, -1, 0, 2, 3], np.float64, device, requires_grad=True)
    y = F.clamp(x, -1, 2)
    y.sum().backward()
    assert y.numpy().tolist() == [-1, -1, 0, 2, 2] and x.grad.numpy().tolist() == [0, 1, 1, 1, 0]


def test_one_bound_is_enough_and_nan_stays(device):
    x = tinycnn.tensor([-2.0, 3, math.nan], device=device)
    assert F.clamp(x, min=0).numpy()[:2].tolist() == [0, 3] and F.clamp(x, max=0).numpy()[:2].tolist() == [-2, 0]
    assert math.isnan(F.clamp(x, 0, 1).numpy()[2])


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-9, high=9)
    y = F.clamp(x, -1, 2)
    assert y.dtype == dtype
    expected = np.array([definition(v) for v in x.numpy().ravel().tolist()]).reshape(shape)
    assert_close(y, expected.astype(dtype), *((1e-6, 2e-6) if dtype == np.float32 else (1e-14, 2e-15)))


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.clamp(x, -1, 2)
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
    assert gradcheck(lambda x: F.clamp(x, -1, 2), [x])


# 4. Errors


def test_error_for_integers_and_arrays():
    with pytest.raises(TypeError, match="clamp: x must be floating point, got int64; convert it with .float()"):
        F.clamp(tinycnn.tensor([1, 2]))
    with pytest.raises(TypeError, match="clamp: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.clamp(np.zeros(3))
    with pytest.raises(ValueError, match="clamp: min or max must be given, got None for both"):
        F.clamp(tinycnn.tensor([1.0]))
    with pytest.raises(TypeError, match="clamp: max must be a number, got "):
        F.clamp(tinycnn.tensor([1.0]), 0, tinycnn.tensor([1.0]))


# 5. PyTorch


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0.5), (0, None), (1, -1)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, bounds, rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-2, 3, shape), np.float64, requires_grad=True)
    assert_agrees_with_torch(lambda x: F.clamp(x, *bounds), lambda x: torch.clamp(x, *bounds), [x], rng)
