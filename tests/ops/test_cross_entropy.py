import math
import operator

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops.cross_entropy import cross_entropy_loops

IGNORED = -100
PROBABLE = "probabilities"  # in place of labels
CASES = [  # shape of the logits, weighted, ignored, options
    ((4, 3), False, False, {}),
    ((1, 1), False, False, {}),
    ((5, 2), True, False, {}),
    ((6, 3), False, True, {"label_smoothing": 0.1}),
    ((6, 4), True, True, {"label_smoothing": 0.3}),
    ((3, 4), True, True, {"label_smoothing": 1.0}),
    ((2, 3, 4), True, True, {"label_smoothing": 0.2}),
    ((2, 3, 2, 3), False, True, {}),
    ((5, 4), False, PROBABLE, {}),
    ((2, 3, 4), True, PROBABLE, {"label_smoothing": 0.2}),
]
REDUCTIONS = ["mean", "sum", "none"]


def data(rng, case, device="cpu", dtype=np.float64):
    """Logits, labels of which a few are ignored, or probabilities, and options with weights."""
    (N, C, *extra), weighted, ignored, options = case
    logits = leaf(rng, N, C, *extra, dtype=dtype, device=device, low=-3, high=3)
    target = rng.integers(0, C, (N, *extra))
    if ignored == PROBABLE:
        target = rng.dirichlet(np.ones(C), (N, *extra)) if not extra else rng.random((N, C, *extra))
        target = target.astype(dtype)
    elif ignored:
        target.flat[1::3] = IGNORED
    weight = leaf(rng, C, dtype=dtype, device=device, low=0.2, high=2).detach() if weighted else None
    return logits, tinycnn.tensor(target, device=device), dict(options, weight=weight)


# 1. Numbers that a person can check


def test_by_hand(device):
    logits = tinycnn.tensor([[0.0, math.log(3)], [7, 7]], np.float64, device)  # p is 1/4, 3/4 and 1/2, 1/2
    target = tinycnn.tensor([1, 0], device=device)
    assert_close(F.cross_entropy(logits, target, reduction="none"), np.log([4 / 3, 2]))
    assert_close(F.cross_entropy(logits, target, reduction="sum"), np.array(math.log(4 / 3) + math.log(2)))
    assert_close(F.cross_entropy(logits, target), np.array((math.log(4 / 3) + math.log(2)) / 2))


def test_gradient_by_hand(device):
    logits = tinycnn.tensor([[0.0, math.log(3)], [7, 7]], np.float64, device, requires_grad=True)
    F.cross_entropy(logits, tinycnn.tensor([1, 0], device=device)).backward()
    assert_close(logits.grad, np.array([[1 / 4, 3 / 4 - 1], [1 / 2 - 1, 1 / 2]]) / 2)  # (p - onehot) / N


def test_weights_ignored_labels_and_smoothing_by_hand(device):
    logits = tinycnn.tensor([[0.0, math.log(3)], [7, 7], [1, 2]], np.float64, device)
    target = tinycnn.tensor([1, 0, 9], device=device)
    weight = tinycnn.tensor([10.0, 1], np.float64, device)
    mean = F.cross_entropy(logits, target, weight, ignore_index=9)
    assert_close(mean, np.array((1 * math.log(4 / 3) + 10 * math.log(2)) / (1 + 10)))
    smooth = F.cross_entropy(logits, target, ignore_index=9, label_smoothing=0.5, reduction="sum")
    # half of each label's 1 is spread evenly over both classes
    assert_close(smooth, np.array(3 / 4 * math.log(4 / 3) + 1 / 4 * math.log(4) + math.log(2)))


def test_before_it_has_learnt_anything(device):
    loss = F.cross_entropy(
        tinycnn.tensor(np.zeros((4, 10)), device=device), tinycnn.tensor([0, 3, 9, 9], device=device)
    )
    assert_close(loss, np.array(math.log(10)))


def test_one_example_without_an_axis_of_examples(rng, device):
    logits = leaf(rng, 5, device=device)
    lone, target = F.cross_entropy(logits, tinycnn.tensor(2, device=device)), tinycnn.tensor([2], device=device)
    assert lone.shape == ()
    assert_close(lone, F.cross_entropy(logits.reshape(1, 5), target))
    assert F.cross_entropy(logits, tinycnn.tensor(2, device=device), reduction="none").shape == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_any_size(dtype, device):
    top = np.finfo(dtype).max
    rows = [[1e30, 0], [0, 1e30], [top, -top], [-np.inf, 5], [-1e30, -1e30]]
    logits = tinycnn.tensor(np.array(rows), dtype, device, requires_grad=True)
    target = tinycnn.tensor([0, 0, 0, 1, 1], device=device)
    losses = F.cross_entropy(logits, target, reduction="none")
    losses.sum().backward()
    assert_close(losses, np.array([0, 1e30, 0, 0, math.log(2)], dtype), 1e-6)
    assert logits.grad.numpy().tolist() == [[0, 0], [-1, 1], [0, 0], [0, 0], [0.5, -0.5]]


def test_a_class_ruled_out_is_an_infinite_loss(device):
    logits = tinycnn.tensor([[-np.inf, 5.0]], np.float32, device)
    assert F.cross_entropy(logits, tinycnn.tensor([0], device=device)).item() == math.inf


def test_all_labels_ignored(rng, device):
    logits, target = leaf(rng, 2, 3, device=device), tinycnn.tensor([IGNORED] * 2, device=device)
    loss = F.cross_entropy(logits, target)
    loss.backward()
    assert math.isnan(loss.item())  # the mean of nothing, as in torch
    assert np.array_equal(logits.grad.numpy(), np.zeros((2, 3)))
    assert F.cross_entropy(logits, target, reduction="sum").item() == 0


def test_all_labels_of_weight_zero(device):
    """The mean over a weight of 0, as in torch; nothing warns."""
    logits, weight = tinycnn.tensor([[1.0, 2]], np.float64, device), tinycnn.tensor([0.0, 1], np.float64, device)
    target = tinycnn.tensor([0], device=device)
    assert math.isnan(F.cross_entropy(logits.requires_grad_(), target, weight).item())
    loss = F.cross_entropy(logits, target, weight, label_smoothing=0.1)
    assert loss.item() == math.inf
    loss.backward()
    assert np.isinf(logits.grad.numpy()).all()


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    logits, target, options = data(rng, case, device, dtype)
    C, weight = logits.shape[1], options["weight"]
    by_class = np.moveaxis(target.numpy(), 1, -1).reshape(-1, C) if target.shape == logits.shape else None
    losses, weights = cross_entropy_loops(
        np.moveaxis(logits.numpy(), 1, -1).reshape(-1, C).astype(np.float64),
        target.numpy().ravel() if by_class is None else by_class,
        np.ones(C) if weight is None else weight.numpy(),
        IGNORED,
        options.get("label_smoothing", 0),
    )
    tolerance = (1e-5, 1e-5) if dtype == np.float32 else (1e-12, 1e-12)
    none, total, mean = (F.cross_entropy(logits, target, reduction=r, **options) for r in ("none", "sum", "mean"))
    assert none.dtype == total.dtype == mean.dtype == dtype
    assert_close(none, losses.reshape(logits.shape[0], *logits.shape[2:]), *tolerance)
    assert_close(total, losses.sum(), *tolerance)
    assert_close(mean, losses.sum() / weights.sum(), *tolerance)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_labels_of_any_integer_type_as_tensor_or_array(kind, rng):
    logits, target, _ = data(rng, CASES[0])
    expected, labels = F.cross_entropy(logits, target).item(), target.numpy().astype(kind)
    assert F.cross_entropy(logits, labels).item() == F.cross_entropy(logits, tinycnn.tensor(labels)).item() == expected


def test_any_memory_order_gives_the_same_and_the_gradient_is_batch_last(rng):
    logits, target, options = data(rng, CASES[4])
    again = tinycnn.Tensor(np.asfortranarray(logits.numpy()), requires_grad=True)
    y, same = F.cross_entropy(logits, target, **options), F.cross_entropy(again, target, **options)
    assert_close(y, same, 1e-14)
    assert same.grad_fn.backward(same.grad_fn.ctx, np.array(1.0)).T.flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradcheck(case, reduction, rng, device):
    logits, target, options = data(rng, case, device)
    assert gradcheck(lambda z: F.cross_entropy(z, target, reduction=reduction, **options), [logits])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_gradients_are_float32(case, rng, device):
    logits, target, options = data(rng, case, device, np.float32)
    F.cross_entropy(logits, target, **options).backward()
    assert logits.grad.dtype == np.float32


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "target", "options", "error", "text"),
    [
        ((2, 3), [0, 3], {}, ValueError, r"target has the label 3 at \(1,\), expected 0 to 2 .* or ignore_index -100"),
        ((2, 3), [-1, 0], {}, ValueError, r"cross_entropy: target has the label -1 at \(0,\), expected 0 to 2"),
        (
            (2, 3),
            [0, -100],
            {"ignore_index": 1},
            ValueError,
            r"label -100 at \(1,\), expected 0 to 2 .* ignore_index 1",
        ),
        ((3,), 3, {}, ValueError, r"cross_entropy: target has the label 3 at \(\), expected 0 to 2"),
        ((2, 3), [0, 1, 2], {}, ValueError, r"target must have shape \(2,\), one label for each example, got \(3,\)"),
        ((2, 3, 4), [0, 1], {}, ValueError, r"target must have shape \(2, 4\), one label for each .* got \(2,\)"),
        (
            (2, 3),
            [[0.0, 1]] * 2,
            {},
            TypeError,
            "target must be .* integers.* got numpy.ndarray of float64",
        ),
        (
            (2, 3),
            [[0.0, 1, 0]] * 2,
            {"ignore_index": 1},
            ValueError,
            "probabilities cannot be ignored, .* ignore_index 1",
        ),
        ((), 0, {}, ValueError, r"cross_entropy: logits must have the axes \(N, C, ...\) or \(C,\), got shape \(\)"),
        ((2, 0), [0, 0], {}, ValueError, r"cross_entropy: logits is empty, got shape \(2, 0\)"),
        ((2, 3), [0, 1], {"reduction": "max"}, ValueError, "reduction must be one of 'mean', 'sum', 'none', got 'max'"),
        ((2, 3), [0, 1], {"label_smoothing": 1.5}, ValueError, "label_smoothing must be between 0 and 1, got 1.5"),
        ((2, 3), [0, 1], {"label_smoothing": "a"}, TypeError, "label_smoothing must be a number, got 'a'"),
        ((2, 3), [0, 1], {"ignore_index": 0.5}, TypeError, "cross_entropy: ignore_index must be an int, got 0.5"),
    ],
)
def test_errors(shape, target, options, error, text):
    with pytest.raises(error, match=text):
        F.cross_entropy(tinycnn.Tensor(np.zeros(shape, np.float32)), np.array(target), **options)


@pytest.mark.parametrize("library", ["list", "numpy", "pandas", "torch", "jax"])
def test_labels_come_from_any_library(library):
    make = {"list": list, "numpy": np.array, "pandas": "Series", "torch": "tensor", "jax": "numpy.array"}[library]
    if isinstance(make, str):
        make = operator.attrgetter(make)(pytest.importorskip(library))
    logits = tinycnn.tensor([[1.0, 2, 0]] * 2)
    assert F.cross_entropy(logits, make([0, 1])).item() == F.cross_entropy(logits, np.array([0, 1])).item()


def test_error_for_labels_of_another_library_names_it():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"the labels, got pandas.Series of float64"):
        F.cross_entropy(tinycnn.tensor([[1.0, 2, 0]] * 2), pandas.Series([0.0, 1.0]))


@pytest.mark.parametrize("target", [0.5, None, "ab"], ids=str)
def test_error_for_labels_that_are_no_array(target):
    with pytest.raises(TypeError, match=f"array of integers, the labels, got {type(target).__name__}"):
        F.cross_entropy(tinycnn.tensor([[1.0, 2]] * 2), target)


def test_errors_for_weights(rng):
    logits, target, _ = data(rng, CASES[0])
    with pytest.raises(ValueError, match=r"weight must have shape \(3,\), one number per class, got \(2,\)"):
        F.cross_entropy(logits, target, tinycnn.tensor([1.0, 2], np.float64))
    with pytest.raises(TypeError, match="tensors must have the same dtype, got logits float64, weight float32"):
        F.cross_entropy(logits, target, tinycnn.tensor([1.0, 2, 3]))
    with pytest.raises(ValueError, match=r"weight gets no gradient but requires one; pass weight.detach\(\)"):
        F.cross_entropy(logits, target, leaf(rng, 3))


def test_on_a_gpu_labels_are_not_looked_at_and_a_wrong_one_shows_in_the_loss(fake_cupy):
    logits, target = tinycnn.tensor(np.zeros((2, 3)), device="gpu"), tinycnn.tensor([0, 3], device="gpu")
    loss = F.cross_entropy(logits, target)
    assert fake_cupy.counts.syncs == 0
    assert math.isnan(loss.item())


def test_error_for_labels_on_another_device(fake_cupy):
    with pytest.raises(ValueError, match="must be on the same device, got logits gpu, target cpu"):
        F.cross_entropy(tinycnn.tensor(np.zeros((2, 3)), device="gpu"), np.array([0, 1]))


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_agrees_with_torch(case, reduction, rng):
    torch = pytest.importorskip("torch")
    logits, target, options = data(rng, case)
    theirs = dict(options, weight=None if options["weight"] is None else torch.tensor(options["weight"].numpy()))
    labels = torch.tensor(target.numpy())
    assert_agrees_with_torch(
        lambda z: F.cross_entropy(z, target, reduction=reduction, **options),
        lambda z: torch.nn.functional.cross_entropy(z, labels, reduction=reduction, **theirs),
        [logits],
        rng,
    )


def test_probabilities_of_one_example_and_of_any_library(rng):
    torch = pytest.importorskip("torch")
    lone, q = leaf(rng, 4), np.array([0.1, 0.2, 0.7, 0])
    theirs = torch.nn.functional.cross_entropy
    assert_agrees_with_torch(lambda z: F.cross_entropy(z, q), lambda z: theirs(z, torch.tensor(q)), [lone], rng)
    assert_close(F.cross_entropy(lone, torch.tensor(q)), F.cross_entropy(lone, list(q)))
    with pytest.raises(ValueError, match="target gets no gradient but requires one"):
        F.cross_entropy(lone, tinycnn.tensor(q, requires_grad=True))


def test_agrees_with_torch_on_one_example_and_where_a_class_is_ignored(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional.cross_entropy
    lone, labels = leaf(rng, 4), np.array([0, 1, 1, 2])
    assert_agrees_with_torch(
        lambda z: F.cross_entropy(z, np.array(3)), lambda z: theirs(z, torch.tensor(3)), [lone], rng
    )
    assert_agrees_with_torch(
        lambda z: F.cross_entropy(z, labels, ignore_index=1, label_smoothing=0.1),
        lambda z: theirs(z, torch.tensor(labels), ignore_index=1, label_smoothing=0.1),
        [leaf(rng, 4, 3)],
        rng,
    )
