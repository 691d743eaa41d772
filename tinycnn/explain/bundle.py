"""bundle: one file out of many: the template with its style, scripts and data in it.

The arrays go in as the engine's bytes, base64-coded, so that the page can be compared with them bit for bit.  The
template, styles and scripts are in static/; they are joined by replacing markers.

The scripts are ordinary modules with import and export.  A file that is opened from disk may not load modules, so each
becomes a function that returns what it exports, in the order that the imports ask for.

Read in this order: Arrays, render, joined_scripts.
"""

import base64
import hashlib
import html
import json
import posixpath
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinycnn.backend import Array
from tinycnn.explain.words import languages, say, table

STATIC = Path(__file__).parent / "static"
LIST = 2_000  # bytes for the list of what was left out
STYLES = ("page", "tabs", "lab")
IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:const|class|function\*?) (\w+))", re.M)


class Part(NamedTuple):
    """What an array is: words("left_out.WHAT") says it, with the layer's label and the image's number."""

    what: str = ""
    layer: str = ""
    image: int = 0


NOTHING = Part()  # said of what is never left out


class Arrays:
    """The arrays of a page by id.  Each says how important it is (0: the page is nothing without it) and what it is,
    for the list of what was left out."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, Part, dict[str, Any]]] = {}

    def add(self, array: Array | None, importance: int = 0, what: Part = NOTHING) -> str | None:
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

    def within(self, limit: int) -> tuple[dict[str, Any], list[Part]]:
        """The entries whose text fits into `limit` bytes, and what was left out, the least important first."""
        sizes: dict[tuple[int, Part], int] = {}
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


def render(data: dict[str, Any], arrays: Arrays, max_mb: float, language: str) -> str:
    """The page as text: the template with style, scripts, words and data in the place of its markers."""
    css = "\n".join(_text(STATIC / "styles" / f"{name}.css") for name in STYLES)
    js = joined_scripts()
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sha256(js)}'; style-src 'sha256-{_sha256(css)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    texts = {"lang": language, "noscript": say(language, "page.noscript")}
    texts["title"] = data["title"] if isinstance(data["title"], str) else data["title"][language]
    parts = {name: html.escape(text) for name, text in texts.items()}
    parts |= {"policy": policy, "css": css, "js": js, "words": _json({name: table(name) for name in languages()})}
    template = _text(STATIC / "page.html")
    rest = sum(len(part.encode()) for part in (template, *parts.values(), parts["title"], _json(data))) + LIST
    data["arrays"], data["left_out"] = arrays.within(int(max_mb * 1e6) - rest)
    data["samples"] = [sample for sample in data["samples"] if sample["x"] in data["arrays"]]
    parts["data"] = _json(data)
    return re.sub(r"\[\[(\w+)\]\]", lambda marker: parts[marker[1]], template)


def joined_scripts(folder: Path = STATIC / "scripts") -> str:
    """The modules of a folder as one script.  ValueError for a circle of imports, or for a line that is none of
    `import { name } from "./file.js"` and `export const, class or function`."""
    modules = {path.relative_to(folder).as_posix(): _text(path) for path in sorted(folder.rglob("*.js"))}
    needs = {name: [source for _, source in imports(name, text)] for name, text in modules.items()}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(f"bundle: the scripts import each other in a circle: {' -> '.join(error.args[1])}") from None
    return "".join(['"use strict";\n(() => {\n', *(_as_function(name, modules[name]) for name in order), "})();\n"])


def imports(name: str, text: str) -> list[tuple[list[str], str]]:
    """What a script imports: the names, and the script that they come from, by its path in the folder of scripts."""
    here = posixpath.dirname(name)
    found = [(names.replace(",", " ").split(), source) for names, source in IMPORT.findall(text)]
    return [(names, posixpath.normpath(posixpath.join(here, source))) for names, source in found]


def _as_function(name: str, text: str) -> str:
    """const base_dom = (() => { ...; return { h, svg }; })();"""
    given = "".join(f"const {{ {', '.join(names)} }} = {_variable(source)};\n" for names, source in imports(name, text))
    body = EXPORT.sub("", IMPORT.sub("", text))
    if left := re.search(r"^(?:import|export)\b.*", body, re.M):
        raise ValueError(f"bundle: {name} has a line that cannot be joined: {left[0]}")
    exports = ", ".join(EXPORT.findall(text))
    return f"const {_variable(name)} = (() => {{\n{given}{body}return {{ {exports} }};\n}})();\n"


def _variable(name: str) -> str:
    return name.removesuffix(".js").replace("/", "_")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _json(data: Any) -> str:
    """As it may stand inside <script>: no "<" at all, so that no text in it can end the element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
