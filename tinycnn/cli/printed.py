"""printed: what the cells of a lesson print, in another language.

The lesson itself speaks English.  printed_vi.json beside the lessons has, for each of them, its texts and what stands
for each in Vietnamese; {0}, {1}, ... are the parts of an f-string, in their order.  What a cell prints must be there,
where it has words; other texts of the code, such as titles of figures, may be.

Read in this order: in_language, literals.
"""

import ast
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from tinycnn.cli.notebook import Cell


class Literal(NamedTuple):
    """A text in a program: what it says, the sources of the parts put into it, if it is an f-string, and its place."""

    text: str
    parts: list[str] | None
    place: tuple[int, int]  # in the program's bytes
    printed: bool

    @property
    def has_words(self) -> bool:
        """Whether there is anything to translate."""
        return bool(re.search(r"[^\W\d_]{2}", self.text))

    def saying(self, text: str) -> str:
        """The source of a literal that says another text with the same parts.  ValueError where they differ."""
        if sorted(re.findall(r"\{\d\}", text)) != sorted(re.findall(r"\{\d\}", self.text)):
            raise ValueError(
                f"printed: {text!r} has other parts than {self.text!r}, expected the same {{0}}, {{1}}, ..."
            )
        source = json.dumps(text, ensure_ascii=False)
        if self.parts is None:
            return source
        parts = self.parts
        return "f" + re.sub(r"\{(\d)\}", lambda part: parts[int(part[1])], source)


def in_language(cells: list[Cell], table: dict[str, str]) -> list[Cell]:
    """The cells, each text that the table has replaced by what stands for it.

    ValueError for a text that is printed and not in the table, and for one of the table that is in no cell.
    """
    unused, changed = set(table), []
    for cell in cells:
        source = cell.source.encode()
        for literal in [] if cell.text else reversed(literals(cell.source)):  # from the end: places stay as they are
            if literal.text in table:
                start, end = literal.place
                source = source[:start] + literal.saying(table[literal.text]).encode() + source[end:]
                unused.discard(literal.text)
            elif literal.printed and literal.has_words:
                raise ValueError(
                    f"printed: there is nothing for {literal.text!r}, which is printed; add it to the table"
                )
        changed.append(cell._replace(source=source.decode()))
    if unused:
        raise ValueError(f"printed: no cell has {min(unused)!r}; take it out of the table")
    return changed


def literals(program: str) -> list[Literal]:
    """The texts of a program, in their order."""
    encoded, starts = program.encode(), [0]
    for line in encoded.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def found(node: ast.AST, printed: bool) -> Iterator[Literal]:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            assert node.end_lineno and node.end_col_offset is not None
            place = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            parts = parts_of(encoded[slice(*place)].decode()) if isinstance(node, ast.JoinedStr) else None
            yield Literal(text_of(node), parts, place, printed)
            return
        if isinstance(node, ast.Call):
            printed = isinstance(node.func, ast.Name) and node.func.id == "print"
        for child in ast.iter_child_nodes(node):
            yield from found(child, printed)

    return sorted(found(ast.parse(program), False), key=lambda literal: literal.place)


def parts_of(source: str) -> list[str]:
    """The parts of an f-string as they are written: ["{x:.2f}", ...].  ValueError where they have braces inside."""
    if re.search("[{}]", re.sub(r"\{[^{}]*\}", "", source)):
        raise ValueError(f"printed: {source} has braces inside of its parts, expected parts without; give them names")
    return re.findall(r"\{[^{}]*\}", source)


def text_of(node: ast.Constant | ast.JoinedStr) -> str:
    """What a literal says, with {0}, {1}, ... for the parts of an f-string."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    text, count = "", 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            text += str(value.value)
        else:
            text += f"{{{count}}}"
            count += 1
    return text
