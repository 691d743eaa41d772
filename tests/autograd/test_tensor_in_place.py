"""What Python would answer in a tensor's place: operators in place, comparisons, and assignments to what it holds."""

import copy
import operator

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
from tinycnn import Tensor, no_grad, tensor
from tinycnn.autograd.gradcheck import gradcheck

IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]


# The chapter's own SGD


def test_the_books_sgd_moves_the_parameters_that_others_hold(device):
    w = tensor([3.0, -2.0], device=device, requires_grad=True)
    held, memory = [w], w.data
    losses = []
    for _ in range(3):
        loss = (w * w).sum()
        loss.backward()
        losses.append(loss.item())
        with no_grad():
            for p in held:
                p -= 0.1 * p.grad
                p.grad.zero_()
    assert losses == pytest.approx([13, 13 * 0.64, 13 * 0.64**2])
    assert held[0] is w and w.data is memory and w.requires_grad and w.is_leaf


@pytest.mark.parametrize("op", IN_PLACE)
def test_in_place_agrees_with_torch(op, rng):
    """Under no_grad on a leaf, recorded on a result, and on constants: values, gradients, identity."""
    torch = pytest.importorskip("torch")
    x, other = rng.uniform(0.5, 2, (3, 2)), rng.uniform(0.5, 2, (2,))

    def play(library):
        leaf = library.tensor(x, requires_grad=True)
        b = library.tensor(other, requires_grad=True)
        constant = library.tensor(x)
        memory = constant.detach()
        constant = op(constant, library.tensor(other))
        with library.no_grad():
            kept = leaf
            leaf = op(leaf, 2.0)
        assert leaf is kept and leaf.requires_grad and leaf.is_leaf
        y = leaf * 3
        alias = y
        y = op(y, b)
        assert y is alias and y.requires_grad
        (y * y).sum().backward()
        return [t.detach().numpy() for t in (constant, memory, leaf, y, leaf.grad, b.grad)]

    for ours, theirs in zip(play(tinycnn), play(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("op", IN_PLACE)
def test_a_recorded_leaf_cannot_be_changed_in_place(op, rng):
    w = leaf(rng, 2)
    before = w.numpy().copy()
    with pytest.raises(RuntimeError, match="a leaf that requires a gradient cannot be changed in place .* no_grad"):
        op(w, 2.0)
    for write in (lambda: w.__setitem__(0, 1.0), lambda: w.zero_(), lambda: w.fill_(3)):
        with pytest.raises(RuntimeError, match="setitem: a leaf that requires a gradient cannot be changed in place"):
            write()
    assert np.array_equal(w.numpy(), before) and w.is_leaf


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (
            lambda x: operator.iadd(x, np.ones((2, 3))),
            ValueError,
            r"float64 \(3,\), but the result is float64 \(2, 3\)",
        ),
        (lambda x: operator.itruediv(x.to(np.int64), 2), TypeError, "int64 .* but the result is float32"),
        (lambda x: operator.imatmul(x, np.ones((3, 2))), ValueError, r"result is float64 \(2,\)"),
        (lambda x: operator.iadd(x, "a"), TypeError, "add: expected a Tensor, an array or a number, got str"),
        (lambda x: x.__setitem__(0, [1.0]), TypeError, "setitem: expected a Tensor, an array or a number, got list"),
        (lambda x: x.__setitem__(slice(2), np.ones(3)), ValueError, "broadcast"),
        (lambda x: x.__setitem__(5, 1.0), IndexError, "out of bounds"),
    ],
)
def test_in_place_refuses_what_would_change_the_tensors_kind(change, error, text):
    x = Tensor(np.arange(3.0))
    with pytest.raises(error, match=text):
        change(x)
    assert x.numpy().tolist() == [0, 1, 2]


def test_an_array_that_takes_a_tensor_in_stays_an_array(rng):
    """The chapter's conv2d.weight.data[:] -= lr * conv2d.weight.grad."""
    p = leaf(rng, 3)
    p.grad = np.arange(3.0)
    before, memory = p.numpy().copy(), p.data
    p.data[:] -= 0.5 * p.grad
    p.data *= tensor([2.0, 2, 2])
    assert p.data is memory and np.array_equal(p.numpy(), (before - 0.5 * np.arange(3.0)) * 2)
    y = np.ones(3) + p
    assert isinstance(y, Tensor) and y.requires_grad and (np.float64(2) * p).requires_grad
    with pytest.raises(TypeError, match="np.add does not take a tensor"):
        np.add.reduce(p)


# Assignment to elements


def test_assignment_writes_into_the_memory(device):
    x = tensor(np.zeros((3, 4)), device=device)
    view = x[1]
    x[1] = tensor([1.0, 2, 3, 4], device=device)
    x[:, 0] = 7
    x[2, 1:3] = np.float64(5)
    x[x > 6] -= 6
    assert x.numpy().tolist() == [[1, 0, 0, 0], [1, 2, 3, 4], [1, 5, 5, 0]] and view.numpy().tolist() == [1, 2, 3, 4]
    assert x.is_leaf and not x.requires_grad


def test_assignment_takes_lists_ranges_and_tensors_as_indices(rng, device):
    y = leaf(rng, 3, 4, device=device)
    labels = tensor([2, 0, 3], device=device)
    expected = y.numpy()[[0, 1, 2], [2, 0, 3]]
    assert_close(y[range(3), labels], expected)
    assert_close(y[[0, 1, 2], labels], expected)
    assert y[[]].shape == (0, 4)


def test_recorded_assignment_passes_gradcheck(rng):
    """corr2d as the chapter writes it, element by element, inside a module that learns."""

    def corr2d(X, K):
        h, w = K.shape
        Y = tinycnn.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1), dtype=np.float64)
        for i in range(Y.shape[0]):
            for j in range(Y.shape[1]):
                Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
        return Y

    assert gradcheck(corr2d, [leaf(rng, 4, 5), leaf(rng, 2, 3)])

    def overwritten(x, v):
        y = x * 2
        y[1:, ::2] = v  # broadcast over the rows
        y[0] = 1.0
        return y * y

    assert gradcheck(overwritten, [leaf(rng, 3, 4), leaf(rng, 2)])


def test_what_was_computed_before_a_recorded_change_keeps_its_numbers_and_gradients(rng):
    x, v = leaf(rng, 3), leaf(rng)

    def changed_later(x, v):
        y = x * 2
        z = y * y
        y[0] = v
        y += v
        return z + y

    assert gradcheck(changed_later, [x, v])
    old = x * 2
    view = old[:]
    old[1] = v
    assert_close(view, 2 * x.data)


# What backward needs must not have changed


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w: x.__setitem__(0, 5.0),
        lambda x, w: x.__iadd__(1),
        lambda x, w: x[1:].__imul__(2),  # a view of it
        lambda x, w: x.reshape(2, 2).zero_(),
        lambda x, w: no_grad()(w.__isub__)(0.1),
    ],
)
def test_backward_refuses_what_was_changed_in_place_since(change, rng):
    x, w = tensor(rng.uniform(1, 2, 4)), leaf(rng, 4)
    loss = (x * w).sum()
    change(x, w)
    with pytest.raises(RuntimeError, match=r"backward: what mul keeps for its backward \([ab]\) has been changed"):
        loss.backward()


def test_changes_before_the_forward_or_elsewhere_do_no_harm(rng):
    x, w = tensor(rng.uniform(1, 2, 4)), leaf(rng, 4)
    x += 1
    other = x.clone()
    loss = (x * w).sum()
    other.zero_()
    tensor([1.0, 2]).fill_(3)
    loss.backward()
    assert_close(w.grad, x)


def test_an_index_that_changes_before_backward_changes_nothing(rng):
    w, index = leaf(rng, 4), np.array([0, 1])
    y = w[index]
    index[:] = 3
    y.sum().backward()
    assert w.grad.numpy().tolist() == [1, 1, 0, 0]


# Comparisons


@pytest.mark.parametrize("compare", COMPARISONS)
def test_comparisons_are_elementwise(compare, rng, device):
    a, b = rng.integers(0, 3, (4, 3)).astype(np.float32), rng.integers(0, 3, 3).astype(np.float64)
    x = tensor(a, device=device)
    for other in (tensor(b, device=device), 1, 1.0, np.float64(1), tensor(b.astype(np.int64), device=device)):
        plain = other.numpy() if isinstance(other, Tensor) else other
        y = compare(x, other)
        assert isinstance(y, Tensor) and y.dtype == np.bool_ and y.device == device
        assert np.array_equal(y.numpy(), compare(a, plain))
        assert np.array_equal(compare(1, x).numpy(), compare(1, a))


def test_comparisons_with_arrays_from_both_sides():
    x, a = tensor([1.0, 2]), np.array([1.0, 3])
    assert (x == a).numpy().tolist() == (a == x).numpy().tolist() == [True, False]
    assert (a > x).numpy().tolist() == [False, True]


def test_the_share_of_right_answers_by_numpy():
    """np.mean(array == tensor) was 0.0: Python fell back to identity."""
    logits, y = tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), tensor([1, 0, 0])
    assert np.mean(logits.numpy().argmax(1) == y) == pytest.approx(2 / 3)
    assert np.mean(y) == pytest.approx(1 / 3) and np.sum(y, axis=0) == 1 and np.stack([y, y]).shape == (2, 3)


def test_comparisons_do_not_lose_digits():
    assert not bool(tensor([0.1]) == tensor([0.1], np.float64)) and bool(tensor([0.1]) == 0.1)
    assert bool(tensor([0.1]) == np.float64(0.1))  # a scalar of NumPy's is a number like Python's
    assert (tensor([3], np.uint8) < 300).item() and not (tensor([2**53 + 1]) == tensor([2**53])).item()


def test_what_cannot_be_compared():
    x = tensor([1.0, 2])
    assert (x == None) is False and (x != None) is True and (x == "mean") is False  # noqa: E711
    for compare in COMPARISONS:
        with pytest.raises(TypeError, match=r"expected a Tensor, an array or a number, got list; use tensor\(\.\.\.\)"):
            compare(x, [1.0, 2.0])
        with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\) do not broadcast"):
            compare(x, tensor([1.0, 2, 3]))
    with pytest.raises(TypeError, match="not supported between"):
        x < None  # noqa: B015
    with pytest.raises(ValueError, match="bool: expected a tensor with one element"):
        1 < x < 3  # noqa: B015


def test_comparisons_between_devices_are_refused(fake_cupy):
    with pytest.raises(ValueError, match=r"equal: operands are on cpu and gpu; move one with \.to\(device\)"):
        tensor([1.0]) == tensor([1.0], device="gpu")  # noqa: B015


def test_bools_combine_and_say_whether_any_or_all():
    x = tensor([1.0, 5, 9])
    assert ((x > 2) & (x < 8)).numpy().tolist() == [False, True, False]
    assert ((x < 2) | ~(x < 8)).numpy().tolist() == [True, False, True]
    assert ((x > 2) ^ (x > 8)).numpy().tolist() == [False, True, False]
    assert (x > 8).any() and not (x > 8).all() and 5 in x and 4 not in x


# What a tensor holds


def test_data_takes_a_tensor(device):
    """p.data = p.data - lr * p.grad is a tensor on the right: the error was 'weight gpu'."""
    p = tinycnn.Parameter(tensor([1.0, 2], device=device))
    (p * p).sum().backward()
    p.data = p.data - 0.5 * p.grad
    assert type(p.data) is not Tensor and p.numpy().tolist() == [0, 0] and p.requires_grad and p.device == device
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        p.data = [1.0, 2.0]


def test_grad_takes_an_array_of_the_right_kind():
    p = tensor([1.0, 2], requires_grad=True)
    p.grad = np.ones(2, np.float32)
    assert isinstance(p.grad, Tensor) and p.grad.numpy().tolist() == [1, 1]
    for wrong in (np.ones(3, np.float32), np.ones(2), tensor([1, 2])):
        with pytest.raises(ValueError, match=r"grad: got .*, expected the tensor's float32 \(2,\)"):
            p.grad = wrong
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        p.grad = [1.0, 1.0]
    p.grad = None
    assert p.grad is None


def test_a_deep_copy_after_changes_in_place_stands_alone():
    x = tensor([1.0, 2])
    again = copy.deepcopy(x)
    x += 1
    assert again.numpy().tolist() == [1, 2]


# Numbers at the edge


def test_a_power_of_zero_to_a_negative_exponent_falls_without_bound():
    with np.errstate(divide="ignore"):
        a, b = tensor([0.0, 0.0, 2.0]), tensor([-1.0, 2.0, 3.0], requires_grad=True)
        (a**b).backward(np.ones(3))
    assert b.grad.numpy()[:2].tolist() == [-np.inf, 0] and b.grad.numpy()[2] == pytest.approx(8 * np.log(2))


def test_the_gradient_of_a_mean_of_many_halves():
    x = tensor(np.ones(70_000, np.float16), requires_grad=True)
    (x.mean() * 64).backward()
    assert x.grad.numpy()[0] == pytest.approx(64 / 70_000, rel=1e-2)


def test_max_along_an_axis_agrees_with_torch(rng, device):
    torch = pytest.importorskip("torch")
    x = leaf(rng, 3, 4, 2, device=device)
    theirs = torch.tensor(x.numpy(), requires_grad=True)
    for dim, keepdim in ((0, False), (1, True), (-1, False)):
        ours, expected = x.max(dim, keepdim), theirs.max(dim, keepdim)
        assert_close(ours.values, expected.values)
        assert np.array_equal(ours.indices.numpy(), expected.indices.numpy())
        x.grad = theirs.grad = None
        dy = rng.standard_normal(ours.values.shape)
        ours.values.backward(tensor(dy, device=device))
        expected.values.backward(torch.tensor(dy))
        assert_close(x.grad, theirs.grad)
