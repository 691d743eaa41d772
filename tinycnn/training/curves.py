"""curves: train loss, train accuracy and test accuracy over epochs, as a picture that is always up to date.

The picture is drawn without a display and without matplotlib's global state, and written to a PNG.  In a notebook
it also appears below the cell, and where matplotlib can open windows in a window; both follow the training.
"""

import importlib.util
import io
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinycnn.files import write_atomically
from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Point, Record, Run

TO_INSTALL = 'pip install "tinycnn[plot]" (or matplotlib)'
SIZE, DPI = (9.0, 3.8), 120  # inches, dots an inch
TRAIN, TEST, INK, GRID = "#1f77b4", "#d95f02", "#333333", "#e6e6e6"


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


class Curves(Observer):
    """Draws the curves into the PNG at `path` after each epoch, and live where there is a notebook or a window.

    A redrawing takes about as long as 50 steps, so epochs shorter than `pause` seconds share one.  RuntimeError where
    matplotlib is not installed.
    """

    essential = False

    def __init__(self, path: str | Path, title: str = "", live: bool = True, pause: float = 1.0) -> None:
        if not can_draw():
            raise RuntimeError(f"Curves: matplotlib is not installed; {TO_INSTALL}")
        self.path, self.title, self.live, self.pause = Path(path), title, live, pause
        self.drawn_at = -float("inf")
        self.screen: Any = None

    def on_start(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.screen = find_screen() if self.live else None

    def on_point(self, run: Run, point: Point) -> None:
        if self.screen is not None:
            self._draw(run)

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        self._draw(run)

    def on_end(self, run: Run) -> None:
        self._draw(run, now=True)

    def _draw(self, run: Run, now: bool = False) -> None:
        if not run.history or (not now and time.monotonic() - self.drawn_at < self.pause):
            return
        png = png_of(run.history, run.epochs, self.title)
        write_atomically(self.path, png)
        if self.screen is not None:
            self.screen.show(png)
        self.drawn_at = time.monotonic()


def png_of(history: Sequence[Record], epochs: int, title: str = "") -> bytes:
    """The curves as a PNG file's bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    figure = draw_curves(history, epochs, title)
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None}, backend="agg")
    return buffer.getvalue()


def draw_curves(history: Sequence[Record], epochs: int, title: str = "") -> Any:
    """A matplotlib Figure of a history: the loss on the left, both accuracies on the right, over `epochs` epochs."""
    from matplotlib.figure import Figure

    points = [record for record in history if isinstance(record, Point)]
    ends = [record for record in history if isinstance(record, Epoch)]
    figure = Figure(figsize=SIZE, layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, [p.x for p in points], [p.train_loss for p in points], "train loss", TRAIN)
    _curve(right, [p.x for p in points], [p.train_acc for p in points], "train acc", TRAIN)
    _curve(right, [e.x for e in ends], [e.test_acc for e in ends], "test acc", TEST, marker="o")
    _dress(left, "loss (cross-entropy)", epochs)
    _dress(right, "accuracy", epochs)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    right.legend(loc="lower right", frameon=False, labelcolor="linecolor")
    left.legend(loc="upper right", frameon=False, labelcolor="linecolor")
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    return figure


def _curve(axes: Any, x: list[float], y: list[float], name: str, color: str, marker: str = "") -> None:
    """One line, with its last value in the legend."""
    label = f"{name} {y[-1]:.3f}" if y else name
    axes.plot(x, y, color=color, label=label, linewidth=1.8, marker=marker, markersize=4, clip_on=False)


def _dress(axes: Any, name: str, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0, epochs)
    axes.set_xlabel("epoch", color=INK)
    axes.set_title(name, loc="left", color=INK, fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)


# Where the picture is shown while it changes


class Notebook:
    """The output of the running cell, in Jupyter and its like; one picture that is replaced."""

    def __init__(self, width: int) -> None:
        self.handle: Any = None
        self.width = width  # in the browser's pixels

    def show(self, png: bytes) -> None:
        from IPython.display import Image, display

        picture = Image(data=png, width=self.width)
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)


class Window:
    """A window of matplotlib's, which stays open while the program runs and never waits for the user."""

    def __init__(self, figure: Any) -> None:
        self.figure = figure
        self.picture: Any = None

    def show(self, png: bytes) -> None:
        from matplotlib import image, pyplot

        if not pyplot.fignum_exists(self.figure.number):
            return  # the user has closed it
        pixels = image.imread(io.BytesIO(png), format="png")
        if self.picture is None:
            self.picture = self.figure.figimage(pixels)
        else:
            self.picture.set_data(pixels)
        self.figure.canvas.draw_idle()
        self.figure.canvas.flush_events()


def in_notebook() -> bool:
    """Whether a cell of a notebook is running: an IPython that draws into a browser."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def find_screen(size: tuple[float, float] = SIZE, dpi: int = DPI) -> Notebook | Window | None:
    """Where to show pictures of so many inches: a notebook, a window that matplotlib can open, or nothing.

    Which windows matplotlib opens, and whether, is its own decision: `MPLBACKEND=agg` keeps it from opening any.
    """
    if in_notebook():
        return Notebook(int(size[0] * dpi / 1.5))
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return None  # without asking matplotlib, which would have to load half of itself to find out
    try:
        return _open_window(size, dpi)
    except Exception as error:  # each toolkit has errors of its own; training must not end for want of a window
        warnings.warn(f"Curves: no window can be opened ({error!r}); the picture is in the PNG", stacklevel=2)
        return None


def _open_window(size: tuple[float, float], dpi: int) -> Window | None:
    from matplotlib import pyplot

    figure = pyplot.figure(num="tinycnn", figsize=size, dpi=dpi)
    if getattr(figure.canvas, "required_interactive_framework", None) is None:
        pyplot.close(figure)
        return None
    pyplot.show(block=False)
    return Window(figure)
