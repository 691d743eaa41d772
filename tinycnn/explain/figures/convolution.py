"""convolution: one convolution of a trace, number by number: a step, the columns, the sum over channels.

Read in this order: window_of, columns, conv_step, im2col, channel_sum.
"""

from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.explain.figures import style
from tinycnn.explain.lesson import partials
from tinycnn.explain.trace import LayerRecord, Trace

MOST_CHANNELS = 6  # that are drawn one above the other


def convolution(trace: Trace, layer: str | int, asker: str) -> LayerRecord:
    """The layer's record; ValueError unless it is a convolution."""
    record = trace[layer]
    if record.kind != "conv2d":
        raise ValueError(f"figures.{asker}: {record.label} is a {record.kind}, expected a convolution")
    return record


def weights(record: LayerRecord) -> Array:
    """The kernels (O, C/G, KH, KW) of a convolution's record."""
    if record.w is None:
        raise ValueError(f"figures: {record.label} has no weights in the trace")
    return record.w


def bias(record: LayerRecord, o: int) -> float:
    """The bias of filter o; 0 where the layer has none."""
    return 0.0 if record.b is None else float(record.b[o])


def window_of(record: LayerRecord, o: int, i: int, j: int, image: int = 0) -> tuple[Array, Array, int, int]:
    """What output (o, i, j) was made of: its group's padded channels (C/G, H', W'), its window (C/G, KH, KW), and
    the window's corner (top, left) in the padded image."""
    w, (PH, PW) = weights(record), record.options["padding"]
    (SH, SW), (DH, DW) = record.options["stride"], record.options["dilation"]
    O, C, KH, KW = w.shape
    first = o // (O // record.options["groups"]) * C  # the first channel of this filter's group
    x = np.pad(record.x[image, first : first + C], ((0, 0), (PH, PH), (PW, PW)))  # (C/G, H', W')
    top, left = i * SH, j * SW
    window = x[:, top : top + DH * (KH - 1) + 1 : DH, left : left + DW * (KW - 1) + 1 : DW]  # (C/G, KH, KW)
    return x, window, top, left


def columns(record: LayerRecord, group: int = 0, image: int = 0) -> Array:
    """The columns of one image as textbooks draw them, (C/G*KH*KW, OH*OW): row (c, u, v), column (i, j)."""
    _, C, KH, KW = weights(record).shape
    if record.cols is None:
        raise ValueError(f"figures: {record.label} has no columns in the trace")
    OH, OW = record.out.shape[2:]
    cols = record.cols[group].reshape(OH, KH, C, KW, OW, -1)[..., image]  # (OH, KH, C/G, KW, OW)
    matrix: Array = cols.transpose(2, 1, 3, 0, 4).reshape(C * KH * KW, OH * OW)
    return matrix


def extent(record: LayerRecord) -> tuple[int, int]:
    """Height and width of a window in the image, dilation counted."""
    KH, KW = weights(record).shape[2:]
    DH, DW = record.options["dilation"]
    return DH * (KH - 1) + 1, DW * (KW - 1) + 1


def conv_step(trace: Trace, layer: str | int, unit: tuple[int, int, int] = (0, 0, 0), image: int = 0) -> Any:
    """A Figure of one output number (o, i, j): channel by channel the window, the kernel, their products and sums."""
    record, (o, i, j) = convolution(trace, layer, "conv_step"), unit
    w, b, y = weights(record)[o], bias(record, o), record.out[image, o]
    x, window, top, left = window_of(record, o, i, j, image)
    shown = min(len(w), MOST_CHANNELS)
    products = window * w
    size = style.reach(x), style.reach(w), style.reach(products)
    figure = style.new(11, 2.2 * shown + 0.9, f"{record.label}: how output ({o}, {i}, {j}) is made")
    cells = figure.add_gridspec(shown, 8, width_ratios=(2.2, 0.3, 1.2, 0.3, 1.2, 0.3, 1.2, 2.2))
    for c in range(shown):
        row = [figure.add_subplot(cells[c, k]) for k in range(7)]
        style.grid(row[0], x[c], _name(record, c), size[0])
        style.frame(row[0], top, left, *extent(record))
        for k, sign in ((1, "→"), (3, "×"), (5, "=")):
            style.note(row[k], sign)
        style.grid(row[2], window[c], "window", size[0])
        style.grid(row[4], w[c], "kernel", size[1])
        style.grid(row[6], products[c], f"products, sum {style.number(products[c].sum())}", size[2])
    result = figure.add_subplot(cells[:, 7])
    style.grid(result, y, f"output {o}")
    style.frame(result, i, j, 1, 1)
    sums = [float(s) for s in products[:shown].sum(axis=(1, 2))]
    if shown < len(w):
        sums.append(float(products[shown:].sum()))
    terms = " + ".join(f"({style.number(s)})" if s < 0 else style.number(s) for s in sums)
    rest = f"   (the last sum is of {len(w) - shown} channels that are not drawn)" if shown < len(w) else ""
    figure.supxlabel(f"{terms} + bias {style.number(b)} = {style.number(y[i, j])}{rest}", color=style.INK, fontsize=11)
    return figure


def im2col(trace: Trace, layer: str | int, position: tuple[int, int] = (0, 0), filter: int = 0, image: int = 0) -> Any:
    """A Figure of a convolution as a matrix product: the window of output (i, j) is one lit column of the matrix, and
    the kernel as a row times that column is the lit number of the output as a row."""
    record, (i, j) = convolution(trace, layer, "im2col"), position
    w, y = weights(record), record.out[image, filter]
    x, _, top, left = window_of(record, filter, i, j, image)
    cols = columns(record, filter // (len(w) // record.options["groups"]), image)
    at = i * y.shape[1] + j
    figure = style.new(12, 5.6, f"{record.label}: every window is a column, and the convolution one product")
    cells = figure.add_gridspec(2, 3, width_ratios=(2.2, 1.6, 6), height_ratios=(4.4, 1))
    axes = [figure.add_subplot(cells[0, 0]), figure.add_subplot(cells[0, 1:])]
    axes += [figure.add_subplot(cells[1, :2]), figure.add_subplot(cells[1, 2])]
    style.grid(axes[0], x[0], _name(record, 0))
    style.frame(axes[0], top, left, *extent(record))
    style.grid(axes[1], cols, f"columns: {cols.shape[0]} taps x {cols.shape[1]} windows")
    style.frame(axes[1], 0, at, len(cols), 1)
    style.grid(axes[2], w[filter].reshape(1, -1), f"kernel {filter} as a row", numbers=w[filter].size <= 18)
    title = f"row times matrix, plus bias {style.number(bias(record, filter))}: the output as a row"
    style.grid(axes[3], y.reshape(1, -1), title, numbers=y.size <= 40)
    style.frame(axes[3], 0, at, 1, 1)
    for long in axes[1:]:
        long.set_aspect("auto")
    return figure


def _name(record: LayerRecord, c: int) -> str:
    """A channel of the image that the windows slide over."""
    padded = ", padded" if record.options["padding"] != (0, 0) else ""
    return f"channel {c}{padded}"


def channel_sum(trace: Trace, layer: str | int, filter: int = 0, image: int = 0) -> Any:
    """A Figure of one output map as what it is: a sum of one map per input channel, and the bias."""
    record = convolution(trace, layer, "channel_sum")
    only = _one_image(record, image)
    parts, y, b = partials(only)[:, filter], record.out[image, filter], bias(record, filter)
    limit = style.reach(parts, y)
    figure = style.new(1.6 * (len(parts) + 2), 6.2, f"{record.label}: map {filter} is a sum over channels")
    axes = figure.subplots(3, len(parts) + 2)
    w = weights(record)[filter]
    first = filter // (len(weights(record)) // record.options["groups"]) * len(w)
    for c, part in enumerate(parts):
        style.picture(axes[0, c], record.x[image, first + c], f"channel {first + c}")
        style.picture(axes[1, c], w[c], "its kernel", signed=True, limit=style.reach(w))
        style.picture(axes[2, c], part, f"{'+ ' if c else ''}its share", signed=True, limit=limit)
    for empty in axes[:2, -2:].flat:
        style.note(empty, "")
    style.note(axes[2, -2], f"+ {style.number(b)}\n(bias)\n\n=", 10)
    style.picture(axes[2, -1], y, f"map {filter}", signed=True, limit=limit)
    return figure


def _one_image(record: LayerRecord, image: int) -> Any:
    """The record as if that image had been the only one: what lesson.partials looks at."""

    class Only:
        x, w, options = record.x[image : image + 1], record.w, record.options

    return Only
