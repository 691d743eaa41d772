import numpy as np
import pytest
from helpers import assert_agrees_with_torch, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

CASES = [((2, 3, 4, 5), 1), ((1, 1, 2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4), 2), ((2, 3, 4), -2), ((5,), 0), ((3, 4), 1)]

# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]]], device=device)  # (1, 2, 2, 2): channels, then rows
    assert F.flatten(x).numpy().tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert F.flatten(x, 2).numpy().tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]


def test_gradient_by_hand(device):
    x = tinycnn.tensor([[[1.0, 2], [3, 4]]], device=device, requires_grad=True)
    F.flatten(x).backward(tinycnn.tensor([[10.0, 20, 30, 40]], device=device))
    assert x.grad.numpy().tolist() == [[[10, 20], [30, 40]]]


# 2. The definition


@pytest.mark.parametrize(("shape", "start_dim"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, start_dim, dtype, rng, device):
    x = leaf(rng, *shape, dtype=dtype, device=device)
    y = F.flatten(x, start_dim)
    assert y.dtype == dtype
    assert y.numpy().tolist() == x.numpy().reshape(*shape[:start_dim], -1).tolist()


def test_copies_nothing_where_activations_are_batch_last(rng):
    x = tinycnn.Tensor(batch_last(rng.standard_normal((2, 3, 4, 5))), requires_grad=True)
    y = F.flatten(x)
    dy = np.asfortranarray(rng.standard_normal(y.shape))
    dx = y.grad_fn.backward(y.grad_fn.ctx, dy)
    assert np.shares_memory(y.numpy(), x.numpy()) and np.shares_memory(dx, dy)
    assert y.numpy().T.flags.c_contiguous and dx.transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize(("shape", "start_dim"), CASES, ids=str)
def test_gradcheck(shape, start_dim, rng, device):
    assert gradcheck(lambda x: F.flatten(x, start_dim), [leaf(rng, *shape, device=device)])


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "start_dim", "error", "text"),
    [
        ((4,), 1, ValueError, r"flatten: axis 1 does not exist in a tensor of shape \(4,\)"),
        ((), 0, ValueError, r"flatten: axis 0 does not exist in a tensor of shape \(\)"),
        ((2, 3), -3, ValueError, r"flatten: axis -3 does not exist in a tensor of shape \(2, 3\)"),
        ((2, 3), 0.5, TypeError, "flatten: start_dim must be an int, got 0.5"),
    ],
)
def test_errors(shape, start_dim, error, text):
    with pytest.raises(error, match=text):
        F.flatten(tinycnn.Tensor(np.zeros(shape, np.float32)), start_dim)


def test_error_for_an_array():
    with pytest.raises(TypeError, match="flatten: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.flatten(np.zeros((3, 4)))


# 5. PyTorch


@pytest.mark.parametrize(("shape", "start_dim"), CASES, ids=str)
def test_agrees_with_torch(shape, start_dim, rng):
    torch = pytest.importorskip("torch")
    x = leaf(rng, *shape)
    assert_agrees_with_torch(lambda x: F.flatten(x, start_dim), lambda x: torch.flatten(x, start_dim), [x], rng)
