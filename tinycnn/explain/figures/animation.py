"""animation: a kernel that slides over an image, as a GIF."""

from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.explain.figures import style
from tinycnn.explain.figures.convolution import convolution, extent, window_of
from tinycnn.explain.trace import Trace


def animate_conv(
    trace: Trace, layer: str | int, path: str | Path, filter: int = 0, image: int = 0, per_second: int = 4
) -> Path:
    """Write a GIF to `path`: the window moves over the first channel, and one output after another appears.

    One frame per output number of the filter's map, in the order in which they are read.
    """
    from matplotlib.animation import FuncAnimation, PillowWriter

    record = convolution(trace, layer, "animate_conv")
    y, (KH, KW) = record.out[image, filter], extent(record)
    x, _, _, _ = window_of(record, filter, 0, 0, image)
    figure = style.new(8.6, 3.9, f"{record.label}: the window slides, one output at a time")
    left, right = figure.subplots(1, 2)
    channels = f" (channel 0 of {len(x)})" if len(x) > 1 else ""
    style.grid(left, x[0], f"image{channels}")
    moving = style.frame(left, 0, 0, KH, KW)
    style.grid(right, y, f"output {filter}")
    shown, numbers = right.images[0], list(right.texts)  # in the order of y
    here = style.frame(right, 0, 0, 1, 1)
    (SH, SW), OW = record.options["stride"], y.shape[1]

    def draw(step: int) -> list[Any]:
        i, j = divmod(step, OW)
        moving.set_xy((j * SW - 0.5, i * SH - 0.5))
        here.set_xy((j - 0.5, i - 0.5))
        known = np.full(y.size, np.nan)
        known[: step + 1] = y.reshape(-1)[: step + 1]
        shown.set_data(known.reshape(y.shape))
        for k, text in enumerate(numbers):
            text.set_visible(k <= step)
        return [moving, here, shown, *numbers]

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    FuncAnimation(figure, draw, frames=y.size).save(path, writer=PillowWriter(fps=per_second), dpi=80)
    return path
