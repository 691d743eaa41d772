"""animation: a kernel that slides over an image, as a GIF."""

from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.explain.figures import style
from tinycnn.explain.figures.convolution import MOST_CHANNELS, bias, convolution, extent, weights, window_of
from tinycnn.explain.trace import LayerRecord, Trace


def animate_conv(
    trace: Trace, layer: str | int, path: str | Path, filter: int = 0, image: int = 0, per_second: int = 4
) -> Path:
    """Write a GIF to `path`: the window moves over the channels, and one output after another appears.

    One frame per output number of the filter's map, in the order in which they are read.  Each of the first six
    channels stands beside its kernel, so that a number can be worked out from what is seen.
    """
    from matplotlib.animation import FuncAnimation, PillowWriter

    record = convolution(trace, layer, "animate_conv")
    y = record.out[image, filter]
    figure, frames, output = scene(record, filter, image)
    shown, numbers = output.images[0], list(output.texts)  # in the order of y
    here = style.frame(output, 0, 0, 1, 1)
    (SH, SW), OW = record.options["stride"], y.shape[1]

    def draw(step: int) -> list[Any]:
        i, j = divmod(step, OW)
        for frame in frames:
            frame.set_xy((j * SW - 0.5, i * SH - 0.5))
        here.set_xy((j - 0.5, i - 0.5))
        known = np.full(y.size, np.nan)
        known[: step + 1] = y.reshape(-1)[: step + 1]
        shown.set_data(known.reshape(y.shape))
        for k, text in enumerate(numbers):
            text.set_visible(k <= step)
        return [*frames, here, shown, *numbers]

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, draw, frames=y.size).save(path, writer=PillowWriter(fps=per_second), dpi=80)
    return path


def scene(record: LayerRecord, filter: int, image: int) -> tuple[Any, list[Any], Any]:
    """The Figure that moves, one row per channel; the frames of the window in it; the axes of the output."""
    x, _, _, _ = window_of(record, filter, 0, 0, image)
    w, b = weights(record)[filter], bias(record, filter)
    rows = min(len(w), MOST_CHANNELS)
    figure = style.new(9.6, 0.7 + 2.6 * rows, f"{record.label}: the window slides, one output at a time")
    cells = figure.add_gridspec(rows, 3, width_ratios=(2.2, 1, 2.2))
    frames = []
    for c in range(rows):
        left, middle = figure.add_subplot(cells[c, 0]), figure.add_subplot(cells[c, 1])
        style.grid(left, x[c], f"channel {c} of {len(w)}" if len(w) > 1 else "image")
        style.grid(middle, w[c], "its kernel", style.reach(w))
        frames.append(style.frame(left, 0, 0, *extent(record)))
    output = figure.add_subplot(cells[:, 2])
    style.grid(output, record.out[image, filter], f"output {filter}, with the bias {style.number(b)}")
    return figure, frames, output
