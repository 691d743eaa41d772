"""grade: a convolution that somebody wrote, marked: for people, and as a file for autograders."""

import json
import runpy
from pathlib import Path
from typing import Any

from tinycnn.cli.options import to_path
from tinycnn.cli.parser import add_command
from tinycnn.files import write_atomically
from tinycnn.grading import grade

TEXT = """mark a convolution that you wrote yourself

Runs the function of a Python file on a grid of shapes, compares it with the engine, and names the usual mistakes.  The
exit status is 0 where everything is right."""
EXAMPLES = """examples:
  tinycnn grade homework.py                                     the function my_conv2d(x, w, b, stride, padding)
  tinycnn grade homework.py --function conv --json results.json
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "grade", run, TEXT, EXAMPLES)
    parser.add_argument("file", metavar="FILE.py", type=to_path, help="what it holds is run: read it first")
    parser.add_argument("--function", metavar="NAME", help="(default: my_conv2d)")
    parser.add_argument("--json", metavar="FILE", type=to_path, help="write the results as autograders read them")


def run(file: Path, function: str = "my_conv2d", json: Path | None = None) -> int:
    """Print the report; returns the exit status."""
    try:
        found = runpy.run_path(str(file))
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(f"grade: {file} cannot be run: {type(error).__name__}: {error}") from error
    if function not in found:
        raise ValueError(f"grade: {file} defines no {function}; name the function with --function")
    report = grade(found[function])
    print(report)
    if json is not None:
        write_json(json, report.as_json())
    return 0 if report.passed else 1


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
