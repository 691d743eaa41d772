import numpy as np
import pytest
from helpers import assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops.batch_norm import batch_norm_loops

SHAPES = [(2, 3, 4, 5), (5, 1, 1, 1), (1, 4, 2, 1), (7, 3), (4, 2, 6), (2, 2, 3, 2, 2)]


def data(rng, shape, dtype=np.float64, device="cpu"):
    """x, weight, bias that want gradients; running mean and variance that want none."""
    C = shape[1]
    x, w, b = leaf(rng, *shape, dtype=dtype, device=device), *(leaf(rng, C, dtype=dtype, device=device) for _ in "wb")
    mean = tinycnn.tensor(rng.normal(size=C), dtype, device)
    return x, w, b, mean, tinycnn.tensor(rng.uniform(0.5, 2, C), dtype, device)


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[1.0, 10], [3, 10], [5, 40]], np.float64, device)
    mean, var = tinycnn.tensor([0.0, 0], np.float64, device), tinycnn.tensor([1.0, 1], np.float64, device)
    y = F.batch_norm(x, mean, var, training=True, momentum=0.5, eps=0)
    assert_close(y, np.array([[-(1.5**0.5), -(0.5**0.5)], [0, -(0.5**0.5)], [1.5**0.5, 2**0.5]]))
    assert_close(mean, np.array([1.5, 10]))  # halfway to 3 and 20
    assert_close(var, np.array([2.5, 150.5]))  # halfway to 4 and 300, which divide by 2


def test_evaluation_by_hand():
    x, mean, var = (tinycnn.tensor(v, np.float64) for v in ([[7.0]], [3.0], [4.0]))
    y = F.batch_norm(x, mean, var, tinycnn.tensor([10.0], np.float64), tinycnn.tensor([1.0], np.float64), eps=0)
    assert y.item() == 10 * (7 - 3) / 2 + 1 and (mean.item(), var.item()) == (3, 4)


# 2. The definition


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) == 4], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(shape, dtype, rng, device):
    x, w, b, *_ = data(rng, shape, dtype, device)
    y = F.batch_norm(x, None, None, w, b, training=True, eps=0.01)
    assert y.dtype == dtype
    expected = batch_norm_loops(*(t.numpy().astype(np.float64) for t in (x, w, b)), 0.01).astype(dtype)
    assert_close(y, expected, *((1e-5, 1e-5) if dtype == np.float32 else (1e-12, 1e-12)))


def test_any_memory_order_gives_the_same_and_the_result_is_batch_last(rng):
    x, w, b, mean, var = data(rng, SHAPES[0])
    turned = tinycnn.Tensor(batch_last(x.numpy()))
    for options in ({"training": True}, {}):
        y, again = (F.batch_norm(t, mean, var, w, b, momentum=0, **options).numpy() for t in (x, turned))
        assert_close(y, again)
        assert again.transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(shape, training, rng, device):
    x, w, b, mean, var = data(rng, shape, device=device)
    if training and x.numel() // shape[1] < 3:  # of two numbers one is always 1 and the other -1
        return
    assert gradcheck(lambda x, w, b: F.batch_norm(x, mean, var, w, b, training, 0.0, 0.1), [x, w, b])
    assert gradcheck(lambda x: F.batch_norm(x, mean, var, training=training, momentum=0, eps=0.1), [x])


def test_only_what_wants_a_gradient_gets_one(rng):
    x, w, b, mean, var = data(rng, SHAPES[0])
    F.batch_norm(x.detach(), mean, var, w, b, True).sum().backward()
    assert x.grad is None and w.grad.shape == b.grad.shape == (3,)


# 4. Errors


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x, c: F.batch_norm(x, None, None), ValueError, "evaluation needs running_mean and running_var"),
        (lambda x, c: F.batch_norm(x[:1, :, :1, :1], c, c, training=True), ValueError, r"more than 1 number a channel"),
        (lambda x, c: F.batch_norm(x, c, c, c[:2]), ValueError, r"weight must have shape \(3,\), one number a channel"),
        (lambda x, c: F.batch_norm(x, c, c[:1]), ValueError, r"running_var must have shape \(3,\).* got \(1,\)"),
        (lambda x, c: F.batch_norm(c, c, c), ValueError, r"x must have the axes \(N, C, ...\), got shape \(3,\)"),
        (lambda x, c: F.batch_norm(x, c, c, eps=-1), ValueError, "batch_norm: eps must be at least 0, got -1"),
        (lambda x, c: F.batch_norm(x, c, c, momentum=2), ValueError, "momentum must be between 0 and 1, got 2"),
        (lambda x, c: F.batch_norm(x.float(), c, c), TypeError, "same dtype, got x float32, running_mean float64"),
    ],
)
def test_errors(call, error, text, rng):
    x, *_, mean, _ = data(rng, SHAPES[0])
    before = mean.numpy().copy()
    with pytest.raises(error, match=text):
        call(x, mean)
    assert np.array_equal(mean.numpy(), before)


# 5. PyTorch


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_torch(shape, training, affine, rng):
    torch = pytest.importorskip("torch")
    x, w, b, mean, var = data(rng, shape)
    twins = [torch.tensor(t.numpy(), requires_grad=t.requires_grad) for t in (x, w, b)]
    theirs_mean, theirs_var = torch.tensor(mean.numpy().copy()), torch.tensor(var.numpy().copy())
    kept = 3 if affine else 1
    y = F.batch_norm(x, mean, var, *(w, b)[: kept - 1], training=training, momentum=0.3, eps=1e-3)
    expected = torch.nn.functional.batch_norm(
        twins[0], theirs_mean, theirs_var, *twins[1:kept], training=training, momentum=0.3, eps=1e-3
    )
    dy = rng.normal(size=shape)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    assert_close(y, expected, 1e-10, 1e-10)
    for ours, theirs in [(mean, theirs_mean), (var, theirs_var)]:
        assert_close(ours, theirs)
    for ours, theirs in zip((x, w, b)[:kept], twins, strict=False):
        assert_close(ours.grad, theirs.grad, 1e-9, 1e-9)


def test_numbers_far_from_zero_keep_their_digits(rng):
    """The variance is that of the differences; the difference of mean squares would be noise here."""
    torch = pytest.importorskip("torch")
    x = (1000 + rng.normal(size=(64, 2, 3, 3))).astype(np.float32)
    ours = F.batch_norm(tinycnn.tensor(x), None, None, training=True)
    theirs = torch.nn.functional.batch_norm(torch.tensor(x), None, None, training=True)
    exact = torch.nn.functional.batch_norm(torch.tensor(x).double(), None, None, training=True)
    error, theirs_error = (np.abs(y.numpy() - exact.numpy()).max() for y in (ours, theirs))
    assert error < max(2 * theirs_error, 1e-3)
