import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck

CASES = [  # shapes, axis
    ([(2, 3, 4, 5), (2, 1, 4, 5)], 1),
    ([(2, 3), (1, 3), (4, 3)], 0),
    ([(2, 3, 4), (2, 3, 1)], -1),
    ([(3,)], 0),
    ([(1, 1, 1, 2), (1, 1, 3, 2)], 2),
]
STACKS = [((2, 3), 0), ((2, 3), 1), ((2, 3), -1), ((), 0), ((2, 1, 3, 2), 2)]

# 1. Numbers that a person can check


def test_by_hand(device):
    a = tinycnn.tensor([[1.0, 2], [3, 4]], np.float64, device, requires_grad=True)
    b = tinycnn.tensor([[5.0], [6]], np.float64, device, requires_grad=True)
    y = F.cat([a, b], dim=1)
    y.backward(tinycnn.tensor([[1.0, 2, 3], [4, 5, 6]], np.float64, device))
    assert y.numpy().tolist() == [[1, 2, 5], [3, 4, 6]]
    assert a.grad.numpy().tolist() == [[1, 2], [4, 5]] and b.grad.numpy().tolist() == [[3], [6]]
    assert F.stack([a[0], a[1]], dim=1).numpy().tolist() == [[1, 3], [2, 4]]


def test_one_tensor_twice_gets_both_gradients():
    x = tinycnn.tensor([1.0, 2], requires_grad=True)
    F.cat((x, x)).backward(np.array([1, 2, 10, 20], np.float32))
    assert x.grad.numpy().tolist() == [11, 22]


# 2. The definition


@pytest.mark.parametrize(("shapes", "axis"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_numpys(shapes, axis, dtype, rng, device):
    parts = [leaf(rng, *shape, dtype=dtype, device=device) for shape in shapes]
    y = F.cat(parts, axis)
    assert y.dtype == dtype
    assert_close(y, np.concatenate([t.numpy() for t in parts], axis), 0, 0)


def test_the_result_is_batch_last_in_memory(rng):
    parts = [tinycnn.Tensor(batch_last(rng.normal(size=(2, C, 3, 4)))) for C in (1, 2)]
    assert F.cat(parts, 1).numpy().transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize(("shapes", "axis"), CASES, ids=str)
def test_gradcheck(shapes, axis, rng, device):
    assert gradcheck(lambda *ts: F.cat(ts, axis), [leaf(rng, *shape, device=device) for shape in shapes])


@pytest.mark.parametrize(("shape", "axis"), STACKS, ids=str)
def test_gradcheck_of_stack(shape, axis, rng, device):
    assert gradcheck(lambda *ts: F.stack(ts, axis), [leaf(rng, *shape, device=device) for _ in range(3)])


# 4. Errors


def test_errors():
    x = tinycnn.tensor(np.ones((2, 3), np.float32))
    for call, error, text in [
        (lambda: F.cat([]), TypeError, "cat: tensors must be a list of at least one Tensor, got none"),
        (lambda: F.cat(x), TypeError, "cat: tensors must be a list of at least one Tensor, got Tensor"),
        (lambda: F.cat([x, x.T]), ValueError, r"differ along axis 0 only, got \(2, 3\) at 0 and \(3, 2\) at 1"),
        (lambda: F.cat([x, x[0]]), ValueError, r"got \(2, 3\) at 0 and \(3,\) at 1"),
        (lambda: F.cat([x, x], 2), ValueError, r"cat: axis 2 does not exist in a tensor of shape \(2, 3\)"),
        (lambda: F.cat([x, x], 0.0), TypeError, "cat: dim must be an int, got 0.0"),
        (lambda: F.cat([x, x.double()]), TypeError, r"dtype, got tensors\[0\] float32, tensors\[1\] float64"),
        (lambda: F.cat([x.sum()]), ValueError, r"cat: tensors of shape \(\) have no axis .* use stack"),
        (lambda: F.stack([x, x.T]), ValueError, r"stack: all shapes must be the same, got \(2, 3\) at 0 and \(3, 2\)"),
        (lambda: F.stack([x], 3), ValueError, "stack: axis 3 does not exist"),
    ]:
        with pytest.raises(error, match=text):
            call()


# 5. PyTorch


@pytest.mark.parametrize(("shapes", "axis"), CASES, ids=str)
def test_agrees_with_torch(shapes, axis, rng):
    torch = pytest.importorskip("torch")
    inputs = [leaf(rng, *shape) for shape in shapes]
    assert_agrees_with_torch(lambda *ts: F.cat(ts, axis), lambda *ts: torch.cat(ts, axis), inputs, rng)


@pytest.mark.parametrize(("shape", "axis"), STACKS, ids=str)
def test_stack_agrees_with_torch(shape, axis, rng):
    torch = pytest.importorskip("torch")
    inputs = [leaf(rng, *shape) for _ in range(3)]
    assert_agrees_with_torch(lambda *ts: F.stack(ts, axis), lambda *ts: torch.stack(ts, axis), inputs, rng)
