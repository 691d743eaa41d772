"""What it shares with other operations on each number by itself is in test_elementwise.py."""

import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


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


# 2. Errors


def test_error_for_another_approximation():
    with pytest.raises(ValueError, match="gelu: approximate must be one of 'none', 'tanh', got 'erf'"):
        F.gelu(tinycnn.tensor([1.0]), "erf")


# 3. PyTorch


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, approximate, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = (lambda x, f=f: f(x, approximate=approximate) for f in (F.gelu, torch.nn.functional.gelu))
    assert_agrees_with_torch(ours, theirs, [leaf(rng, *shape, low=-9, high=9)], rng)
