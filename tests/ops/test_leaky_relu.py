"""What it shares with other operations on each number by itself is in test_elementwise.py."""

import numpy as np
import pytest
from helpers import assert_agrees_with_torch

import tinycnn
import tinycnn.functional as F

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([-2.0, 0, 3], np.float64, device, requires_grad=True)
    y = F.leaky_relu(x)
    y.backward(tinycnn.tensor([1.0, 10, 100], np.float64, device))
    assert y.numpy().tolist() == [-0.02, 0, 3] and x.grad.numpy().tolist() == [0.01, 0.1, 100]  # at 0 as in torch


# 2. Errors


def test_error_for_a_slope_that_is_no_number():
    with pytest.raises(TypeError, match="leaky_relu: negative_slope must be a number, got '0.1'"):
        F.leaky_relu(tinycnn.tensor([1.0]), "0.1")


# 3. PyTorch


@pytest.mark.parametrize("slope", [0.01, 0.0, 1.5, -0.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, slope, rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-2, 3, shape), np.float64, requires_grad=True)
    ours, theirs = (lambda x, f=f: f(x, negative_slope=slope) for f in (F.leaky_relu, torch.nn.functional.leaky_relu))
    assert_agrees_with_torch(ours, theirs, [x], rng)
