import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d_loops

CASES = [  # N, C, H, W, output_size
    (2, 3, 4, 6, 1),
    (1, 1, 7, 5, (3, 2)),
    (2, 2, 5, 6, (5, None)),
    (3, 1, 2, 3, (4, 5)),  # more windows than pixels
    (1, 2, 1, 1, 1),
    (2, 1, 10, 3, (4, 3)),  # windows that overlap
]

# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[[[1.0, 2, 3], [4, 5, 9]]]], np.float64, device, requires_grad=True)
    assert_close(F.adaptive_avg_pool2d(x, 1), np.array([[[[4.0]]]]))
    y = F.adaptive_avg_pool2d(x, (1, 2))  # columns 0, 1 and columns 1, 2
    y.backward(tinycnn.tensor([[[[4.0, 8]]]], np.float64, device))
    assert y.numpy().tolist() == [[[[3, 4.75]]]]
    assert x.grad.numpy().tolist() == [[[[1, 3, 2], [1, 3, 2]]]]


@pytest.mark.parametrize("spoilt", [np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_window(spoilt, device):
    x = tinycnn.tensor([[[[1.0, 3, 5, spoilt]]]], np.float64, device, requires_grad=True)
    y = F.adaptive_avg_pool2d(x, (1, 2))
    y.backward(tinycnn.tensor([[[[8.0, spoilt]]]], np.float64, device))
    np.testing.assert_equal(y.numpy().ravel(), [2, spoilt])
    np.testing.assert_equal(x.grad.numpy().ravel(), [4, 4, spoilt, spoilt])


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    *shape, size = case
    x = leaf(rng, *shape, dtype=dtype, device=device)
    y = F.adaptive_avg_pool2d(x, size)
    assert y.dtype == dtype
    expected = adaptive_avg_pool2d_loops(x.numpy(), *y.shape[2:])
    assert_close(y, expected, *((1e-5, 1e-6) if dtype == np.float32 else (1e-12, 1e-12)))


def test_any_memory_order_gives_the_same_and_the_result_is_batch_last(rng):
    x = leaf(rng, 2, 3, 5, 6)
    y, again = (F.adaptive_avg_pool2d(t, (2, 3)).numpy() for t in (x, tinycnn.Tensor(batch_last(x.numpy()))))
    assert_close(y, again)
    assert y.transpose(1, 2, 3, 0).flags.c_contiguous and again.transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck(case, rng, device):
    *shape, size = case
    assert gradcheck(lambda x: F.adaptive_avg_pool2d(x, size), [leaf(rng, *shape, device=device)])


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "size", "error", "text"),
    [
        ((2, 3, 4), 1, ValueError, r"adaptive_avg_pool2d: x must have 4 axes \(N, C, H, W\), got shape \(2, 3, 4\)"),
        ((1, 1, 2, 2), 0, ValueError, "adaptive_avg_pool2d: output_size must be at least 1, got 0"),
        ((1, 1, 2, 2), (1, 2, 3), ValueError, r"output_size must be an int or a pair \(OH, OW\), got \(1, 2, 3\)"),
        ((1, 1, 2, 2), 1.5, TypeError, "adaptive_avg_pool2d: output_size must be an int, got 1.5"),
        ((1, 1, 0, 2), 1, ValueError, "adaptive_avg_pool2d: x is empty"),
    ],
)
def test_errors(shape, size, error, text):
    with pytest.raises(error, match=text):
        F.adaptive_avg_pool2d(tinycnn.tensor(np.zeros(shape, np.float32)), size)


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_torch(case, rng):
    torch = pytest.importorskip("torch")
    *shape, size = case
    ours, theirs = (lambda x, f=f: f(x, size) for f in (F.adaptive_avg_pool2d, torch.nn.functional.adaptive_avg_pool2d))
    assert_agrees_with_torch(ours, theirs, [leaf(rng, *shape)], rng)
