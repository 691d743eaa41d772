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
    x = tinycnn.tensor([0.0, math.log(2), -math.log(2)], np.float64, device, requires_grad=True)
    y = F.silu(x)
    y.sum().backward()
    assert_close(y, np.array([0, math.log(2) * 2 / 3, -math.log(2) / 3]))
    assert_close(x.grad, np.array([1 / 2, 2 / 3 + math.log(2) * 2 / 9, 1 / 3 - math.log(2) * 2 / 9]))


def test_numbers_of_any_size(device):
    y = F.silu(tinycnn.tensor(np.array([-1e9, 1e9, np.nan]), np.float32, device)).numpy()
    assert y[:2].tolist() == [0, 1e9] and np.isnan(y[2])


# 2. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    assert_agrees_with_torch(F.silu, torch.nn.functional.silu, [leaf(rng, *shape, low=-9, high=9)], rng)
