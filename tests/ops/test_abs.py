"""What it shares with other operations on each number by itself is in test_elementwise.py."""

import numpy as np
import pytest
from helpers import assert_agrees_with_torch

import tinycnn
import tinycnn.functional as F

SHAPES = [(), (1,), (3, 4), (2, 3, 1, 5)]


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([-2.0, 0, 3, -np.inf, np.nan], np.float64, device, requires_grad=True)
    y = F.abs(x)
    y.backward(tinycnn.tensor([1.0, 10, 100, 1000, 10000], np.float64, device))
    assert y.numpy()[:4].tolist() == [2, 0, 3, np.inf] and np.isnan(y.numpy()[4])
    assert x.grad.numpy().tolist() == [-1, 0, 100, -1000, 0]  # 0 at 0 and at NaN, as in torch


# 2. PyTorch


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, rng):
    torch = pytest.importorskip("torch")
    x = tinycnn.tensor(rng.integers(-2, 3, shape), np.float64, requires_grad=True)
    assert_agrees_with_torch(F.abs, torch.abs, [x], rng)
