import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops import _pooling
from tinycnn.ops.avg_pool2d import avg_pool2d_loops

CASES = [  # N, C, H, W, kernel_size, stride, padding, ceil_mode, count_include_pad
    (2, 3, 4, 6, 2, None, 0, False, True),  # windows tile the image
    (1, 1, 6, 5, (3, 5), None, 0, False, True),  # the same with unequal sides
    (3, 2, 7, 9, (3, 2), (2, 3), 0, False, True),  # strides that do not divide, pixels left over
    (2, 2, 5, 6, 3, 1, 1, False, True),  # windows that overlap, padding counted
    (2, 2, 5, 6, 3, 1, 1, False, False),  # and not counted
    (1, 2, 6, 7, (2, 3), (3, 2), (1, 0), True, True),  # the last windows stick out
    (1, 2, 6, 7, (4, 3), (3, 2), (2, 1), True, False),
    (1, 3, 8, 6, (2, 3), (2, 3), (0, 1), False, True),  # as many windows as tiles, but padded: they tile nothing
    (4, 1, 1, 1, 1, 1, 0, False, True),  # one pixel
]


def data(rng, case, **options):
    N, C, H, W, *arguments = case
    return leaf(rng, N, C, H, W, **options), arguments


def windows_of(x, arguments):
    kernel_size, stride, padding, ceil_mode, _ = arguments
    return _pooling.arguments("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[[[0.0, 1, 2, 3], [4, 5, 6, 7]]]], device=device)
    assert F.avg_pool2d(x, 2).numpy().tolist() == [[[[(0 + 1 + 4 + 5) / 4, (2 + 3 + 6 + 7) / 4]]]]
    assert F.avg_pool2d(x, 2, stride=1).numpy().tolist() == [[[[2.5, (1 + 2 + 5 + 6) / 4, 4.5]]]]
    assert F.avg_pool2d(x, (1, 4)).numpy().tolist() == [[[[(0 + 1 + 2 + 3) / 4], [(4 + 5 + 6 + 7) / 4]]]]


def test_what_counts_at_the_edge_by_hand(device):
    x = tinycnn.tensor([[[[2.0, 4, 12]]]], device=device)  # with padding: 0 2 4 12 0
    line = dict(kernel_size=(1, 2), stride=(1, 2), padding=(0, 1))
    assert F.avg_pool2d(x, **line).numpy().tolist() == [[[[(0 + 2) / 2, (4 + 12) / 2]]]]
    assert F.avg_pool2d(x, **line, count_include_pad=False).numpy().tolist() == [[[[2 / 1, (4 + 12) / 2]]]]
    # in ceil_mode the last window sticks out, and what lies outside is never counted
    assert F.avg_pool2d(x, (1, 2), ceil_mode=True).numpy().tolist() == [[[[(2 + 4) / 2, 12 / 1]]]]


def test_gradient_by_hand(device):
    x = tinycnn.tensor([[[[1.0, 2, 3]]]], device=device, requires_grad=True)
    dy = tinycnn.tensor([[[[2.0, 20]]]], device=device)
    F.avg_pool2d(x, (1, 2), stride=1).backward(dy)  # y0 = (x0 + x1) / 2, y1 = (x1 + x2) / 2
    assert x.grad.numpy().ravel().tolist() == [1, 1 + 10, 10]


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    x, arguments = data(rng, case, dtype=dtype, device=device)
    y = F.avg_pool2d(x, *arguments)
    assert y.dtype == dtype
    expected = avg_pool2d_loops(x.numpy(), windows_of(x, arguments), arguments[-1])
    assert_close(y, expected, *((1e-5, 1e-6) if dtype == np.float32 else (1e-12, 1e-12)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_memory_order_gives_the_same(case, rng):
    x, arguments = data(rng, case)
    again = tinycnn.Tensor(batch_last(x.numpy()), requires_grad=True)
    y, same = F.avg_pool2d(x, *arguments), F.avg_pool2d(again, *arguments)
    assert np.array_equal(y.numpy(), same.numpy())
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    same.backward(batch_last(dy))
    assert np.array_equal(x.grad.numpy(), again.grad.numpy())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_are_batch_last_in_memory(case, rng):
    x, arguments = data(rng, case)
    y = F.avg_pool2d(x, *arguments)
    dx = y.grad_fn.backward(y.grad_fn.ctx, rng.standard_normal(y.shape))
    assert y.numpy().transpose(1, 2, 3, 0).flags.c_contiguous and dx.transpose(1, 2, 3, 0).flags.c_contiguous


def test_the_input_is_left_as_it_was(rng):
    x = leaf(rng, 1, 1, 3, 4)
    before = x.numpy().copy()
    F.avg_pool2d(x, 1).backward(rng.standard_normal(x.shape))  # windows of one pixel: nothing to add up
    assert np.array_equal(x.numpy(), before)


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck(case, rng, device):
    x, arguments = data(rng, case, device=device)
    assert gradcheck(lambda x: F.avg_pool2d(x, *arguments), [x])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_gradients_are_float32(case, rng, device):
    x, arguments = data(rng, case, dtype=np.float32, device=device)
    F.avg_pool2d(x, *arguments).sum().backward()
    assert x.grad.dtype == np.float32


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "options", "error", "text"),
    [
        ((3, 8, 8), {"kernel_size": 2}, ValueError, r"avg_pool2d: x must have 4 axes \(N, C, H, W\), got shape \(3, 8"),
        ((2, 0, 8, 8), {"kernel_size": 2}, ValueError, r"avg_pool2d: x is empty, got shape \(2, 0, 8, 8\)"),
        ((1, 1, 8, 8), {"kernel_size": 0}, ValueError, "avg_pool2d: kernel_size must be at least 1, got 0"),
        ((1, 1, 8, 8), {"kernel_size": (2, 2, 2)}, TypeError, "kernel_size must be an int or a pair"),
        ((1, 1, 8, 8), {"kernel_size": True}, TypeError, "kernel_size must be an int or a pair"),
        ((1, 1, 8, 8), {"kernel_size": 2, "stride": 0}, ValueError, "avg_pool2d: stride must be at least 1, got 0"),
        ((1, 1, 8, 8), {"kernel_size": 2, "padding": -1}, ValueError, "avg_pool2d: padding must be at least 0, got -1"),
        (
            (1, 1, 8, 8),
            {"kernel_size": (4, 3), "padding": 2},
            ValueError,
            r"padding must be at most half the kernel, .* got padding \(2, 2\), kernel_size \(4, 3\)",
        ),
        (
            (1, 1, 4, 8),
            {"kernel_size": 5},
            ValueError,
            "avg_pool2d: the kernel covers 5 x 5 pixels but the padded input has only 4 x 8",
        ),
    ],
)
def test_errors(shape, options, error, text):
    with pytest.raises(error, match=text):
        F.avg_pool2d(tinycnn.Tensor(np.zeros(shape, np.float32)), **options)


def test_error_for_integers():
    with pytest.raises(TypeError, match="avg_pool2d: x must be floating point, got int64; convert it with"):
        F.avg_pool2d(tinycnn.Tensor(np.zeros((1, 1, 2, 2), np.int64)), 2)


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_torch(case, rng):
    torch = pytest.importorskip("torch")
    x, arguments = data(rng, case)
    theirs = arguments if arguments[1] is not None else [arguments[0], arguments[0], *arguments[2:]]
    assert_agrees_with_torch(
        lambda x: F.avg_pool2d(x, *arguments), lambda x: torch.nn.functional.avg_pool2d(x, *theirs), [x], rng
    )


def test_agrees_with_torch_in_random_settings(rng):
    torch = pytest.importorskip("torch")
    for _ in range(100):
        kernel, stride = rng.integers(1, 5, 2), rng.integers(1, 5, 2)
        padding = rng.integers(0, kernel // 2 + 1)
        size = np.maximum(kernel - 2 * padding, 1) + rng.integers(0, 8, 2)  # room for one window at least
        arguments = [tuple(pair.tolist()) for pair in (kernel, stride, padding)] + (rng.random(2) < 0.5).tolist()
        x = leaf(rng, *rng.integers(1, 3, 2), *size)
        try:
            assert_agrees_with_torch(
                lambda x, a=arguments: F.avg_pool2d(x, *a),
                lambda x, a=arguments: torch.nn.functional.avg_pool2d(x, *a),
                [x],
                rng,
            )
        except AssertionError as error:
            raise AssertionError(f"avg_pool2d of {x.shape} with {arguments}: {error}") from error


def test_in_ceil_mode_a_window_larger_than_the_image_is_one_window(device):
    x = tinycnn.tensor(np.arange(4.0).reshape(1, 1, 2, 2), device=device, requires_grad=True)
    y = F.avg_pool2d(x, 3, 2, ceil_mode=True)
    y.sum().backward()
    assert y.numpy().tolist() == [[[[1.5]]]]
    assert x.grad.numpy().tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]
