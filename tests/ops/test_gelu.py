import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


def definition(v):
    return v * math.erfc(-v / math.sqrt(2)) / 2


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([0.0, 1, -1], np.float64, device, requires_grad=True)
    y = F.gelu(x)
    y.sum().backward()
    P, p = 0.8413447460685429, math.exp(-0.5) / math.sqrt(2 * math.pi)
    assert_close(y, np.array([0, P, P - 1]), 1e-14, 1e-14)
    assert_close(x.grad, np.array([0.5, P + p, 1 - P - p]), 1e-14, 1e-14)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minus_infinity_times_nothing_is_nan(dtype, device):
    y = F.gelu(tinycnn.tensor([-np.inf, np.inf, 1], dtype, device)).numpy()  # as in torch; not minus infinity
    assert np.isnan(y[0]) and y[1] == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_numbers_of_any_size(dtype, approximate, device):
    x = tinycnn.tensor(np.array([-1e9, -60, 60, 1e9, np.nan]), dtype, device, requires_grad=True)
    y = F.gelu(x, approximate)
    y.sum().backward()
    assert_close(y.numpy()[:4], np.array([0, 0, 60, 1e9], dtype), 0, 1e-30)
    assert np.isnan(y.numpy()[4])
    assert_close(x.grad.numpy()[:4], np.array([0, 0, 1, 1], dtype), 0, 1e-30)


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-9, high=9)
    y = F.gelu(x)
    assert y.dtype == dtype
    expected = np.array([definition(v) for v in x.numpy().ravel().tolist()]).reshape(shape)
    assert_close(y, expected.astype(dtype), *((1e-6, 2e-6) if dtype == np.float32 else (1e-14, 2e-15)))


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.gelu(x)
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
    assert gradcheck(lambda x: F.gelu(x), [x])


# 4. Errors


def test_error_for_integers_and_arrays():
    with pytest.raises(TypeError, match="gelu: x must be floating point, got int64; convert it with .float()"):
        F.gelu(tinycnn.tensor([1, 2]))
    with pytest.raises(TypeError, match="gelu: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.gelu(np.zeros(3))


def test_error_for_another_approximation():
    with pytest.raises(ValueError, match="gelu: approximate must be one of 'none', 'tanh', got 'erf'"):
        F.gelu(tinycnn.tensor([1.0]), "erf")


# 5. PyTorch


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, approximate, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = (lambda x, f=f: f(x, approximate=approximate) for f in (F.gelu, torch.nn.functional.gelu))
    assert_agrees_with_torch(ours, theirs, [leaf(rng, *shape, low=-9, high=9)], rng)
