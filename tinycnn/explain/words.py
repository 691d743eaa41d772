"""words: what the page and its command say, in each language: a table of texts by key, one file of languages/ each.

en.json is the first.  Another language is another file: the same keys, and in each text the same {parts}, in any order.
Where a text depends on a number it is an object of forms, {"one": ..., "other": ...}, by the rules of its language.

Read in this order: table, say, everywhere.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("languages")
FIRST = "en"
FORMS = {"zero", "one", "two", "few", "many", "other"}  # of a text that depends on a number, as Unicode names them


def languages() -> list[str]:
    """The languages that have a table, the first one first: ["en", "vi"]."""
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    return sorted(names, key=lambda name: name != FIRST)


def table(language: str) -> dict[str, Any]:
    """All texts of a language.  ValueError for a language that has no table, or whose table is not like the first."""
    return _checked(language, FOLDER)


def say(language: str, key: str, **parts: object) -> str:
    """One text, with its parts put in: say("vi", "command.wrote", path="lesson.html")."""
    text: Any = table(language)
    for name in key.split("."):
        text = text[name]
    return re.sub(r"\{(\w+)\}", lambda part: str(parts[part[1]]), text)


def everywhere(key: str, **parts: object) -> dict[str, str]:
    """One text in every language."""
    return {language: say(language, key, **parts) for language in languages()}


def texts(entry: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The texts of a table by their keys; the forms of one text stay together."""
    parts = enumerate(entry) if isinstance(entry, list) else entry.items() if isinstance(entry, dict) else None
    if parts is None or (isinstance(entry, dict) and entry.keys() <= FORMS):
        yield key, entry
        return
    for name, part in parts:
        yield from texts(part, f"{key}.{name}" if key else str(name))


@cache
def _checked(language: str, folder: Path) -> dict[str, Any]:
    if not (folder / f"{language}.json").exists():
        raise ValueError(f"words: there is no language {language!r}, expected one of {', '.join(languages())}")
    found, first = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in (language, FIRST))
    ours, theirs = dict(texts(found)), dict(texts(first))
    odd = sorted(ours.keys() ^ theirs.keys())
    odd += sorted(key for key in ours.keys() & theirs.keys() if _parts(ours[key]) != _parts(theirs[key]))
    if odd:
        raise ValueError(f"words: {language}.json and {FIRST}.json differ in keys or {{parts}}: {', '.join(odd[:9])}")
    table: dict[str, Any] = found
    return table


def _parts(text: Any) -> set[str]:
    return set(re.findall(r"\{\w+\}", json.dumps(text)))
