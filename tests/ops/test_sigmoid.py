import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]

# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([0.0, math.log(3), -math.log(3)], np.float64, device)
    assert_close(F.sigmoid(x), np.array([1 / 2, 3 / 4, 1 / 4]))


def test_gradient_by_hand(device):
    x = tinycnn.tensor([0.0, math.log(3)], np.float64, device, requires_grad=True)
    F.sigmoid(x).backward(tinycnn.tensor([10.0, 100], np.float64, device))  # the slope is y * (1 - y)
    assert_close(x.grad, np.array([10 / 4, 100 * 3 / 16]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_any_size(dtype, device):
    x = tinycnn.tensor(np.array([-np.inf, -1e30, -1000, 100, 1e30, np.inf, np.nan]), dtype, device, requires_grad=True)
    y = F.sigmoid(x)
    y.sum().backward()
    assert y.numpy()[:6].tolist() == [0, 0, 0, 1, 1, 1] and np.isnan(y.numpy()[6])
    assert x.grad.numpy()[:6].tolist() == [0] * 6


@pytest.mark.parametrize(("x", "slope"), [(-20.0, 1.0), (-80.0, 1.0), (-12.0, 0.99999386), (20.0, 2.0611536e-9)])
def test_the_logarithm_of_a_small_sigmoid_has_its_value_and_its_slope(x, slope, device):
    x = tinycnn.tensor([x], np.float32, device, requires_grad=True)
    y = F.sigmoid(x).log()
    y.backward()
    np.testing.assert_allclose(y.numpy(), -np.log1p(np.exp(-x.numpy().astype(float))), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-6, atol=1e-7)


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-12, high=12)
    y = F.sigmoid(x)
    assert y.dtype == dtype
    expected = np.array([1 / (1 + math.exp(-v)) for v in x.numpy().ravel()]).reshape(shape)
    assert_close(y, expected, 0, 2e-7 if dtype == np.float32 else 1e-15)


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.sigmoid(x)
    dx = y.grad_fn.backward(y.grad_fn.ctx, np.ones_like(before))
    assert y.numpy().strides == x.numpy().strides == dx.strides
    assert np.array_equal(x.numpy(), before)


# 3. Gradients


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(shape, rng, device):
    assert gradcheck(F.sigmoid, [leaf(rng, *shape, device=device, low=-4, high=4)])


def test_float32_gradients_are_float32_and_backward_can_be_repeated(rng, device):
    x = leaf(rng, 3, 2, dtype=np.float32, device=device)
    y = F.sigmoid(x)
    y.sum().backward(retain_graph=True)
    once = x.grad.numpy().copy()
    y.sum().backward()
    assert x.grad.dtype == np.float32
    assert_close(x.grad, 2 * once, 1e-6)


# 4. Errors


def test_error_for_integers():
    with pytest.raises(TypeError, match="sigmoid: x must be floating point, got int64; convert it with .float()"):
        F.sigmoid(tinycnn.tensor([1, 2]))


def test_error_for_an_array():
    with pytest.raises(TypeError, match="sigmoid: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.sigmoid(np.zeros(3))


# 5. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    assert_agrees_with_torch(F.sigmoid, torch.sigmoid, [leaf(rng, *shape, low=-30, high=30)], rng)
