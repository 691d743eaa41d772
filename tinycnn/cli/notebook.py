"""notebook: a program in percent format, as lessons are, read as cells, and cells written as a Jupyter notebook.

Sources: jupytext's percent format (cells begin with `# %%`, texts are comments under `# %% [markdown]`), and nbformat's
version 4.5.
"""

import json
import re
from typing import Any, NamedTuple


class Cell(NamedTuple):
    """A cell: a text, in Markdown, or code; with its tags."""

    text: bool
    source: str
    tags: tuple[str, ...] = ()


def read_cells(program: str) -> list[Cell]:
    """The cells of a program in percent format.  ValueError where a text has a line that is no comment."""
    found = []
    for part in re.split(r"^# %%", program, flags=re.M)[1:]:
        head, _, body = part.partition("\n")
        lines = body.strip("\n").split("\n")
        text = "[markdown]" in head
        if text:
            if odd := [line for line in lines if line and not line.startswith("#")]:
                raise ValueError(f"read_cells: {odd[0]!r} in a text cell, expected a comment; begin it with #")
            lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
        tags = re.search(r"tags=(\[.*?\])", head)
        found.append(Cell(text, "\n".join(lines).strip("\n"), tuple(json.loads(tags[1])) if tags else ()))
    return [cell for cell in found if cell.source]


def as_notebook(cells: list[Cell]) -> str:
    """The file of a notebook, nbformat 4.5.  A cell with the tag "answer" is folded."""
    shown: list[dict[str, Any]] = []
    for number, (text, source, tags) in enumerate(cells):
        about: dict[str, Any] = {"tags": list(tags)} if tags else {}
        if "answer" in tags:
            about["jupyter"] = {"source_hidden": True}
        kind: dict[str, Any] = {"cell_type": "markdown"} if text else {"cell_type": "code"}
        code: dict[str, Any] = {} if text else {"execution_count": None, "outputs": []}
        shown.append({**kind, "id": f"cell-{number}", "metadata": about, **code, "source": source.splitlines(True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    book = {"cells": shown, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"
