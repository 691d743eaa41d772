import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops.linear import linear_loops

CASES = [  # shape of x, out-features
    ((3, 4), 2),
    ((1, 5), 3),
    ((4, 1), 1),
    ((6,), 2),  # one example, without an axis of examples
    ((2, 3, 4), 5),
    ((2, 1, 3, 2), 4),
]


def data(rng, case, **options):
    shape, O = case
    return leaf(rng, *shape, **options), leaf(rng, O, shape[-1], **options), leaf(rng, O, **options)


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[1.0, 2], [3, 4]], device=device)
    w = tinycnn.tensor([[10.0, 20], [0, 1], [5, 0]], device=device)
    b = tinycnn.tensor([0.5, 0, -1], device=device)
    assert F.linear(x, w, b).numpy().tolist() == [
        [1 * 10 + 2 * 20 + 0.5, 2, 1 * 5 - 1],
        [3 * 10 + 4 * 20 + 0.5, 4, 3 * 5 - 1],
    ]


def test_gradients_by_hand(device):
    x = tinycnn.tensor([[1.0, 2], [3, 4]], device=device, requires_grad=True)
    w = tinycnn.tensor([[10.0, 20]], device=device, requires_grad=True)
    b = tinycnn.tensor([0.0], device=device, requires_grad=True)
    F.linear(x, w, b).backward(tinycnn.tensor([[1.0], [100]], device=device))
    assert x.grad.numpy().tolist() == [[10, 20], [1000, 2000]]
    assert w.grad.numpy().tolist() == [[1 * 1 + 100 * 3, 1 * 2 + 100 * 4]]
    assert b.grad.numpy().tolist() == [101]


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    x, w, b = data(rng, case, dtype=dtype, device=device)
    y = F.linear(x, w, b)
    assert y.dtype == dtype
    rows = x.numpy().reshape(-1, x.shape[-1])
    expected = linear_loops(rows, w.numpy(), b.numpy()).reshape(y.shape)
    assert_close(y, expected, *((1e-5, 1e-5) if dtype == np.float32 else (1e-12, 1e-12)))


def test_any_memory_order_gives_the_same(rng):
    x, w, b = data(rng, CASES[0])
    again = tinycnn.Tensor(np.asfortranarray(x.numpy()), requires_grad=True)
    y, same = F.linear(x, w, b), F.linear(again, w, b)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    same.backward(np.asfortranarray(dy))
    assert_close(y, same, 1e-14)
    assert_close(x.grad, again.grad, 1e-14)


def test_results_are_batch_last_in_memory(rng):
    x, w, b = data(rng, CASES[0])
    y = F.linear(x, w, b)
    dx, dw, _ = y.grad_fn.backward(y.grad_fn.ctx, rng.standard_normal(y.shape))
    assert y.numpy().T.flags.c_contiguous and dx.T.flags.c_contiguous and dw.flags.c_contiguous


def test_without_bias(rng, device):
    x, w, b = data(rng, CASES[0], device=device)
    zero = tinycnn.tensor(np.zeros(b.shape), device=device)
    assert np.array_equal(F.linear(x, w).numpy(), F.linear(x, w, zero).numpy())


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck(case, rng, device):
    x, w, b = data(rng, case, device=device)
    assert gradcheck(F.linear, [x, w, b])
    assert gradcheck(F.linear, [x, w])


def test_no_gradient_is_computed_for_an_input_that_needs_none(rng):
    x, w, b = data(rng, CASES[0])
    y = F.linear(x.detach(), w, b.detach())
    dx, dw, db = y.grad_fn.backward(y.grad_fn.ctx, rng.standard_normal(y.shape))
    assert dx is None and db is None and dw.shape == w.shape


# 4. Errors


@pytest.mark.parametrize(
    ("x", "w", "b", "error", "text"),
    [
        (
            (3, 4),
            (2, 5),
            None,
            ValueError,
            r"linear: the last axis of x must be the 5 in-features of weight \(x \(3, 4",
        ),
        ((), (2, 5), None, ValueError, r"linear: the last axis of x must be the 5 in-features of weight \(x \(\)"),
        ((3, 4), (4,), None, ValueError, r"linear: weight must have 2 axes \(out, in\), got shape \(4,\)"),
        ((3, 4), (2, 4), (4,), ValueError, r"linear: bias must have shape \(2,\), one number per out-feature, got \(4"),
    ],
)
def test_errors(x, w, b, error, text):
    x, w, b = (None if s is None else tinycnn.Tensor(np.zeros(s, np.float32)) for s in (x, w, b))
    with pytest.raises(error, match=text):
        F.linear(x, w, b)


def test_error_for_mixed_dtypes(rng):
    with pytest.raises(TypeError, match="linear: all tensors must have the same dtype, got x float32, weight float64"):
        F.linear(leaf(rng, 2, 3, dtype=np.float32), leaf(rng, 4, 3))


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_torch(case, rng):
    torch = pytest.importorskip("torch")
    inputs = data(rng, case)
    assert_agrees_with_torch(F.linear, torch.nn.functional.linear, inputs, rng)
    assert_agrees_with_torch(F.linear, torch.nn.functional.linear, inputs[:2], rng)
