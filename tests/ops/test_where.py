import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

CASES = [((3, 4), (3, 4), (3, 4)), ((4,), (3, 1), (3, 4)), ((2, 1, 4), (), (3, 1)), ((), (2,), (1,))]

# 1. Numbers that a person can check


def test_by_hand(device):
    a = tinycnn.tensor([1.0, 2, 3], np.float64, device, requires_grad=True)
    b = tinycnn.tensor([10.0], np.float64, device, requires_grad=True)
    y = F.where(tinycnn.tensor([True, False, False], device=device), a, b)
    y.backward(tinycnn.tensor([1.0, 2, 4], np.float64, device))
    assert y.numpy().tolist() == [1, 10, 10]
    assert a.grad.numpy().tolist() == [1, 0, 0] and b.grad.numpy().tolist() == [6]


def test_a_number_takes_the_tensors_dtype_and_a_nan_that_is_not_chosen_does_no_harm():
    x = tinycnn.tensor([4.0, np.nan], requires_grad=True)
    for y in (F.where(np.array([True, False]), x, 0.1), F.where(np.array([False, True]), 0.1, x)):
        assert y.dtype == np.float32
    F.where(np.array([True, False]), x, 0).sum().backward()
    assert x.grad.numpy().tolist() == [1, 0]


# 2. The definition


@pytest.mark.parametrize("shapes", CASES, ids=str)
def test_equals_the_definition(shapes, rng):
    a, b = leaf(rng, *shapes[1]), leaf(rng, *shapes[2])
    condition = rng.random(shapes[0]) < 0.5
    shape = np.broadcast_shapes(*shapes)
    c, p, q = (np.broadcast_to(v, shape).ravel() for v in (condition, a.numpy(), b.numpy()))
    expected = np.array([p[i] if c[i] else q[i] for i in range(len(c))]).reshape(shape)
    assert_close(F.where(condition, a, b), expected, 0, 0)


# 3. Gradients


@pytest.mark.parametrize("shapes", CASES, ids=str)
def test_gradcheck(shapes, rng, device):
    condition = tinycnn.tensor(rng.random(shapes[0]) < 0.5, device=device)
    assert gradcheck(lambda a, b: F.where(condition, a, b), [leaf(rng, *shape, device=device) for shape in shapes[1:]])


# 4. Errors


def test_errors():
    x, yes = tinycnn.tensor([1.0, 2.0]), np.array([True, False])
    for call, error, text in [
        (lambda: F.where(x, x, x), TypeError, "where: condition must be .* of bools, such as x > 0, got float32"),
        (lambda: F.where(True, x, x), TypeError, "of bools, such as x > 0, got bool"),
        (lambda: F.where(yes, 1.0, 2.0), TypeError, "where: a or b must be a Tensor, got float and float"),
        (lambda: F.where(yes, x, x.double()), TypeError, "where: operands have different dtypes"),
        (lambda: F.where(yes, x, tinycnn.tensor([1.0] * 3)),
         ValueError, r"where: shapes do not broadcast to one \(condition \(2,\), a \(2,\), b \(3,\)\)"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            call()


# 5. PyTorch


@pytest.mark.parametrize("shapes", CASES, ids=str)
def test_agrees_with_torch(shapes, rng):
    torch = pytest.importorskip("torch")
    condition = rng.random(shapes[0]) < 0.5
    twin = torch.tensor(condition)
    inputs = [leaf(rng, *shape) for shape in shapes[1:]]
    assert_agrees_with_torch(lambda a, b: F.where(condition, a, b), lambda a, b: torch.where(twin, a, b), inputs, rng)
