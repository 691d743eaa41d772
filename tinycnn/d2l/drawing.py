"""drawing: the book's figures: curves that grow while a net learns, plots, and rows of images."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.files import picture_folder, write_atomically
from tinycnn.training import curves

FMTS = ("-", "m--", "g-.", "r:")
DPI = 120
FILE = "animator.png"  # in the folder that TINYCNN_OUT names, or runs/d2l


class Animator:
    """Curves that grow: `add(x, y)` appends a point to each line, None to none, and draws.

    In a notebook the picture below the cell is replaced, where matplotlib can open windows there is one, and
    elsewhere it goes to the PNG `file`, by default animator.png in the folder TINYCNN_OUT or runs/d2l; the error
    stream says where.  Without matplotlib nothing is drawn, and X and Y hold the numbers.
    """

    def __init__(
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        legend: Sequence[str] | None = None,
        xlim: Any = None,
        ylim: Any = None,
        xscale: str = "linear",
        yscale: str = "linear",
        fmts: Sequence[str] = FMTS,
        nrows: int = 1,
        ncols: int = 1,
        figsize: tuple[float, float] = (3.5, 2.5),
        file: str | Path | None = None,
    ) -> None:
        self.X: list[list[float]] = []
        self.Y: list[list[float]] = []
        self.fmts, self.layout, self.figsize = fmts, (nrows, ncols), figsize
        self.dressing = xlabel, ylabel, xlim, ylim, xscale, yscale, legend or ()
        self.file = None if file is None else Path(file).expanduser()
        self.screen = curves.find_screen(figsize, DPI) if curves.can_draw() and file is None else None
        self.said = False

    @property
    def live(self) -> bool:
        """Whether somebody can see it while it grows."""
        return self.screen is not None

    def add(self, x: Any, y: Any) -> None:
        """Append the point (x, y) to each line, or (x[i], y[i]) to line i, and draw; None appends nothing."""
        self.take(x, y)
        self.draw()

    def take(self, x: Any, y: Any) -> None:
        """As add, without drawing."""
        ys = y if hasattr(y, "__len__") else [y]
        xs = x if hasattr(x, "__len__") else [x] * len(ys)
        while len(self.X) < len(ys):
            self.X.append([])
            self.Y.append([])
        for line, (a, b) in enumerate(zip(xs, ys, strict=True)):
            if a is not None and b is not None:
                self.X[line].append(float(a))
                self.Y[line].append(float(b))

    def figure(self) -> Any:
        """The lines as they are now, in a new matplotlib Figure."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.figsize, layout="constrained")
        axes = figure.subplots(*self.layout, squeeze=False)[0, 0]
        for x, y, fmt in zip(self.X, self.Y, self.fmts, strict=False):
            axes.plot(x, y, fmt)
        set_axes(axes, *self.dressing)
        return figure

    def draw(self) -> None:
        """Show the lines as they are now, where they can be seen, or write the file."""
        if not self.X or not curves.can_draw():
            return
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=DPI, metadata={"Software": None}, backend="agg")
        if self.screen is not None:
            self.screen.show(buffer.getvalue())
            return
        path = self.file or picture_folder("d2l") / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
        if not self.said:
            print(f"the curves are in {path}", file=sys.stderr)
            self.said = True


def set_axes(
    axes: Any,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Any,
    ylim: Any,
    xscale: str,
    yscale: str,
    legend: Sequence[str] | None,
) -> None:
    """Labels, limits, scales, legend and grid of matplotlib axes."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xscale(xscale)
    axes.set_yscale(yscale)
    if xlim is not None and xlim[0] != xlim[1]:  # one epoch has no width
        axes.set_xlim(xlim)
    if ylim is not None:
        axes.set_ylim(ylim)
    if legend:
        axes.legend(legend)
    axes.grid()


def use_svg_display() -> None:
    """Figures of a notebook as SVG, which stays sharp; elsewhere nothing changes."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        shell.run_line_magic("config", "InlineBackend.figure_formats = ['svg']")


def set_figsize(figsize: tuple[float, float] = (3.5, 2.5)) -> None:
    """The size in inches of the next figures of pyplot."""
    from matplotlib import pyplot

    use_svg_display()
    pyplot.rcParams["figure.figsize"] = figsize


def plot(
    X: Any,
    Y: Any = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] | None = None,
    xlim: Any = None,
    ylim: Any = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = FMTS,
    figsize: tuple[float, float] = (3.5, 2.5),
    axes: Any = None,
) -> None:
    """Plot lines: X and Y are one line (n,) each, or several; one X serves all lines; without Y, X is plotted."""
    from matplotlib import pyplot

    set_figsize(figsize)
    axes = axes or pyplot.gca()
    lines = _lines(X if Y is None else Y)
    places: list[Any] = [None] * len(lines) if Y is None else _lines(X)
    if len(places) == 1:
        places *= len(lines)
    if len(places) != len(lines):
        raise ValueError(f"plot: {len(places)} lines of X and {len(lines)} of Y, expected as many, or one X for all")
    axes.cla()
    for i, (x, y) in enumerate(zip(places, lines, strict=True)):
        axes.plot(*([y] if x is None else [x, y]), fmts[i % len(fmts)])
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def _lines(values: Any) -> list[Any]:
    """Several lines of numbers, from one or several tensors, arrays or lists."""
    values = _numbers(values)
    several = (isinstance(values, np.ndarray) and values.ndim > 1) or (
        isinstance(values, (list, tuple)) and len(values) and hasattr(values[0], "__len__")
    )
    return [_numbers(line) for line in values] if several else [values]


def _numbers(values: Any) -> Any:
    return values.detach().numpy() if isinstance(values, Tensor) else values


def show_images(
    imgs: Any, num_rows: int, num_cols: int, titles: Sequence[str] | None = None, scale: float = 1.5
) -> Any:
    """Images (N, H, W) in rows, each under its title; returns the axes, one for each place."""
    from matplotlib import pyplot

    _, axes = pyplot.subplots(num_rows, num_cols, figsize=(num_cols * scale, num_rows * scale), squeeze=False)
    for i, (place, image) in enumerate(zip(axes.flat, imgs, strict=False)):
        place.imshow(_numbers(image))
        place.axes.get_xaxis().set_visible(False)
        place.axes.get_yaxis().set_visible(False)
        if titles:
            place.set_title(titles[i])
    return axes.flatten()
