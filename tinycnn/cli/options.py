"""options: the command line of a training program, and what follows from it.

Read in this order: Options, add_arguments, parse, resumed.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinycnn import checkpoint
from tinycnn.autograd.arguments import choice, integer, number
from tinycnn.backend import to_device
from tinycnn.checkpoint import Checkpoint, CheckpointError
from tinycnn.data import SHORT_NAMES, Batches, Dataset
from tinycnn.execution import ENGINES, STRATEGIES
from tinycnn.models import POOLS
from tinycnn.nn import ACTIVATIONS

DEVICES = ("auto", "cpu", "gpu")
DATASETS = ("auto", *SHORT_NAMES.values())
PATHS = ("data_dir", "out", "report", "tensorboard", "save", "resume")  # of this computer, and nobody else's affair
MODEL = ("activation", "pool", "channels", "kernel_size", "hidden", "dropout", "same_padding", "batch_norm")
FIXED = ("dataset", "limit", "batch_size", "lr", "momentum", "seed", *MODEL)  # decide the result of a run


@dataclass
class Options:
    """What a training run is to be; the defaults are the LeNet chapter's.  Raises ValueError for numbers below 1."""

    device: str = "auto"
    dataset: str = "auto"
    data_dir: Path | None = None
    limit: int | None = None
    epochs: int = 10
    batch_size: int = 256
    lr: float = 0.9
    momentum: float = 0.0
    activation: str = "sigmoid"
    pool: str = "avg"
    channels: tuple[int, ...] = (6, 16)
    kernel_size: int = 5
    hidden: tuple[int, ...] = (120, 84)
    dropout: float = 0.0
    same_padding: bool = False
    batch_norm: bool = False
    seed: int = 0
    execution: str = "auto"
    engine: str = "auto"
    workers: int | None = None
    micro_batch: int | None = None
    out: Path | None = None
    report: Path | None = None
    tensorboard: Path | None = None
    save: Path | None = None
    save_every: int | None = None
    resume: Path | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "limit", "workers", "micro_batch", "save_every"):
            value = getattr(self, name)
            if value is not None and integer("Options", name, value) < 1:
                raise ValueError(f"--{name.replace('_', '-')}: got {value}, expected 1 or more")
        for name in ("lr", "momentum", "dropout"):
            number("Options", name, getattr(self, name))
        for name, allowed in (("device", DEVICES), ("dataset", DATASETS), ("execution", STRATEGIES)):
            choice("Options", name, getattr(self, name), allowed)
        if self.save_every is not None and self.save is None:
            raise ValueError("--save-every: there is no file to save to; name one with --save FILE")
        if integer("Options", "seed", self.seed) < 0:
            raise ValueError(f"--seed: got {self.seed}, expected 0 or more")

    @property
    def model(self) -> dict[str, Any]:
        """The arguments of models.LeNet."""
        return {name: getattr(self, name) for name in MODEL}

    @property
    def how(self) -> tuple[str, int | None, int | None, str]:
        """How a step runs: make_step's arguments from `strategy` on."""
        return self.execution, self.workers, self.micro_batch, self.engine

    def batches(self, train_set: Dataset, test_set: Dataset, device: str) -> tuple[Batches, Batches]:
        """The batches to train on, of the first `limit` images, and those to test on; both on the device."""
        images, labels = (to_device(array[: self.limit], device) for array in (train_set.images, train_set.labels))
        batches = Batches(images, labels, self.batch_size, seed=self.seed)
        images, labels = to_device(test_set.images, device), to_device(test_set.labels, device)
        return batches, Batches(images, labels, self.batch_size, shuffle=False)

    def as_dict(self) -> dict[str, Any]:
        """Every option, in values that JSON has."""
        return {name: _to_json(value) for name, value in asdict(self).items()}


def _to_json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def parse(arguments: Sequence[str] | None, description: str) -> tuple[Options, Checkpoint | None]:
    """The options in a list of arguments (None: the program's own), and what --resume goes on from.

    `description` is the text above --help's list.  Wrong arguments end the program, as argparse does it; raises
    CheckpointError or OSError for a file that cannot be resumed.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add_arguments(parser)
    given = vars(parser.parse_args(arguments))
    saved = checkpoint.load(given["resume"]) if given.get("resume") else None
    try:
        return Options(**given) if saved is None else resumed(saved, given), saved
    except CheckpointError:
        raise
    except ValueError as error:
        parser.error(str(error))


def resumed(saved: Checkpoint, given: Mapping[str, Any]) -> Options:
    """The options of the run that was saved, changed by the given ones; ValueError where those would spoil it.

    The file may come from somebody else: its paths do not count, and its net is the one whose tensors it holds.
    """
    try:
        options = {name: _from_json(value) for name, value in saved.about["options"].items() if name not in PATHS}
        options["dataset"] = SHORT_NAMES[saved.about["dataset"]["name"]]
        options |= {name: _from_json(saved.config[name]) for name in MODEL if name in saved.config}
        options.pop("workers", None)  # of that machine
        merged = Options(**{**options, "save": given["resume"], **given})
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{saved.path}: entry 'about' is not a training run's ({error!r})") from error
    for name in FIXED:
        if name in given and given[name] != options[name]:
            raise ValueError(
                f"--{name.replace('_', '-')}: the run in {saved.path} has {options[name]}, got {given[name]}; "
                "leave the option out, or start a new run"
            )
    return merged


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of training; those that are not given leave no trace, so that Options' defaults hold."""
    usual = Options()
    group = parser.add_argument_group("data")
    _choice(group, "--dataset", DATASETS, usual.dataset, "auto: Fashion-MNIST, or drawn silhouettes without it")
    group.add_argument("--data-dir", type=to_path, metavar="DIR", help="folder with the data set's files")
    group.add_argument("--limit", type=int, metavar="N", help="train on the first N images only, for a quick look")

    group = parser.add_argument_group("net (the chapter's exercises)")
    _choice(group, "--activation", tuple(ACTIVATIONS), usual.activation, "after every layer but the last")
    _choice(group, "--pool", tuple(POOLS), usual.pool, "average or max pooling")
    _numbers(group, "--channels", usual.channels, "filters of each convolution")
    _number(group, "--kernel-size", usual.kernel_size, "of the convolutions, in pixels")
    _numbers(group, "--hidden", usual.hidden, "width of each fully connected layer but the last")
    _number(group, "--dropout", usual.dropout, "probability after each hidden layer")
    group.add_argument("--same-padding", action="store_true", help="convolutions keep the size: room for more of them")
    group.add_argument("--batch-norm", action="store_true", help="a batch normalisation after each convolution")

    group = parser.add_argument_group("training")
    _number(group, "--epochs", usual.epochs, "how often to go through the training images")
    _number(group, "--batch-size", usual.batch_size, "images a step")
    _number(group, "--lr", usual.lr, "learning rate of SGD; try 0.1 with relu")
    _number(group, "--momentum", usual.momentum, "of SGD")
    _number(group, "--seed", usual.seed, "of weights and of the order of the images; the same seed gives the same net")

    group = parser.add_argument_group("machine")
    _choice(group, "--device", DEVICES, usual.device, "auto: the GPU if it can be used")
    _choice(group, "--execution", STRATEGIES, usual.execution, "how a step runs; auto picks what is fastest here")
    _choice(group, "--engine", ("auto", *ENGINES), usual.engine, "what threads and processes compute with")
    group.add_argument("--workers", type=int, metavar="N", help="of threads or processes (default: one a core)")
    group.add_argument("--micro-batch", type=int, metavar="N", help="images that a worker takes at a time")

    group = parser.add_argument_group("files")
    _path(group, "--out", "DIR", "folder for curves and numbers (default: runs/lenet-fashion, by data set)")
    _path(group, "--report", "FILE", "page (HTML) that shows every number inside the trained net")
    _path(group, "--tensorboard", "DIR", "folder for TensorBoard's event files")
    _path(group, "--save", "FILE", "checkpoint, written after each epoch and at Ctrl-C")
    group.add_argument("--save-every", type=int, metavar="N", help="write it after every N batches as well")
    _path(group, "--resume", "FILE", "go on with the run in this checkpoint, its options but no paths; save to it")


def _path(group: Any, flag: str, metavar: str, text: str) -> None:
    group.add_argument(flag, type=to_path, metavar=metavar, help=text)


def to_path(text: str) -> Path:
    """A path from the command line; ~ is the home folder, also where the shell left it alone (--out=~/runs)."""
    return Path(text).expanduser()


def _choice(group: Any, flag: str, choices: tuple[str, ...], usual: str, text: str) -> None:
    group.add_argument(flag, choices=choices, help=f"{text} (default: {usual})")


def _number(group: Any, flag: str, usual: int | float, text: str) -> None:
    metavar = "N" if isinstance(usual, int) else "X"
    group.add_argument(flag, type=type(usual), metavar=metavar, help=f"{text} (default: {usual})")


def _numbers(group: Any, flag: str, usual: tuple[int, ...], text: str) -> None:
    shown = " ".join(map(str, usual))
    group.add_argument(flag, type=int, nargs="*", action=_Tuple, metavar="N", help=f"{text} (default: {shown})")


class _Tuple(argparse.Action):
    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, tuple(values))
