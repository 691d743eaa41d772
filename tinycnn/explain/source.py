"""source: the lines of the engine that a tab shows, read from the engine itself, so that they cannot drift."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import tinycnn
from tinycnn import geometry
from tinycnn.ops.conv2d import Conv2dOp, col2im, conv2d_loops, im2col
from tinycnn.ops.cross_entropy import CrossEntropyOp
from tinycnn.ops.sigmoid import slopes


class Shown(NamedTuple):
    """A function to show; the names that the page uses for some of its lines, each with a piece of the line's text;
    and, where only a part is shown, a piece of its first and of its last line."""

    function: Callable[..., Any]
    marks: dict[str, str]
    part: tuple[str, str] | None = None


SHOWN = {
    "loops": Shown(conv2d_loops, {"window": "window = x[", "sum": ".sum()"}),
    "im2col": Shown(im2col, {"copy": "shifted = strided(", "stack": "stacked = strided("}),
    "forward": Shown(
        Conv2dOp.forward, {"pad": "x = pad(", "cols": "cols = im2col(", "product": "gemm(filters", "bias": "y += b"}
    ),
    "backward": Shown(
        Conv2dOp.backward, {"weight": "dw += gemm", "cols": "dcols = gemm(", "col2im": "col2im(", "bias": "db = "}
    ),
    "col2im": Shown(col2im, {"add": "+= "}),
    "size": Shown(geometry.output_size, {"floor": "return room // stride + 1"}),
    "loss": Shown(CrossEntropyOp.forward, {"slope": "p -= q"}, ("if ctx.needs[0]", "ctx.save(")),
    "sigmoid": Shown(slopes, {"slope": "dx *= y"}),
}


def sources() -> dict[str, dict[str, Any]]:
    """For each name in SHOWN the text, the file and first line, and the line numbers (from 0) of what is named."""
    return {name: _source(shown) for name, shown in SHOWN.items()}


def _source(shown: Shown) -> dict[str, Any]:
    function = inspect.unwrap(shown.function)  # what a decorator was put around
    lines, first = inspect.getsourcelines(function)
    if lines[0].lstrip().startswith("@"):
        lines, first = lines[1:], first + 1
    start, stop = 0, len(lines)
    if shown.part:
        start = _find(lines, shown.part[0], 0)
        stop = _find(lines, shown.part[1], len(lines) - 1) + 1
    lines = lines[start:stop]
    indent = len(lines[0]) - len(lines[0].lstrip())
    lines = [line[indent:].rstrip() if line.strip() else "" for line in lines]
    marks = {mark: [i for i, line in enumerate(lines) if piece in line] for mark, piece in shown.marks.items()}
    file = Path(inspect.getfile(function)).relative_to(Path(tinycnn.__file__).parent.parent).as_posix()
    return {"file": file, "line": first + start, "text": "\n".join(lines), "marks": marks}


def _find(lines: list[str], piece: str, otherwise: int) -> int:
    return next((i for i, line in enumerate(lines) if piece in line), otherwise)
