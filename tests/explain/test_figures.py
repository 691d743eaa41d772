"""Figures show the trace's numbers: what the artists hold is compared with the arrays, not pixels with pixels."""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from tinycnn import explain, manual_seed
from tinycnn.nn import AvgPool2d, Conv2d, Flatten, Linear, ReLU, Sequential, Sigmoid
from tinycnn.training import Epoch, Point, Run

pytest.importorskip("matplotlib")
from tinycnn.explain import figures  # noqa: E402
from tinycnn.explain.figures.animation import scene  # noqa: E402
from tinycnn.explain.figures.convolution import columns  # noqa: E402


@pytest.fixture
def traced(rng):
    """Two convolutions, non-square, padded and strided so that neither size divides; two images."""
    manual_seed(int(rng.integers(1000)))
    first, second = Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2)), Conv2d(4, 6, 2, groups=2)
    model = Sequential(first, Sigmoid(), AvgPool2d(2), second, ReLU(), Flatten(), Linear(6 * 2 * 4, 3)).double()
    return explain.trace(model, rng.standard_normal((2, 2, 11, 7)), np.array([0, 2]))


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def titled(figure, start):
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(start)]
    return found


def frames(axes):
    """The frames drawn on axes as (top, left, height, width) in cells."""
    return [(p.get_y() + 0.5, p.get_x() + 0.5, p.get_height(), p.get_width()) for p in axes.patches]


@pytest.mark.parametrize("image", [0, 1])
def test_conv_step_shows_window_kernel_products_and_their_sum(traced, image):
    record = traced["conv1"]
    figure = figures.conv_step(traced, "conv1", (3, 4, 5), image)
    windows = [shown(a) for a in figure.axes if a.get_title() == "window"]
    kernels = [shown(a) for a in figure.axes if a.get_title() == "kernel"]
    products = [shown(a) for a in figure.axes if a.get_title().startswith("products")]
    padded = np.pad(record.x[image], ((0, 0), (1, 1), (2, 2)))
    np.testing.assert_array_equal(windows, padded[:, 8:11, 5:7])
    np.testing.assert_array_equal(kernels, record.w[3])
    np.testing.assert_array_equal(products, padded[:, 8:11, 5:7] * record.w[3])
    output = titled(figure, "output 3")
    np.testing.assert_array_equal(shown(output), record.out[image, 3])
    assert frames(output) == [(4, 5, 1, 1)]
    assert frames(titled(figure, "channel 0, padded")) == [(8, 5, 3, 2)]
    assert np.sum(products) + record.b[3] == pytest.approx(record.out[image, 3, 4, 5])
    assert figure.get_supxlabel().endswith(f"bias {record.b[3]:.3g} = {record.out[image, 3, 4, 5]:.3g}")


@pytest.mark.parametrize(("layer", "filter", "group"), [("conv1", 2, 0), ("conv2", 1, 0), ("conv2", 5, 1)])
def test_the_columns_times_the_kernel_are_the_output(traced, layer, filter, group):
    record = traced[layer]
    for image in range(2):
        y = record.w[filter].reshape(-1) @ columns(record, group, image) + record.b[filter]
        np.testing.assert_allclose(y, record.out[image, filter].reshape(-1), rtol=1e-12, atol=1e-12)


def test_im2col_lights_the_column_and_the_output_of_one_window(traced):
    record = traced["conv1"]
    figure = figures.im2col(traced, "conv1", (3, 2), filter=1, image=1)
    matrix, row = titled(figure, "columns: 12 taps"), titled(figure, "row times matrix")
    np.testing.assert_array_equal(shown(matrix), columns(record, 0, 1))
    np.testing.assert_array_equal(shown(row).ravel(), record.out[1, 1].ravel())
    np.testing.assert_array_equal(shown(titled(figure, "kernel 1")).ravel(), record.w[1].ravel())
    at = 3 * record.out.shape[3] + 2
    assert frames(matrix) == [(0, at, 12, 1)]
    assert frames(row) == [(0, at, 1, 1)]
    assert frames(titled(figure, "channel 0, padded")) == [(6, 2, 3, 2)]
    window = np.pad(record.x[1], ((0, 0), (1, 1), (2, 2)))[:, 6:9, 2:4]
    np.testing.assert_array_equal(shown(matrix)[:, at], window.ravel())


@pytest.mark.parametrize(("layer", "filter"), [("conv1", 3), ("conv2", 5)])
def test_the_shares_of_the_channels_and_the_bias_add_up_to_the_map(traced, layer, filter):
    record = traced[layer]
    figure = figures.channel_sum(traced, layer, filter, image=1)
    shares = [shown(a) for a in figure.axes if a.get_title().endswith("its share")]
    assert len(shares) == 2
    kernels = [shown(a) for a in figure.axes if a.get_title() == "its kernel"]
    np.testing.assert_array_equal(kernels, record.w[filter])
    np.testing.assert_allclose(sum(shares) + record.b[filter], record.out[1, filter], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(shown(titled(figure, f"map {filter}")), record.out[1, filter])
    first = 2 if filter == 5 else 0  # the second group's channels
    for c in (first, first + 1):
        np.testing.assert_array_equal(shown(titled(figure, f"channel {c}")), record.x[1, c])


def test_feature_maps_are_the_layers_outputs(traced):
    figure = figures.feature_maps(traced, image=1)
    maps = [shown(a) for a in figure.axes if a.images]
    expected = [m for a in (traced.x, *(r.out for r in traced.layers if r.out.ndim == 4)) for m in a[1]]
    assert len(maps) == len(expected)
    for ours, theirs in zip(maps, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    heights = [patch.get_height() for patch in figure.axes[-1].patches]
    np.testing.assert_allclose(heights, traced.out[1])
    only = figures.feature_maps(traced, layers=["conv2"])
    assert len(only.axes) == 2 + 6  # the input's channels, and the maps


def test_receptive_field_frames_all_that_the_gradient_reaches(traced):
    figure = figures.receptive_field(traced, "conv2", (4, 1, 2), image=1)
    left, right = figure.axes
    gradient = traced.input_gradient("conv2", (1, 4, 1, 2))[1]
    np.testing.assert_array_equal(shown(left), traced.x[1, 0])
    np.testing.assert_array_equal(shown(right), gradient.sum(axis=0))
    ((top, left_edge, height, width),) = frames(right)
    rows, cols = np.nonzero(gradient.any(axis=0))
    assert (rows.min(), cols.min()) == (top, left_edge)
    assert (rows.max() + 1 - rows.min(), cols.max() + 1 - cols.min()) == (height, width)


def test_receptive_field_of_a_vector_is_the_image(traced):
    figure = figures.receptive_field(traced, "fc1", (2,))
    assert frames(figure.axes[0]) == [(0, 0, 11, 7)]


def test_gradient_flow_is_the_gradients_size_from_the_loss_down(traced):
    axes = figures.gradient_flow(traced).axes[0]
    sizes = [patch.get_width() for patch in axes.patches]
    expected = [np.sqrt((r.grad_out**2).mean()) for r in reversed(traced.layers)]
    np.testing.assert_allclose(sizes, expected)
    assert [label.get_text() for label in axes.get_yticklabels()] == [r.label for r in reversed(traced.layers)]
    tops = [patch.get_y() for patch in axes.patches]
    assert axes.yaxis_inverted() and tops == sorted(tops)


def test_gradient_sizes_are_drawn_by_net_and_layer():
    axes = figures.gradient_sizes({"deep": [1e-6, 1e-3, 0.1], "deeper": [1e-9, 1e-2]}).axes[0]
    assert [line.get_xydata().tolist() for line in axes.lines] == [
        [[1, 1e-6], [2, 1e-3], [3, 0.1]],
        [[1, 1e-9], [2, 1e-2]],
    ]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["deep", "deeper"]
    assert axes.get_yscale() == "log"


def test_training_curves_show_the_history():
    history = [Point(1, 5, 0.5, 0.1, 2.0, 0.3), Epoch(1, 1.0, 0.1, 1.5, 0.5, 1.4, 0.6)]
    figure = figures.training_curves(Run(history=history, epochs=1))
    losses = [line.get_ydata().tolist() for line in figure.axes[0].lines]
    accuracies = [line.get_ydata().tolist() for line in figure.axes[1].lines]
    assert losses == [[2.0]] and accuracies == [[0.3], [0.6]]


def test_filters_over_time_are_the_snapshots_on_one_scale(rng):
    snapshots = [rng.standard_normal((3, 2, 4, 5)) for _ in range(2)]
    figure = figures.filters_over_time(snapshots, [0, 10], channel=1)
    for o in range(3):
        for t in range(2):
            axes = figure.axes[o * 2 + t]
            np.testing.assert_array_equal(shown(axes), snapshots[t][o, 1])
            assert axes.images[0].get_clim() == (-np.abs(snapshots)[:, :, 1].max(), np.abs(snapshots)[:, :, 1].max())
    with pytest.raises(ValueError, match=r"got 2 snapshots and 1 numbers of steps, expected one each"):
        figures.filters_over_time(snapshots, [0])


def test_animate_conv_has_one_frame_per_output(traced, tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = figures.animate_conv(traced, "conv2", tmp_path / "new" / "slide.gif", filter=5)
    with image.open(path) as gif:
        assert gif.n_frames == traced["conv2"].out[0, 5].size
        first = np.asarray(gif.convert("RGB"))
        gif.seek(gif.n_frames - 1)
        assert (first != np.asarray(gif.convert("RGB"))).any()


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_what_moves_can_be_worked_out_from_what_is_seen(traced, layer):
    """Every channel with its kernel, the bias, the output: at the first window they add up."""
    record = traced[layer]
    figure, frames, output = scene(record, 1, 1)
    kernels = np.array([shown(a) for a in figure.axes if a.get_title() == "its kernel"])
    channels = [shown(a) for a in figure.axes if a.get_title().startswith(("channel", "image"))]
    np.testing.assert_array_equal(kernels, record.w[1])
    assert len(channels) == len(frames) == len(kernels)
    (DH, DW), (KH, KW) = record.options["dilation"], record.w.shape[2:]
    windows = np.array([x[: DH * (KH - 1) + 1 : DH, : DW * (KW - 1) + 1 : DW] for x in channels])
    b = 0 if record.b is None else record.b[1]
    np.testing.assert_allclose((windows * kernels).sum() + b, shown(output)[0, 0], rtol=1e-5)
    assert f"bias {b:.3g}" in output.get_title()


def test_pictures_are_the_images(rng):
    images = list(rng.standard_normal((3, 4, 6)))
    figure = figures.pictures(images, ["a", "b", "c"], columns=2, signed=True)
    for axes, picture, title in zip(figure.axes, images, "abc", strict=False):
        np.testing.assert_array_equal(shown(axes), picture)
        assert axes.get_title() == title


def test_save_goes_where_the_environment_says(tmp_path, monkeypatch, rng):
    monkeypatch.setenv("TINYCNN_OUT", str(tmp_path / "out"))
    path = figures.save(figures.pictures([rng.random((2, 2))]), "x.png")
    assert path == tmp_path / "out" / "x.png" and path.read_bytes().startswith(b"\x89PNG")
    monkeypatch.delenv("TINYCNN_OUT")
    monkeypatch.chdir(tmp_path)
    figures.save(figures.pictures([rng.random((2, 2))]), "x.png")
    assert (tmp_path / "runs" / "lessons" / "x.png").exists()


def test_only_a_convolution_has_steps(traced):
    for draw in (figures.conv_step, figures.im2col, figures.channel_sum):
        with pytest.raises(ValueError, match=rf"{draw.__name__}: sigmoid1 is a sigmoid, expected a convolution"):
            draw(traced, "sigmoid1")


def test_in_a_notebook_the_picture_appears_under_the_cell(tmp_path, monkeypatch, traced):
    seen = []

    class ZMQInteractiveShell:
        pass

    ipython = types.ModuleType("IPython")
    ipython.version_info = (9, 0)  # matplotlib looks at it
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.Image = lambda filename: Path(filename).read_bytes()
    ipython.display.display = seen.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    monkeypatch.setenv("TINYCNN_OUT", str(tmp_path))
    figure = figures.pictures([np.eye(3)])
    for shell, shown in ((None, 0), (types.SimpleNamespace(), 0), (ZMQInteractiveShell(), 1)):
        ipython.get_ipython = lambda shell=shell: shell
        path = figures.save(figure, "eye.png")
        assert len(seen) == shown
    assert seen == [path.read_bytes()]


def test_without_matplotlib_the_extra_is_named(monkeypatch, traced):
    monkeypatch.setattr("tinycnn.explain.figures.style.can_draw", lambda: False)
    with pytest.raises(RuntimeError, match=r'matplotlib is not installed; pip install "tinycnn\[plot\]"'):
        figures.gradient_flow(traced)


def test_figures_leave_matplotlibs_state_alone():
    """Neither importing nor drawing loads pyplot, which would pick a window system."""
    code = (
        "import sys; from tinycnn.explain import figures, lesson\n"
        "assert 'matplotlib' not in sys.modules\n"
        "figures.conv_step(lesson.toy(1, 1, 1, False), 'conv1').canvas.draw()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
