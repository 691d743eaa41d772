import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


def away_from_the_kink(rng, *shape, **options):
    x = leaf(rng, *shape, **options)
    x.data += 0.01 * (x.data > 0) - 0.01 * (x.data <= 0)
    return x


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([-2.0, -0.0, 0, 3], device=device)
    assert F.relu(x).numpy().tolist() == [0, 0, 0, 3]


def test_gradient_by_hand(device):
    x = tinycnn.tensor([-2.0, -0.0, 0, 3], device=device, requires_grad=True)
    F.relu(x).backward(tinycnn.tensor([1.0, 10, 100, 1000], device=device))
    assert x.grad.numpy().tolist() == [0, 0, 0, 1000]  # also at 0, as in torch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinity_and_nan(dtype, device):
    y = F.relu(tinycnn.tensor(np.array([-np.inf, np.inf, np.nan]), dtype, device)).numpy()
    assert y[:2].tolist() == [0, np.inf] and np.isnan(y[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_no_gradient_comes_through_where_the_slope_is_0_not_even_an_infinite_one(dtype, device):
    x = tinycnn.tensor(np.array([-1, 0, 2, np.nan]), dtype, device, requires_grad=True)
    F.relu(x).backward(tinycnn.tensor(np.array([np.inf, np.nan, np.inf, 7]), dtype, device))
    assert x.grad.numpy().tolist() == [0, 0, np.inf, 7]  # as torch has it


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device)
    y = F.relu(x)
    assert y.dtype == dtype
    assert_close(y, np.array([max(v, 0) for v in x.numpy().ravel()], dtype).reshape(shape), 0, 0)


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(rng.standard_normal((3, 4, 5, 2)).transpose(3, 0, 1, 2), requires_grad=True)
    before = x.numpy().copy()
    y = F.relu(x)
    dx = y.grad_fn.backward(y.grad_fn.ctx, np.ones_like(before))
    assert y.numpy().strides == x.numpy().strides == dx.strides
    assert np.array_equal(x.numpy(), before)


# 3. Gradients


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(shape, rng, device):
    assert gradcheck(F.relu, [away_from_the_kink(rng, *shape, device=device)])


def test_float32_gradients_are_float32_and_the_upstream_gradient_is_left_alone(rng, device):
    x = leaf(rng, 3, 2, dtype=np.float32, device=device)
    dy = tinycnn.tensor(rng.standard_normal((3, 2)), np.float32, device)
    before = dy.numpy().copy()
    F.relu(x).backward(dy)
    assert x.grad.dtype == np.float32
    assert np.array_equal(dy.numpy(), before)


# 4. Errors


def test_error_for_integers():
    with pytest.raises(TypeError, match="relu: x must be floating point, got int64; convert it with .float()"):
        F.relu(tinycnn.tensor([1, 2]))


def test_error_for_an_array():
    with pytest.raises(TypeError, match="relu: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.relu(np.zeros(3))


# 5. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    assert_agrees_with_torch(F.relu, torch.relu, [leaf(rng, *shape)], rng)


def test_agrees_with_torch_at_zero(rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-1, 2, (4, 5)), np.float64, requires_grad=True)
    assert_agrees_with_torch(F.relu, torch.relu, [x], rng)


def test_error_for_a_tensor_of_another_library_names_it():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"relu: x must be a tinycnn.Tensor, got torch.Tensor; wrap it with"):
        F.relu(torch.zeros(2))
