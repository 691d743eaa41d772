"""language: in which language verdicts and reports are read.

The code speaks English.  languages/vi.json has each of its texts and what stands for it in Vietnamese; {0}, {1}, ...
are the parts that the code puts in, in their order.  Another language is another file there, with the same texts.  What
no table has stays as it is: what Python or the engine said of an error, and names.

Read in this order: language, translated.
"""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).with_name("languages")
FIRST = "en"  # what the code itself says

_table: dict[str, str] = {}  # of the language that is spoken now; none for the first


def language(name: str) -> None:
    """From now on verdicts and reports are printed in a language: language("vi"), and language("en") to go back.

    Their `hints`, `because` and `causes` stay English.  ValueError for a language that has no table.
    """
    known = [FIRST, *sorted(path.stem for path in FOLDER.glob("*.json"))]
    if name not in known:
        raise ValueError(f"language: there is no language {name!r}, expected one of {', '.join(known)}")
    _table.clear()
    if name != FIRST:
        _table.update(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def translated(text: str) -> str:
    """A text in the language that is spoken now: as its table has it, or put together from parts that it has."""
    if text in _table or not _table:
        return _table.get(text, text)
    for english in sorted((key for key in _table if "{0}" in key), key=_letters, reverse=True):
        if found := re.fullmatch(re.sub(r"\\\{\d\\\}", "(.*?)", re.escape(english)), text, re.S):
            return re.sub(r"\{(\d)\}", lambda part: translated(found[int(part[1]) + 1]), _table[english])  # noqa: B023
    for joint in ("; ", " and "):
        if joint in text:
            return _table.get(joint, joint).join(map(translated, text.split(joint)))
    return text


def _letters(text: str) -> int:
    """How much a text says of its own: what says most is tried first."""
    return len(re.findall(r"[a-z]", text))
