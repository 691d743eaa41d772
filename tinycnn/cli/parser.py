"""parser: how all commands' options look, and what several of them need: a net from a file, its data, its classes."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tinycnn import checkpoint
from tinycnn.checkpoint import Checkpoint
from tinycnn.cli.options import DATASETS, DEVICES, to_path
from tinycnn.data import SHORT_NAMES, Dataset, load
from tinycnn.data.dataset import DIGIT_CLASSES, FASHION_CLASSES
from tinycnn.models import Net

CLASSES = {"Fashion-MNIST": FASHION_CLASSES, "Silhouettes": FASHION_CLASSES, "MNIST": DIGIT_CLASSES}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that keeps line breaks, leaves out what was not given, and complains in one line."""

    def __init__(self, **options: Any) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(formatter_class=formatter, argument_default=argparse.SUPPRESS, **options)
        self.add_argument("--debug", action="store_true", help="show where an error comes from")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} --help explains)\n")


def add_command(commands: Any, name: str, run: Callable[..., int | None], text: str, examples: str) -> Parser:
    """A command's parser: the first line of `text` is its line in the list of commands, all of it heads its help."""
    command: Parser = commands.add_parser(name, help=text.splitlines()[0], description=text, epilog=examples)
    command.set_defaults(run=run)
    return command


def add_checkpoint(parser: Parser, optional: str = "") -> None:
    """The argument CHECKPOINT; `optional` says what happens without."""
    text = "a file that `tinycnn train --save` wrote"
    if optional:
        parser.add_argument(
            "checkpoint",
            metavar="CHECKPOINT",
            type=to_path,
            nargs="?",
            default=None,
            help=f"{text} (without: {optional})",
        )
    else:
        parser.add_argument("checkpoint", metavar="CHECKPOINT", type=to_path, help=text)


def add_data(parser: Parser) -> None:
    """The options that name a data set."""
    parser.add_argument("--dataset", choices=DATASETS, help="default: the one that the net was trained on")
    parser.add_argument("--data-dir", type=to_path, metavar="DIR", help="folder with the data set's files")


def add_device(parser: Parser) -> None:
    """The option --device."""
    parser.add_argument("--device", choices=DEVICES, help="auto: the GPU if it can be used (default: auto)")


def open_model(path: Path) -> tuple[Checkpoint, Net]:
    """A checkpoint and the net in it, in evaluation mode."""
    saved = checkpoint.load(path)
    model = saved.build()
    model.eval()
    return saved, model


def dataset_name(saved: Checkpoint) -> str:
    """ "Fashion-MNIST" for a net that was trained on it; empty where the file does not say."""
    about = saved.about.get("dataset")
    name = about.get("name") if isinstance(about, dict) else None
    return name if isinstance(name, str) else ""


def data_of(saved: Checkpoint, dataset: str | None, data_dir: Path | None) -> tuple[Dataset, Dataset]:
    """Training and test set: the ones that were asked for, or else those that the net was trained on.

    ValueError where those were pictures of one's own, which the file does not hold.
    """
    if "own" in saved.about:
        raise ValueError(
            f"{saved.path}: this net has learnt from pictures of {dataset_name(saved)!r}, which are not in the file; "
            "`tinycnn predict` takes it, and pictures"
        )
    return load(dataset or SHORT_NAMES.get(dataset_name(saved), "auto"), data_dir, notice=print)


def image_shape(model: Net) -> tuple[int, int, int, int]:
    """(1, channels, height, width) of the net's input, for one image; 28 pixels where the net takes any number."""
    size = int(model.config.get("image_size", 28))
    return 1, int(model.config["in_channels"]), size, size
