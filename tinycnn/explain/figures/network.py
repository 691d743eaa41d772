"""network: all layers of a trace: what they make of an image, what one number of them sees, how gradients return."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinycnn.explain.figures import style
from tinycnn.explain.measure import SILENT, flow
from tinycnn.explain.trace import Trace


def feature_maps(trace: Trace, image: int = 0, layers: Sequence[str] | None = None, most: int = 16) -> Any:
    """A Figure with one row per layer: its maps for one image, the input first; vectors are drawn as bars.

    `layers` chooses by label; at most `most` maps of each are drawn.
    """
    records = [r for r in trace.layers if r.kind not in SILENT and (layers is None or r.label in layers)]
    rows = [("input", trace.x[image])] + [(r.label, r.out[image]) for r in records]
    widest = min(most, max(len(a) for _, a in rows if a.ndim == 3))
    figure = style.new(0.85 * widest + 1.4, 0.95 * len(rows) + 0.5)
    cells = figure.add_gridspec(len(rows), widest)
    for k, (label, out) in enumerate(rows):
        if out.ndim == 3:
            for c, values in enumerate(out[:widest]):
                axes = figure.add_subplot(cells[k, c])
                style.picture(axes, values)
                if c == 0:
                    _beside(axes, f"{label}\n{'x'.join(map(str, out.shape))}")
        else:
            axes = figure.add_subplot(cells[k, :])
            axes.bar(np.arange(len(out)), out, color=np.where(out < 0, "#2166ac", "#b2182b"), width=0.8)
            axes.margins(x=0.01)
            style.bare(axes)
            _beside(axes, f"{label}\n{len(out)}")
    return figure


def _beside(axes: Any, text: str) -> None:
    axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8, color=style.INK, labelpad=8)


def receptive_field(trace: Trace, layer: str | int, unit: tuple[int, ...], image: int = 0) -> Any:
    """A Figure of what one number of a layer, (c, i, j) of a map or (k,) of a vector, can see of the image: the box
    that geometry allows, and how much the number would change with each pixel, as backward finds it."""
    record = trace[layer]
    gradient = trace.input_gradient(layer, (image, *unit))[image]  # (C, H, W)
    _, H, W = gradient.shape
    place = ", ".join(map(str, unit))
    figure = style.new(7.4, 3.9, f"What output ({place}) of {record.label} sees")
    left, right = figure.subplots(1, 2)
    style.picture(left, trace.x[image, 0], "the image")
    style.picture(right, gradient.sum(axis=0), "gradient of the output by each pixel", signed=True)
    if record.receptive_field is not None:
        rows, columns = (f.pixels(k, n) for f, k, n in zip(record.receptive_field, unit[1:], (H, W), strict=True))
    else:
        rows, columns = range(H), range(W)
    for axes in (left, right):
        style.frame(axes, rows.start, columns.start, len(rows), len(columns))
    figure.supxlabel(f"{len(rows)} x {len(columns)} pixels", fontsize=9, color=style.FAINT)
    return figure


def gradient_flow(trace: Trace) -> Any:
    """A Figure of how large the gradient is after each layer on its way back: root mean square, on a log scale."""
    steps = flow(trace)
    names, sizes = [step["layer"] for step in steps], [step["rms"] for step in steps]
    title = "How large the gradient still is, from the loss (top) back to the image"
    figure = style.new(7.5, 0.3 * len(steps) + 1.3, title)
    axes = figure.subplots()
    order = np.arange(len(steps))[::-1]
    axes.barh(len(steps) - 1 - order, np.array(sizes)[order], color=style.LIT, height=0.7)
    style.rows(axes, [names[k] for k in order])
    axes.set_xscale("log")
    axes.set_xlabel("root mean square of the gradient of the layer's output", fontsize=9, color=style.INK)
    return figure


def gradient_sizes(sizes: Mapping[str, Sequence[float]]) -> Any:
    """A Figure of how large the gradients of layers are, from the first on, of several nets by name, on a log scale."""
    figure = style.new(6.6, 3.4, "How large the gradient of each layer's weights is")
    axes = figure.subplots()
    for name, of_layers in sizes.items():
        axes.plot(range(1, len(of_layers) + 1), of_layers, "o-", label=name)
    axes.set_yscale("log")
    axes.set_xlabel("layer, counted from the image", fontsize=9, color=style.INK)
    axes.set_ylabel("root mean square", fontsize=9, color=style.INK)
    axes.legend(frameon=False, fontsize=9)
    return figure
