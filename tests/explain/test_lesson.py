"""The lesson's cases are the engine's; what is said of them is true."""

import numpy as np
import pytest
from helpers import assert_close

from tinycnn import explain, geometry
from tinycnn.explain import lesson
from tinycnn.nn import Conv2d, Sequential
from tinycnn.ops.conv2d import conv2d_loops


def test_the_toy_is_in_whole_numbers_and_its_output_can_be_checked_in_the_head():
    record = lesson.toy(1, 1, 1, False)["conv1"]
    window = [[0, 6, 7], [0, 6, 8], [4, 7, 9]]  # of channel 0, under output (2, 2)
    other = [[0, 2, 1], [0, 3, 1], [1, 3, 0]]
    assert record.x[0, 0, 1:4, 1:4].tolist() == window and record.x[0, 1, 1:4, 1:4].tolist() == other
    assert record.out[0, 0, 2, 2] == (-0 + 7) + 2 * (8 - 0) + (9 - 4) + (3 - 0) + 1 == 32
    for array in (record.x, record.w, record.b, record.out, record.grad_w, record.grad_x):
        assert np.array_equal(array, np.rint(array))


def test_every_case_agrees_with_the_loops():
    found = lesson.cases()
    assert len(found) == 16
    for options, trace in found:
        record = trace["conv1"]
        pairs = [tuple(options[name]) for name in ("stride", "padding", "dilation")]
        assert np.array_equal(record.out, conv2d_loops(record.x, record.w, record.b, *pairs))


def test_flipping_turns_every_kernel_and_changes_the_output():
    plain, flipped = (lesson.toy(1, 1, 1, flip)["conv1"] for flip in (False, True))
    assert np.array_equal(flipped.w, plain.w[:, :, ::-1, ::-1])
    assert all(not np.array_equal(plain.out[0, o], flipped.out[0, o]) for o in range(2))


def test_sizes_are_the_engines():
    table = lesson.size_table()
    assert table.shape == (200, 6)
    for n, k, s, p, d, size in table.tolist():
        assert size == max(geometry.output_size(n, k, s, p, d), 0)
    assert (table[:, 5] == 0).any() and len(np.unique(table[:, 5])) > 10


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (2, 2, 0), (3, 2, 1), (1, 3, 0)])
def test_adjoint(kernel, stride, padding, rng):
    x = rng.integers(-5, 6, (1, 2, 7, 6)).astype(np.float64)
    facts = lesson.adjoint(x, kernel, stride, padding)
    assert facts["left"] == facts["right"]
    assert np.array_equal(facts["there_and_back"], x[0] * facts["counts"])
    places = [np.arange(i * stride, i * stride + kernel) - padding for i in range(8)]
    for axis, size in enumerate((7, 6)):
        windows = geometry.output_size(size, kernel, stride, padding)
        per_pixel = np.array([sum(pixel in places[i] for i in range(windows)) for pixel in range(size)])
        assert np.array_equal(
            facts["counts"].max(axis=(0, 2 - axis)), per_pixel * facts["counts"].max() / per_pixel.max()
        )


@pytest.mark.parametrize("groups", [1, 2])
def test_partial_maps_add_up(groups, rng):
    model = Sequential(Conv2d(4, 6, 3, stride=2, padding=1, groups=groups)).double()
    trace = explain.trace(model, rng.standard_normal((1, 4, 7, 6)), gradient=np.ones((1, 6, 4, 3)))
    record = trace["conv1"]
    parts = lesson.partials(record)
    assert parts.shape == (4 // groups, 6, 4, 3)
    assert_close(parts.sum(axis=0) + record.b[:, None, None], record.out[0])
    alone = conv2d_loops(record.x[:, :1], record.w[:1, :1], np.zeros(1), (2, 2), (1, 1))
    assert_close(parts[0, 0], alone[0, 0])
