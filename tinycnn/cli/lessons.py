"""lessons: all lessons as notebooks, with the page whose tabs they name, in one folder.

Read in this order: run, notebooks, cells, folder.
"""

import json
import site
import sysconfig
from pathlib import Path
from typing import Any

from tinycnn.cli.notebook import Cell, as_notebook, read_cells
from tinycnn.cli.options import to_path
from tinycnn.cli.parser import add_command
from tinycnn.cli.printed import in_language
from tinycnn.explain import lesson_page
from tinycnn.explain.words import FIRST, languages, say, table
from tinycnn.files import write_atomically

TEXT = """write the lessons as notebooks

Ten lessons, from a convolution by hand to deep nets, as notebooks with exercises that are checked, and the page whose
tabs they name.  `pip install "tinycnn[lab]"` brings what opens them."""
EXAMPLES = """examples:
  tinycnn lessons                                               into the folder lessons; then: jupyter lab lessons
  tinycnn lessons --out course --only 1 2 3
  tinycnn lessons --lang vi
"""
PAGE = "lesson.html"
SPEAK = """import tinycnn.check

tinycnn.check.language("{lang}")"""  # the first cell in another language


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "lessons", run, TEXT, EXAMPLES)
    parser.add_argument("--out", type=to_path, metavar="DIR", help="the folder to write into (default: lessons)")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="the numbers of some lessons (default: all)")
    parser.add_argument(
        "--lang", choices=languages(), help="the language of their texts, and of what they print (default: en)"
    )


def run(out: Path = Path("lessons"), only: list[int] | None = None, lang: str = FIRST) -> None:
    """Write the notebooks and the page, and say how to open them.

    ValueError where a file is there already, which may hold somebody's answers, or a lesson is not there, or has no
    text in the language; nothing is written then.
    """
    books = notebooks(folder(), only, lang)
    if there := [name for name in books if (out / name).exists()]:
        raise ValueError(
            f"lessons: {out / there[0]} is there already, and what was typed into it would be lost; "
            "choose another folder with --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, book in books.items():
        write_atomically(out / name, book.encode())
    lesson_page(out / PAGE, lang)
    print(say(lang, "command.notebooks", page=PAGE, count=len(books), folder=out))


def notebooks(place: Path, only: list[int] | None, lang: str) -> dict[str, str]:
    """The notebooks of the lessons in a folder: file names and contents.  ValueError for a lesson that is not there."""
    programs = {int(path.name[:2]): path for path in sorted(place.glob("[0-9][0-9]_*.py"))}
    if odd := sorted(set(only or ()) - set(programs)):
        raise ValueError(
            f"lessons: there is no lesson {odd[0]}, expected numbers from {min(programs)} to {max(programs)}"
        )
    chosen = {number: programs[number] for number in only or programs}
    if missing := [number for number, path in chosen.items() if not text_of(path, lang).exists()]:
        there = [str(number) for number, path in programs.items() if text_of(path, lang).exists()]
        raise ValueError(
            f"lessons: there is no text in {table(lang)['language']!r} of lesson {', '.join(map(str, missing))}; "
            + (f"there is of --only {' '.join(there)}" if there else f"write --lang {FIRST}")
        )
    return {path.with_suffix(".ipynb").name: as_notebook(cells(path, lang)) for path in chosen.values()}


def text_of(program: Path, lang: str) -> Path:
    """The file with a lesson's texts in a language: the program itself has the first, a file beside it another."""
    return program if lang == FIRST else program.with_name(f"{program.stem}_{lang}.md")


def cells(program: Path, lang: str) -> list[Cell]:
    """A lesson's cells, with the texts of a language, and its tab as a link into the page beside the notebook.

    In another language than the first, what the cells print is in it as well, and a cell has the checks speak it.
    """
    found = read_cells(program.read_text(encoding="utf-8"))
    if lang != FIRST:
        texts = read_cells(text_of(program, lang).read_text(encoding="utf-8"))
        if len(texts) != sum(cell.text for cell in found):
            file = text_of(program, lang)
            raise ValueError(f"lessons: {file} has {len(texts)} texts, expected one for each of {program.name}")
        others = iter(texts)
        found = [next(others) if cell.text else cell for cell in in_language(found, printed(program, lang))]
        first = next((k for k, cell in enumerate(found) if not cell.text), 0)
        found.insert(first, Cell(False, SPEAK.format(lang=lang)))
    return [cell._replace(source=linked(cell.source, lang)) if cell.text else cell for cell in found]


def printed(program: Path, lang: str) -> dict[str, str]:
    """The table of what a lesson prints, in a language.  ValueError where there is none."""
    path = program.with_name(f"printed_{lang}.json")
    tables: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if program.stem not in tables:
        raise ValueError(f"lessons: {path} has no table of what {program.name} prints; add {program.stem!r} to it")
    return tables[program.stem]


def linked(text: str, lang: str) -> str:
    """A text whose tab of the page can be pressed."""
    for key, tab in table(lang)["tabs"].items():
        name = say(lang, "command.tab", name=tab["name"])
        text = text.replace(name, f"[{name}]({PAGE}#tab={key})")
    return text


def folder() -> Path:
    """Where the lessons are: in the sources, or where an installation has put them.  ValueError where they are not."""
    root = Path(__file__).parents[2]
    shared = [
        Path(base) / "share" / "tinycnn" / "lessons" for base in (sysconfig.get_path("data"), site.getuserbase(), root)
    ]
    for place in (root / "examples" / "lessons", *shared):
        if any(place.glob("[0-9][0-9]_*.py")):
            return place
    raise ValueError("lessons: they are not with this installation; they are in the sources, in examples/lessons")
