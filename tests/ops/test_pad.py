import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

CASES = [  # shape, pad
    ((2, 3, 4, 5), (1, 2)),
    ((2, 3, 4, 5), (1, 0, 2, 3)),
    ((2, 3, 4, 5), (0, 0, 0, 0, 1, 2)),
    ((2, 3, 4, 5), (-1, -2, 3, -1)),
    ((1, 1, 3, 3), (-2, 5, 0, 0)),
    ((3,), (2, 0)),
    ((2, 2), (0, 1, 1, 0)),
]

# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[1.0, 2], [3, 4]], np.float64, device, requires_grad=True)
    y = F.pad(x, (1, 0, 0, 1), value=9)
    y.backward(tinycnn.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], np.float64, device))
    assert y.numpy().tolist() == [[9, 1, 2], [9, 3, 4], [9, 9, 9]]
    assert x.grad.numpy().tolist() == [[2, 3], [5, 6]]


def test_negative_padding_cuts_off():
    x = tinycnn.tensor([1.0, 2, 3, 4])
    assert F.pad(x, (-1, 1)).numpy().tolist() == [2, 3, 4, 0]


# 2. The definition


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_numpys(dtype, rng, device):
    x = leaf(rng, 2, 3, 4, 5, dtype=dtype, device=device)
    y = F.pad(x, (1, 2, 3, 0), value=0.1)
    assert y.dtype == dtype
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 0), (1, 2)), constant_values=dtype(0.1))
    assert_close(y, expected, 0, 0)


def test_result_and_gradient_are_batch_last_in_memory(rng):
    x = tinycnn.Tensor(batch_last(rng.normal(size=(2, 3, 4, 5))), requires_grad=True)
    y = F.pad(x, (1, 1, 1, 1))
    dx = y.grad_fn.backward(y.grad_fn.ctx, batch_last(rng.normal(size=y.shape)))
    assert y.numpy().transpose(1, 2, 3, 0).flags.c_contiguous and dx.transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize(("shape", "pad"), CASES, ids=str)
def test_gradcheck(shape, pad, rng, device):
    assert gradcheck(lambda x: F.pad(x, pad), [leaf(rng, *shape, device=device)])


# 4. Errors


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1,), ValueError, r"pad: pad must be up to 2 pairs of ints \(before, after\), the last axis first, got 1"),
        (((1, 2, 3),), ValueError, r"got \(1, 2, 3\)"),
        (((1,) * 6,), ValueError, "pad: pad must be up to 2 pairs"),
        (((1, 0.5),), TypeError, "pad: pad must be an int, got 0.5"),
        (((-2, -1),), ValueError, r"pad: nothing is left of an axis of length 3 padded by \(-2, -1\) \(x \(2, 3\)\)"),
        (((-4, 5),), ValueError, "pad: nothing is left of an axis of length 3"),
        (((1, 1), "reflect"), ValueError, "pad: mode must be one of 'constant', got 'reflect'"),
        (((1, 1), "constant", "0"), TypeError, "pad: value must be a number"),
    ],
)
def test_errors(arguments, error, text):
    with pytest.raises(error, match=text):
        F.pad(tinycnn.tensor(np.ones((2, 3), np.float32)), *arguments)


# 5. PyTorch


@pytest.mark.parametrize(("shape", "pad"), CASES, ids=str)
def test_agrees_with_torch(shape, pad, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = (lambda x, f=f: f(x, pad, "constant", 0.7) for f in (F.pad, torch.nn.functional.pad))
    assert_agrees_with_torch(ours, theirs, [leaf(rng, *shape)], rng)
