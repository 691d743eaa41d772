import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

CASES = [((3,), 0), ((2, 4), 1), ((2, 4), 0), ((1, 1), -1), ((2, 3, 4), 1), ((2, 3, 1, 2), -4)]

# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[0.0, math.log(3)], [5, 5]], np.float64, device)
    assert_close(F.softmax(x), np.array([[1 / 4, 3 / 4], [1 / 2, 1 / 2]]))
    assert_close(F.softmax(x, 0), np.array([[1, 3], [math.e**5, math.e**5]]) / np.array([1 + math.e**5, 3 + math.e**5]))


def test_gradient_by_hand(device):
    x = tinycnn.tensor([0.0, math.log(3)], np.float64, device, requires_grad=True)
    F.softmax(x).backward(tinycnn.tensor([16.0, 0], np.float64, device))
    assert_close(x.grad, np.array([16 * (1 / 4 - 1 / 4 * 1 / 4), -16 * 1 / 4 * 3 / 4]))  # y0 * (1 - y0) and -y0 * y1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_any_size(dtype, device):
    top = np.finfo(dtype).max
    x = tinycnn.tensor(np.array([[1e30, 0], [top, -top], [-np.inf, 0], [-1e30, -1e30]]), dtype, device)
    assert F.softmax(x).numpy().tolist() == [[1, 0], [1, 0], [0, 1], [0.5, 0.5]]
    assert np.isnan(F.softmax(tinycnn.tensor([np.inf, 0.0], dtype, device)).numpy()).all()


# 2. The definition


@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, axis, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device, low=-3, high=3)
    y = F.softmax(x, axis)
    assert y.dtype == dtype
    expected = np.apply_along_axis(
        lambda line: [math.exp(v) / sum(map(math.exp, line)) for v in line], axis, x.numpy().astype(np.float64)
    )
    assert_close(y, expected, *((1e-5, 1e-6) if dtype == np.float32 else (1e-12, 1e-14)))


def test_takes_the_last_axis_by_itself(rng):
    x = leaf(rng, 2, 3, 4)
    assert np.array_equal(F.softmax(x).numpy(), F.softmax(x, 2).numpy())


def test_keeps_the_memory_order_and_the_input(rng):
    x = tinycnn.Tensor(np.asfortranarray(rng.standard_normal((4, 3))), requires_grad=True)
    before = x.numpy().copy()
    y = F.softmax(x)
    dx = y.grad_fn.backward(y.grad_fn.ctx, np.asfortranarray(before))
    assert y.numpy().strides == x.numpy().strides == dx.strides
    assert np.array_equal(x.numpy(), before)


# 3. Gradients


@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
def test_gradcheck(shape, axis, rng, device):
    assert gradcheck(lambda x: F.softmax(x, axis), [leaf(rng, *shape, device=device)])


def test_float32_gradients_are_float32_and_the_upstream_gradient_is_left_alone(rng, device):
    x = leaf(rng, 3, 2, dtype=np.float32, device=device)
    dy = tinycnn.tensor(rng.standard_normal((3, 2)), np.float32, device)
    before = dy.numpy().copy()
    F.softmax(x).backward(dy)
    assert x.grad.dtype == np.float32
    assert np.array_equal(dy.numpy(), before)


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "axis", "error", "text"),
    [
        ((2, 3), 2, ValueError, r"softmax: axis 2 does not exist in a tensor of shape \(2, 3\)"),
        ((), -1, ValueError, r"softmax: axis -1 does not exist in a tensor of shape \(\)"),
        ((2, 3), 1.0, TypeError, r"softmax: dim must be an int, got 1.0"),
        ((2, 0), 2, ValueError, r"softmax: axis 2 does not exist in a tensor of shape \(2, 0\)"),
        ((2, 3), (0, 1), TypeError, r"softmax: dim must be an int, got \(0, 1\)"),
        ((2, 3), None, TypeError, r"softmax: dim must be an int, got None"),
    ],
)
def test_errors(shape, axis, error, text):
    with pytest.raises(error, match=text):
        F.softmax(tinycnn.Tensor(np.zeros(shape)), axis)


def test_error_for_integers():
    with pytest.raises(TypeError, match="softmax: x must be floating point, got int64; convert it with .float()"):
        F.softmax(tinycnn.tensor([1, 2]))


# 5. PyTorch


@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
def test_agrees_with_torch(shape, axis, rng):
    torch = pytest.importorskip("torch")
    x = leaf(rng, *shape, low=-9, high=9)
    assert_agrees_with_torch(lambda x: F.softmax(x, axis), lambda x: torch.softmax(x, axis), [x], rng)
