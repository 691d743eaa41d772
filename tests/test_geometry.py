"""Sizes, receptive fields and costs, against counting by hand and by brute force."""

import numpy as np
import pytest

import tinycnn
from tinycnn import functional as F
from tinycnn import geometry, nn
from tinycnn.geometry import ReceptiveField


def test_sizes_of_the_chapter():
    assert geometry.output_size(28, kernel=5, padding=2) == 28
    assert geometry.output_size(28, kernel=2, stride=2) == 14
    assert geometry.output_size(14, kernel=5) == 10
    assert geometry.output_size(4, kernel=5) == 0
    assert geometry.output_size(5, kernel=2, stride=2, ceil_mode=True) == 3
    assert (
        geometry.output_size(2, kernel=2, stride=3, padding=1, ceil_mode=True) == 1
    )  # a second would start in the right padding


def test_output_size_is_the_number_of_windows_that_fit(rng):
    for _ in range(200):
        n, k, s, p, d = (int(rng.integers(low, high)) for low, high in ((1, 12), (1, 5), (1, 5), (0, 4), (1, 4)))
        span = d * (k - 1) + 1
        fitting = len([first for first in range(-p, n + p, s) if first + span <= n + p])
        assert max(geometry.output_size(n, k, s, p, d), 0) == fitting, (n, k, s, p, d)


def test_output_size_is_torchs_also_rounded_up(rng):
    torch = pytest.importorskip("torch")
    for _ in range(100):
        n, k, s, d = (int(rng.integers(low, high)) for low, high in ((4, 14), (1, 5), (1, 6), (1, 3)))
        p = int(rng.integers(0, k // 2 + 1))
        if d * (k - 1) + 1 <= n + 2 * p:
            for ceil_mode in (False, True):
                y = torch.nn.functional.max_pool2d(torch.zeros(1, 1, n, n), k, s, p, d, ceil_mode)
                assert geometry.output_size(n, k, s, p, d, ceil_mode) == y.shape[-1], (n, k, s, p, d, ceil_mode)


def test_receptive_fields_of_lenet():
    field = ReceptiveField()
    sizes = []
    for kernel, stride, padding in ((5, 1, 2), (2, 2, 0), (5, 1, 0), (2, 2, 0)):
        field = field.through(kernel, stride, padding)
        sizes.append((field.size, field.jump, field.start))
    assert sizes == [(5, 1, -2), (6, 2, -2), (14, 2, -2), (16, 4, -2)]
    assert field.pixels(0, 28) == range(0, 14) and field.pixels(2, 28) == range(6, 22)
    assert field.pixels(4, 28) == range(14, 28)


@pytest.mark.parametrize(
    "windows",
    [
        [(3, 2, 1, 1), (2, 1, 0, 2), (3, 3, 2, 1)],
        [(2, 2, 0, 1), (4, 1, 2, 1)],
        [(5, 3, 2, 1), (1, 2, 0, 1), (2, 1, 1, 1)],
    ],
)
def test_a_receptive_field_is_where_the_gradient_of_one_output_goes(windows, rng):
    n, field = 50, ReceptiveField()
    x = tinycnn.tensor(np.ones((1, 1, 1, n)), requires_grad=True)
    y = x
    for k, s, p, d in windows:
        y = F.conv2d(y, tinycnn.tensor(rng.uniform(1, 2, (1, 1, 1, k))), None, (1, s), (0, p), (1, d))
        field = field.through(k, s, p, d)
    for i in range(y.shape[-1]):
        x.grad = None
        y[0, 0, 0, i].backward(retain_graph=True)
        touched, pixels = np.flatnonzero(x.grad.numpy()), field.pixels(i, n)
        assert set(touched) <= set(pixels), i
        if i == y.shape[-1] // 2:  # at the border a later layer's padding may hide some of them
            assert (touched[0], touched[-1]) == (pixels[0], pixels[-1]) and len(pixels) == field.size


def test_costs_by_hand():
    assert geometry.conv2d_multiply_adds((6, 1, 5, 5), (28, 28)) == 6 * 25 * 784
    assert geometry.conv2d_multiply_adds((8, 2, 3, 1), (4, 5)) == 8 * 2 * 3 * 20
    assert geometry.linear_multiply_adds((120, 400)) == 48_000
    assert geometry.linear_multiply_adds((3, 2), rows=7) == 42


def test_im2col_bytes_are_one_number_per_weight_of_a_filter_and_output_pixel():
    layer = nn.Conv2d(3, 5, (3, 2), (2, 1), (1, 2), (1, 2))
    _, O, OH, OW = layer(tinycnn.Tensor(np.zeros((1, 3, 9, 8), np.float32))).shape
    numbers = layer.weight.numel() // O * OH * OW
    assert geometry.im2col_bytes(3, (3, 2), (OH, OW)) == numbers * 4
    assert geometry.im2col_bytes(3, (3, 2), (OH, OW), itemsize=8) == numbers * 8
