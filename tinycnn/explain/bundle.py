"""bundle: one file out of many: the template with its style, scripts and data in it.

The arrays go in as the engine's bytes, base64-coded, so that the page can be compared with them bit for bit.  The
template, styles and scripts are in static/; they are joined by replacing markers.

Read in this order: Arrays, render.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.backend import Array

STATIC = Path(__file__).parent / "static"
LIST = 2_000  # bytes for the list of what was left out
STYLES = ("page", "tabs")
SCRIPTS = (
    "dom", "data", "colour", "state", "grid", "conv", "twin", "selfcheck", "frame",
    "chart", "slide_view", "network_unit", "backward_kernel", "edit_picture",
    "tab_slide", "tab_im2col", "tab_size", "tab_channels", "tab_network", "tab_backward", "tab_training", "tab_edit",
    "main",
)  # fmt: skip


class Arrays:
    """The arrays of a page by id.  Each says how important it is (0: the page is nothing without it) and what it is,
    in words, for the list of what was left out."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, str, dict[str, Any]]] = {}

    def add(self, array: Array | None, importance: int = 0, what: str = "") -> str | None:
        """Keep the array; returns its id, or None for None."""
        if array is None:
            return None
        dense = np.ascontiguousarray(array)
        if dense.dtype == np.int64:
            dense = dense.astype(np.int32)
        raw = dense.astype(dense.dtype.newbyteorder("<"), copy=False).tobytes()
        name = f"a{len(self.entries)}"
        entry = {"dtype": dense.dtype.name, "shape": list(array.shape), "b64": base64.b64encode(raw).decode("ascii")}
        self.entries[name] = (importance, what, entry)
        return name

    def within(self, limit: int) -> tuple[dict[str, Any], list[str]]:
        """The entries whose text fits into `limit` bytes, and what was left out, the least important first."""
        sizes: dict[tuple[int, str], int] = {}
        for importance, what, entry in self.entries.values():
            text = len(entry["b64"]) + len(_json({**entry, "b64": ""})) + 10  # and the name, with its marks
            sizes[importance, what] = sizes.get((importance, what), 0) + text
        total, dropped = sum(sizes.values()), []
        for kind in sorted((kind for kind in sizes if kind[0] > 0), reverse=True):
            if total > limit:
                total -= sizes[kind]
                dropped.append(kind)
        if total > limit:
            raise ValueError(
                f"report: the arrays that the page cannot do without take {total / 1e6:.1f} MB, "
                f"{limit / 1e6:.1f} MB are allowed; raise max_mb, or trace fewer images"
            )
        kept = {name: entry for name, (i, what, entry) in self.entries.items() if (i, what) not in dropped}
        return kept, [what for _, what in dropped]


def render(title: str, data: dict[str, Any], arrays: Arrays, max_mb: float) -> str:
    """The page as text: the template with style, scripts and data in the place of its markers."""
    css = _joined([f"{name}.css" for name in STYLES])
    js = f'"use strict";\n(() => {{\n{_joined([f"{name}.js" for name in SCRIPTS])}}})();\n'
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sha256(js)}'; style-src 'sha256-{_sha256(css)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    template = _joined(["page.html"])
    rest = (
        sum(len(part.encode()) for part in (template, policy, css, js, _json(data), *[html.escape(title)] * 2)) + LIST
    )
    data["arrays"], data["left_out"] = arrays.within(int(max_mb * 1e6) - rest)
    parts = {"policy": policy, "title": html.escape(title), "css": css, "js": js, "data": _json(data)}
    return re.sub(r"\[\[(\w+)\]\]", lambda marker: parts[marker[1]], template)


def _joined(files: list[str]) -> str:
    return "\n".join((STATIC / file).read_text(encoding="utf-8") for file in files)


def _json(data: Any) -> str:
    """As it may stand inside <script>: no "<" at all, so that no text in it can end the element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
