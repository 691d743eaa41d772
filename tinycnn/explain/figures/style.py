"""style: what all figures share: colours, grids of numbers, frames, and where lessons keep their pictures.

Signed numbers are drawn blue below zero and red above, white at zero, which people who confuse red and green can
tell apart; images and their maps in grey.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.files import picture_folder
from tinycnn.training.curves import TO_INSTALL, can_draw, in_notebook

__all__ = ["can_draw", "pictures", "save"]

INK, FAINT, LIT = "#333333", "#8a8a8a", "#d95f02"
SIGNED, GREY = "RdBu_r", "gray"
DPI = 120
MOST_NUMBERS = 400  # cells of a grid that are labelled; more would not be legible


def new(width: float, height: float, title: str = "") -> Any:
    """An empty Figure of that size in inches; RuntimeError where matplotlib is not installed."""
    if not can_draw():
        raise RuntimeError(f"figures: matplotlib is not installed; {TO_INSTALL}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    return figure


def number(value: float) -> str:
    """At most three significant digits: 7, -0.25, 1.3e-05."""
    return f"{float(value) + 0.0:.3g}"  # + 0.0: no minus before a zero


def reach(*arrays: Array) -> float:
    """The largest magnitude in any of the arrays; 1 where all is zero.  Colours run from -reach to reach."""
    return max((float(np.abs(a).max()) for a in arrays if a.size), default=0.0) or 1.0


def grid(axes: Any, values: Array, title: str = "", limit: float | None = None, numbers: bool = True) -> None:
    """Draw values (H, W) as coloured cells, zero white, with the numbers written in where there is room for them."""
    values = np.asarray(values)
    limit = reach(values) if limit is None else limit
    axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="equal")
    if numbers and values.size <= MOST_NUMBERS:
        longest = max(len(number(v)) for v in values.flat)
        size = 9.0 if longest <= 3 else 7 if longest <= 5 else 5.5
        size = min(size, 200 / max(values.shape))  # long rows get smaller ones
        for (i, j), v in np.ndenumerate(values):
            ink = "white" if abs(v) > 0.6 * limit else INK
            axes.text(j, i, number(v), ha="center", va="center", fontsize=size, color=ink)
    bare(axes, title)


def picture(axes: Any, values: Array, title: str = "", signed: bool = False, limit: float | None = None) -> None:
    """Draw values (H, W) as an image: in grey from least to greatest, or signed with zero white."""
    if signed:
        limit = reach(values) if limit is None else limit
        axes.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
    else:
        axes.imshow(values, cmap=GREY)
    bare(axes, title)


def bare(axes: Any, title: str = "") -> None:
    """No ticks; a thin border; a small title."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#cccccc")
    if title:
        axes.set_title(title, fontsize=9, color=INK)


def rows(axes: Any, names: Sequence[str]) -> None:
    """A chart of one row per name, row k at height k, the first on top: thin lines to read values by, no frame."""
    axes.set_yticks(range(len(names)), list(names))
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def frame(axes: Any, top: float, left: float, height: float, width: float, color: str = LIT) -> Any:
    """A frame around cells of a grid; returns the patch, whose place can be changed."""
    from matplotlib.patches import Rectangle

    patch = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=2.2, clip_on=False)
    axes.add_patch(patch)
    return patch


def note(axes: Any, text: str, size: float = 13) -> None:
    """An empty cell of the layout with a sign or a few words in its middle."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=size, color=INK, transform=axes.transAxes)


def pictures(
    images: Sequence[Array], titles: Sequence[str] = (), columns: int = 5, signed: bool = False, title: str = ""
) -> Any:
    """A Figure of images (H, W), row by row, each under its title; signed draws zero white on a common scale, and
    writes the numbers in where the images are small."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = new(1.9 * columns, 2.1 * rows + (0.4 if title else 0), title)
    limit = reach(*(np.asarray(image) for image in images))
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for k, cell in enumerate(axes):
        if k < len(images) and signed and np.size(images[k]) <= 100:
            grid(cell, images[k], titles[k] if k < len(titles) else "", limit)
        elif k < len(images):
            picture(cell, np.asarray(images[k]), titles[k] if k < len(titles) else "", signed, limit)
        else:
            cell.set_axis_off()
    return figure


def save(figure: Any, name: str) -> Path:
    """Write a Figure as PNG `name` into the folder that TINYCNN_OUT names, or runs/lessons; returns its path.

    In a notebook the picture appears under the cell as well.
    """
    folder = picture_folder("lessons")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / name, facecolor="white")
    if in_notebook():
        from IPython.display import Image, display

        display(Image(filename=str(folder / name)))
    return folder / name
