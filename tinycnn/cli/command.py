"""command: the parser of `tinycnn`, and what becomes of errors: one line for people, or with --debug the traceback."""

import os
import sys
from collections.abc import Sequence

import tinycnn
from tinycnn.cli import data, doctor, evaluate, explain, export, grade, lessons, predict, summary, train
from tinycnn.cli.parser import Parser
from tinycnn.files import printable

COMMANDS = (train, evaluate, predict, summary, explain, lessons, export, grade, doctor, data)

DESCRIPTION = """\
Train a LeNet on images of clothing, ask it about photos of your own, look at what happens inside, and hand it on.
"""
EXAMPLES = """\
a first round:
  tinycnn train --epochs 2 --save lenet.safetensors      a minute or so; the data are found, or downloaded
  tinycnn eval lenet.safetensors                         how often is it right on images that it has never seen?
  tinycnn predict lenet.safetensors shirt.jpg            what is on this photo?
  tinycnn explain lenet.safetensors --out lenet.html     a page that shows every number on the way

tinycnn COMMAND --help shows the options of a command, and examples.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (None: the program's own arguments); returns the exit status, 0 where all went well.

    Wrong options and --help end the program, as argparse does it: SystemExit.
    """
    options = vars(parser().parse_args(arguments))
    debug, name, run = options.pop("debug", False), options.pop("command", None), options.pop("run", None)
    if run is None:
        parser().print_help()
        return 0
    try:
        status: int | None = run(**options)
        if sys.stdout is not None:  # as it is after `>&-`
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells have it
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():  # `tinycnn summary | head`: the reader has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        if debug:
            raise
        print(f"tinycnn {name}: error: {printable(explained(error))}", file=sys.stderr)
        return 1
    return status or 0


def _nobody_reads() -> bool:
    """Whether it is the output's reader who is gone, and not some process of the run's own."""
    try:
        print(flush=True)
    except BrokenPipeError:
        return True
    return False


def parser() -> Parser:
    """The parser with all commands."""
    top = Parser(prog="tinycnn", description=DESCRIPTION, epilog=EXAMPLES)
    top.add_argument("--version", action="version", version=f"tinycnn {tinycnn.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return top


def explained(error: Exception) -> str:
    """An error in words for people; one that is not meant for them says where more is to be had."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, (ValueError, RuntimeError, TypeError, OSError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error} (unexpected; the option --debug shows where)"
