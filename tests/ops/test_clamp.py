"""What it shares with other operations on each number by itself is in test_elementwise.py."""

import math

import numpy as np
import pytest
from helpers import assert_agrees_with_torch

import tinycnn
import tinycnn.functional as F

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


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


# 2. Errors


def test_error_for_bounds_that_are_none_or_no_numbers():
    with pytest.raises(ValueError, match="clamp: min or max must be given, got None for both"):
        F.clamp(tinycnn.tensor([1.0]))
    with pytest.raises(TypeError, match="clamp: max must be a number, got "):
        F.clamp(tinycnn.tensor([1.0]), 0, tinycnn.tensor([1.0]))


# 3. PyTorch


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0.5), (0, None), (1, -1)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, bounds, rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-2, 3, shape), np.float64, requires_grad=True)
    assert_agrees_with_torch(lambda x: F.clamp(x, *bounds), lambda x: torch.clamp(x, *bounds), [x], rng)
