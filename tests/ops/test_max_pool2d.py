import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last

import tinycnn
import tinycnn.functional as F
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.ops import _pooling
from tinycnn.ops.max_pool2d import max_pool2d_loops

CASES = [  # N, C, H, W, kernel_size, stride, padding, dilation, ceil_mode
    (2, 3, 4, 6, 2, None, 0, 1, False),  # windows tile the image
    (1, 1, 6, 5, (3, 5), None, 0, 1, False),  # the same with unequal sides
    (3, 2, 7, 9, (3, 2), (2, 3), 0, 1, False),  # strides that do not divide, pixels left over
    (2, 2, 5, 6, 3, 1, 1, 1, False),  # windows that overlap, padding
    (1, 2, 6, 7, (2, 3), (3, 2), (1, 0), 1, True),  # the last windows stick out
    (2, 1, 8, 9, (3, 2), (1, 2), (1, 1), (2, 3), False),  # dilation
    (1, 3, 7, 8, (2, 3), (2, 1), 1, (3, 2), True),
    (1, 2, 4, 6, 2, 2, 0, 2, True),  # as many windows as tiles, but dilated: they tile nothing
    (1, 3, 8, 6, (2, 3), (2, 3), (0, 1), 1, False),  # nor do these, which are padded
    (4, 1, 1, 1, 1, 1, 0, 1, False),  # one pixel
]


def apart(rng, *shape, device="cpu", dtype=np.float64):
    """A leaf of distinct numbers, far enough apart that finite differences never change which one is the largest."""
    values = rng.permutation(np.prod(shape)).reshape(shape) / 10 - 3
    return tinycnn.tensor(values, dtype, device, requires_grad=True)


def data(rng, case, **options):
    N, C, H, W, *arguments = case
    return apart(rng, N, C, H, W, **options), arguments


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[[[1.0, 2, -3, -4], [8, 5, -6, -7]]]], device=device)
    assert F.max_pool2d(x, 2).numpy().tolist() == [[[[8, -3]]]]
    assert F.max_pool2d(x, 2, stride=1).numpy().tolist() == [[[[8, 5, -3]]]]
    assert F.max_pool2d(x, (2, 2), stride=1, dilation=(1, 2)).numpy().tolist() == [[[[8, 5]]]]  # columns 0, 2 and 1, 3


def test_padding_is_smaller_than_any_number(device):
    x = tinycnn.tensor([[[[-5.0, -7]]]], device=device)
    assert F.max_pool2d(x, (1, 2), padding=(0, 1)).numpy().tolist() == [[[[-5, -7]]]]


def test_gradient_by_hand(device):
    x = tinycnn.tensor([[[[1.0, 3, 2]]]], device=device, requires_grad=True)
    F.max_pool2d(x, (1, 2), stride=1).backward(tinycnn.tensor([[[[5.0, 70]]]], device=device))
    assert x.grad.numpy().ravel().tolist() == [0, 5 + 70, 0]  # the 3 wins in both windows


@pytest.mark.parametrize("options", [{}, {"padding": 1}, {"stride": 1}], ids=str)
def test_of_equals_the_first_in_reading_order_gets_the_gradient(options, device):
    x = tinycnn.tensor([[[[0.0, 7], [7, 7]]]], device=device, requires_grad=True)
    y = F.max_pool2d(x, 2, **options)
    y.sum().backward()
    expected = [0, 1, 0, 0] if "padding" not in options else [1, 1, 1, 1]  # padded, each pixel is alone in its window
    assert x.grad.numpy().ravel().tolist() == expected


def test_minus_infinity_is_a_number_like_others(device):
    x = tinycnn.tensor(np.full((1, 1, 3, 3), -np.inf), device=device, requires_grad=True)
    y = F.max_pool2d(x, 3, padding=1)
    y.backward(tinycnn.tensor([[[[2.0]]]], np.float64, device))
    assert y.numpy().ravel().tolist() == [-np.inf]
    assert x.grad.numpy().ravel().tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0]  # to a pixel, not into the padding


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 1, 0, 0, 2, 0]),
        ({"stride": (1, 1)}, [0, 3, 0, 0, 7, 0]),
        ({"ceil_mode": True, "stride": 4}, [0, 1, 0, 0, 2, 0]),
    ],
    ids=["side by side", "overlapping", "apart"],
)
def test_the_last_nan_of_a_window_wins_it(options, expected, device):
    x = tinycnn.tensor([[[[np.nan, np.nan, 3, 4, np.nan, 5]]]], device=device, requires_grad=True)
    y = F.max_pool2d(x, (1, 3), **options)
    y.backward(tinycnn.tensor(np.arange(1.0, y.numel() + 1).reshape(y.shape), np.float32, device))
    assert np.isnan(y.numpy()).all()
    assert x.grad.numpy().ravel().tolist() == expected


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    x, arguments = data(rng, case, dtype=dtype, device=device)
    y = F.max_pool2d(x, *arguments)
    assert y.dtype == dtype
    assert_close(y, max_pool2d_loops(x.numpy(), _pooling.arguments("max_pool2d", x, *arguments)), 0, 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_memory_order_gives_the_same(case, rng):
    x, arguments = data(rng, case)
    again = tinycnn.Tensor(batch_last(x.numpy()), requires_grad=True)
    y, same = F.max_pool2d(x, *arguments), F.max_pool2d(again, *arguments)
    assert np.array_equal(y.numpy(), same.numpy())
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    same.backward(batch_last(dy))
    assert np.array_equal(x.grad.numpy(), again.grad.numpy())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_are_batch_last_in_memory(case, rng):
    x, arguments = data(rng, case)
    y = F.max_pool2d(x, *arguments)
    dx = y.grad_fn.backward(y.grad_fn.ctx, rng.standard_normal(y.shape))
    assert y.numpy().transpose(1, 2, 3, 0).flags.c_contiguous and dx.transpose(1, 2, 3, 0).flags.c_contiguous


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck(case, rng, device):
    x, arguments = data(rng, case, device=device)
    assert gradcheck(lambda x: F.max_pool2d(x, *arguments), [x])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float32_gradients_are_float32(case, rng, device):
    x, arguments = data(rng, case, dtype=np.float32, device=device)
    F.max_pool2d(x, *arguments).sum().backward()
    assert x.grad.dtype == np.float32


# 4. Errors


@pytest.mark.parametrize(
    ("shape", "options", "error", "text"),
    [
        ((3, 8, 8), {"kernel_size": 2}, ValueError, r"max_pool2d: x must have 4 axes \(N, C, H, W\), got shape \(3, 8"),
        ((1, 0, 8, 8), {"kernel_size": 2}, ValueError, r"max_pool2d: x is empty, got shape \(1, 0, 8, 8\)"),
        ((1, 1, 8, 8), {"kernel_size": -2}, ValueError, "max_pool2d: kernel_size must be at least 1, got -2"),
        ((1, 1, 8, 8), {"kernel_size": 2.0}, TypeError, "kernel_size must be an int or a pair"),
        ((1, 1, 8, 8), {"kernel_size": 2, "stride": 0}, ValueError, "max_pool2d: stride must be at least 1, got 0"),
        ((1, 1, 8, 8), {"kernel_size": 2, "dilation": 0}, ValueError, "max_pool2d: dilation must be at least 1, got 0"),
        (
            (1, 1, 8, 8),
            {"kernel_size": 3, "padding": (1, 2)},
            ValueError,
            r"padding must be at most half the kernel, .* got padding \(1, 2\), kernel_size \(3, 3\)",
        ),
        (
            (1, 1, 4, 8),
            {"kernel_size": 3, "dilation": 2},
            ValueError,
            "max_pool2d: the kernel covers 5 x 5 pixels but the padded input has only 4 x 8",
        ),
    ],
)
def test_errors(shape, options, error, text):
    with pytest.raises(error, match=text):
        F.max_pool2d(tinycnn.Tensor(np.zeros(shape, np.float32)), **options)


def test_error_for_an_array():
    with pytest.raises(TypeError, match="max_pool2d: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.max_pool2d(np.zeros((1, 1, 3, 3)), 2)


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_torch(case, rng):
    torch = pytest.importorskip("torch")
    x, arguments = data(rng, case)
    assert_agrees_with_torch(
        lambda x: F.max_pool2d(x, *arguments), lambda x: torch.nn.functional.max_pool2d(x, *arguments), [x], rng
    )


def test_agrees_with_torch_in_random_settings_with_ties(rng):
    torch = pytest.importorskip("torch")
    for _ in range(100):
        kernel, stride, dilation = rng.integers(1, 5, 2), rng.integers(1, 5, 2), rng.integers(1, 3, 2)
        padding = rng.integers(0, kernel // 2 + 1)
        room = np.maximum(dilation * (kernel - 1) + 1 - 2 * padding, dilation)  # so that no window is all padding
        size = room + rng.integers(0, 8, 2)
        arguments = [tuple(pair.tolist()) for pair in (kernel, stride, padding, dilation)] + [bool(rng.random() < 0.5)]
        x = tinycnn.tensor(rng.integers(-2, 3, (*rng.integers(1, 3, 2), *size)), np.float64, requires_grad=True)
        try:
            assert_agrees_with_torch(
                lambda x, a=arguments: F.max_pool2d(x, *a),
                lambda x, a=arguments: torch.nn.functional.max_pool2d(x, *a),
                [x],
                rng,
            )
        except AssertionError as error:
            raise AssertionError(f"max_pool2d of {x.shape} with {arguments}: {error}") from error


def test_in_ceil_mode_a_window_larger_than_the_image_is_one_window(device):
    x = tinycnn.tensor(np.arange(4.0).reshape(1, 1, 2, 2), device=device, requires_grad=True)
    y = F.max_pool2d(x, 3, 2, ceil_mode=True)
    y.sum().backward()
    assert y.numpy().tolist() == [[[[3.0]]]]
    assert x.grad.numpy().tolist() == [[[[0, 0], [0, 1]]]]


@pytest.mark.parametrize("stride", [2, 1])
def test_an_infinite_gradient_reaches_the_maximum_alone(stride, device):
    x = tinycnn.tensor(np.arange(16.0).reshape(1, 1, 4, 4), device=device, requires_grad=True)
    y = F.max_pool2d(x, 2, stride)
    y.backward(tinycnn.tensor(np.full(y.shape, np.inf), device=device))
    assert set(x.grad.numpy().ravel()) == {0, np.inf}
