import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn import geometry
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.backend import set_workspace_limit, workspace_limit
from tinycnn.ops.conv2d import col2im, conv2d_loops, im2col

CASES = [  # N, C, H, W, O, KH, KW, stride, padding, dilation, groups
    (1, 1, 3, 3, 1, 2, 2, (1, 1), (0, 0), (1, 1), 1),
    (3, 2, 7, 9, 4, 3, 2, (2, 3), (1, 0), (1, 1), 1),  # strides that do not divide
    (2, 3, 8, 5, 2, 5, 3, (1, 2), (2, 3), (1, 1), 1),  # padding wider than the kernel's half
    (1, 4, 9, 8, 6, 3, 3, (2, 1), (1, 2), (2, 3), 2),  # dilation and groups
    (2, 3, 6, 7, 3, 2, 3, (1, 1), (0, 1), (1, 2), 3),  # depthwise
    (4, 2, 1, 1, 3, 1, 1, (3, 3), (0, 0), (1, 1), 1),  # one pixel
]


def data(rng, case, **options):
    N, C, H, W, O, KH, KW, stride, padding, dilation, groups = case
    x, w = leaf(rng, N, C, H, W, **options), leaf(rng, O, C // groups, KH, KW, **options)
    b = leaf(rng, O, **options)
    return (x, w, b), dict(stride=stride, padding=padding, dilation=dilation, groups=groups)


# 1. Numbers that a person can check


def test_by_hand(device):
    x = tinycnn.tensor([[[[0.0, 1, 2], [3, 4, 5], [6, 7, 8]]]], device=device)
    w = tinycnn.tensor([[[[0.0, 1], [2, 3]]]], device=device)
    y = F.conv2d(x, w, tinycnn.tensor([0.5], device=device))
    assert y.numpy().tolist() == [
        [
            [
                [0 * 0 + 1 * 1 + 3 * 2 + 4 * 3 + 0.5, 1 * 0 + 2 * 1 + 4 * 2 + 5 * 3 + 0.5],
                [3 * 0 + 4 * 1 + 6 * 2 + 7 * 3 + 0.5, 4 * 0 + 5 * 1 + 7 * 2 + 8 * 3 + 0.5],
            ]
        ]
    ]


def test_gradients_by_hand():
    x = tinycnn.tensor([[[[1.0, 2, 3]]]], requires_grad=True)
    w = tinycnn.tensor([[[[10.0, 20]]]], requires_grad=True)
    b = tinycnn.tensor([0.0], requires_grad=True)
    F.conv2d(x, w, b).backward(tinycnn.tensor([[[[1.0, 100]]]]))  # y0 = 10 x0 + 20 x1, y1 = 10 x1 + 20 x2
    assert x.grad.numpy().ravel().tolist() == [10, 20 + 1000, 2000]
    assert w.grad.numpy().ravel().tolist() == [1 * 1 + 100 * 2, 1 * 2 + 100 * 3]
    assert b.grad.numpy().tolist() == [101]


# 2. The definition


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_loops(case, dtype, rng, device):
    (x, w, b), options = data(rng, case, dtype=dtype, device=device)
    y = F.conv2d(x, w, b, **options)
    assert y.dtype == dtype
    expected = conv2d_loops(x.numpy(), w.numpy(), b.numpy(), **options)
    assert_close(y, expected, *((1e-5, 1e-5) if dtype == np.float32 else (1e-12, 1e-12)))


def test_any_memory_order_gives_the_same(rng):
    (x, w, b), options = data(rng, CASES[1])
    y = F.conv2d(x, w, b, **options)
    again = F.conv2d(tinycnn.Tensor(batch_last(x.numpy())), w, b, **options)
    assert np.array_equal(y.numpy(), again.numpy())


def test_result_is_batch_last_in_memory(rng):
    (x, w, b), options = data(rng, CASES[1])
    assert F.conv2d(x, w, b, **options).numpy().transpose(1, 2, 3, 0).flags.c_contiguous


def test_without_bias(rng):
    (x, w, b), options = data(rng, CASES[1])
    zero = tinycnn.Tensor(np.zeros_like(b.numpy()))
    assert np.array_equal(F.conv2d(x, w, **options).numpy(), F.conv2d(x, w, zero, **options).numpy())


# 3. Gradients


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck(case, rng, device):
    inputs, options = data(rng, case, device=device)
    assert gradcheck(lambda x, w, b: F.conv2d(x, w, b, **options), inputs)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_col2im_is_the_adjoint_of_im2col(case, rng):
    N, C, H, W, _, KH, KW, stride, _, dilation, groups = case
    H, W = H + 3, W + 5  # room for every kernel without padding
    x = rng.standard_normal((groups, C // groups, H, W, N))
    windows = geometry.windows("", (H, W), (KH, KW), stride, dilation=dilation)
    cols = im2col(x, windows)
    g, back = rng.standard_normal(cols.shape), np.zeros_like(x)
    col2im(g, back, windows)
    np.testing.assert_allclose((cols * g).sum(), (x * back).sum(), rtol=1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_im2col_equals_its_definition(case, rng):
    N, C, H, W, _, KH, KW, (SH, SW), _, (DH, DW), groups = case
    H, W = H + 3, W + 5
    x = rng.standard_normal((groups, C // groups, H, W, N))
    cols = im2col(x, geometry.windows("", (H, W), (KH, KW), (SH, SW), dilation=(DH, DW)))
    OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
    cols = cols.reshape(groups, OH, KH, C // groups, KW, OW, N)
    for i, u, v, j in np.ndindex(OH, KH, KW, OW):
        assert np.array_equal(cols[:, i, u, :, v, j], x[:, :, i * SH + u * DH, j * SW + v * DW])


def test_columns_of_neighbouring_output_rows_share_memory():
    x = np.zeros((1, 3, 8, 9, 2))
    cols = im2col(x, geometry.windows("", (8, 9), (3, 2)))
    assert np.may_share_memory(cols[0, 0], cols[0, 1]) and cols.shape == (1, 6, 3 * 3 * 2, 8 * 2)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_in_pieces_gives_the_same(case, rng):
    inputs, options = data(rng, case)
    whole = F.conv2d(*inputs, **options)
    dy = rng.standard_normal(whole.shape)
    whole.backward(dy)
    expected = [whole.numpy(), *(t.grad.numpy() for t in inputs)]
    limit = workspace_limit()
    try:
        set_workspace_limit(1)  # one output row at a time
        for t in inputs:
            t.grad = None
        y = F.conv2d(*inputs, **options)
        y.backward(dy)
    finally:
        set_workspace_limit(limit)
    for actual, wanted in zip([y, *(t.grad for t in inputs)], expected, strict=True):
        assert_close(actual, wanted)


def test_no_gradient_is_computed_for_an_image_that_needs_none(rng):
    (x, w, b), options = data(rng, CASES[1])
    x = x.detach()
    F.conv2d(x, w, b, **options).sum().backward()
    assert x.grad is None and w.grad is not None


# 4. Errors


@pytest.mark.parametrize(
    ("x", "w", "b", "options", "error", "text"),
    [
        (
            (3, 28, 28),
            (6, 3, 5, 5),
            None,
            {},
            ValueError,
            r"conv2d: x must have 4 axes \(N, C, H, W\), got shape \(3, 28",
        ),
        ((2, 3, 8, 8), (6, 1, 5, 5), None, {}, ValueError, "conv2d: x has 3 channels, weight expects 1"),
        (
            (2, 3, 8, 8),
            (6, 3, 5, 5),
            (5,),
            {},
            ValueError,
            r"bias must have shape \(6,\), one number per filter, got \(5,\)",
        ),
        (
            (2, 3, 4, 8),
            (6, 3, 5, 5),
            None,
            {},
            ValueError,
            "kernel covers 5 x 5 pixels but the padded input has only 4 x 8",
        ),
        ((2, 3, 8, 8), (6, 3, 5, 5), None, {"stride": 0}, ValueError, "conv2d: stride must be at least 1, got 0"),
        (
            (2, 3, 8, 8),
            (6, 3, 5, 5),
            None,
            {"padding": (1, -1)},
            ValueError,
            r"padding must be at least 0, got \(1, -1\)",
        ),
        ((2, 3, 8, 8), (6, 3, 5, 5), None, {"dilation": 1.5}, TypeError, "dilation must be an int or a pair"),
        ((2, 3, 8, 8), (6, 3, 5, 5), None, {"groups": 2}, ValueError, "groups must divide the 3 channels"),
        ((2, 3, 8, 0), (6, 3, 5, 5), None, {}, ValueError, r"conv2d: x is empty, got shape \(2, 3, 8, 0\)"),
    ],
)
def test_errors(x, w, b, options, error, text):
    x, w, b = (None if s is None else tinycnn.Tensor(np.zeros(s, np.float32)) for s in (x, w, b))
    with pytest.raises(error, match=text):
        F.conv2d(x, w, b, **options)


def test_error_for_mixed_dtypes(rng):
    x, w = leaf(rng, 1, 1, 3, 3, dtype=np.float32), leaf(rng, 1, 1, 2, 2)
    with pytest.raises(TypeError, match="conv2d: all tensors must have the same dtype, got x float32, weight float64"):
        F.conv2d(x, w)


def test_error_for_an_array():
    with pytest.raises(TypeError, match="conv2d: x must be a tinycnn.Tensor, got numpy.ndarray; wrap it"):
        F.conv2d(np.zeros((1, 1, 3, 3)), tinycnn.tensor([[[[1.0]]]]))


# 5. PyTorch


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_torch(case, rng):
    torch = pytest.importorskip("torch")
    inputs, options = data(rng, case)
    theirs = [torch.tensor(t.numpy(), requires_grad=True) for t in inputs]
    y, expected = F.conv2d(*inputs, **options), torch.nn.functional.conv2d(*theirs, **options)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    assert_close(y, expected)
    for t, r in zip(inputs, theirs, strict=True):
        assert_close(t.grad, r.grad)


def test_numbers_of_numpys_are_numbers(rng):
    x, w = leaf(rng, 2, 4, 5, 5), leaf(rng, 4, 2, 3, 3)
    y = F.conv2d(x, w, None, np.int64(2), np.int32(1), groups=np.int64(2))
    assert_close(y, F.conv2d(x, w, None, 2, 1, groups=2))
    assert_close(F.dropout(x, np.float32(0)), x)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch says that it copies
@pytest.mark.parametrize("kernel", [(3, 5), (2, 3), (4, 2), (1, 1)])
@pytest.mark.parametrize("dilation", [1, (2, 1), 3])
def test_padding_same_keeps_the_size_as_in_torch(kernel, dilation, rng):
    torch = pytest.importorskip("torch")
    inputs = [leaf(rng, 2, 2, 6, 7), leaf(rng, 3, 2, *kernel), leaf(rng, 3)]
    assert F.conv2d(*inputs, padding="same", dilation=dilation).shape == (2, 3, 6, 7)
    assert_agrees_with_torch(
        lambda *t: F.conv2d(*t, padding="same", dilation=dilation),
        lambda *t: torch.nn.functional.conv2d(*t, padding="same", dilation=dilation),
        inputs,
        rng,
    )
    if dilation == 1:
        assert_close(F.conv2d(*inputs, padding="valid"), F.conv2d(*inputs))


def test_errors_for_padding_in_words(rng):
    x, w = leaf(rng, 1, 1, 5, 5), leaf(rng, 1, 1, 3, 3)
    with pytest.raises(ValueError, match=r'conv2d: padding="same" needs stride 1, got stride \(1, 2\)'):
        F.conv2d(x, w, stride=(1, 2), padding="same")
    with pytest.raises(ValueError, match="conv2d: padding must be one of 'valid', 'same', got 'full'"):
        F.conv2d(x, w, padding="full")
