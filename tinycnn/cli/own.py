"""own: training on pictures of one's own, `tinycnn train --data FOLDER`.

    pets/cat/tom.jpg            pets/train/cat/tom.jpg
    pets/dog/rex.png     or     pets/test/cat/felix.png     a class for each folder; without train and test a fifth
    ...                         ...                         of each class is kept back, drawn by chance, to test with

Pictures are brought to one size, and shifted and mirrored a little in every epoch; AdamW trains, at a rate that goes
up and down once.  What a checkpoint has to know to go on, and `tinycnn predict` to name the classes, it keeps.

Read in this order: Own, train_own, pictures_of, kind_of.
"""

import argparse
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from tinycnn import checkpoint, manual_seed
from tinycnn.autograd.arguments import choice, count, number
from tinycnn.backend import resolve_device, to_device
from tinycnn.checkpoint import Checkpoint, CheckpointError
from tinycnn.cli.options import DEVICES, PATHS, to_path
from tinycnn.data import Augment, Batches, Dataset, read_folder
from tinycnn.execution import make_step
from tinycnn.files import printable
from tinycnn.models import VGG, LeNet, Net, ResNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import AdamW, OneCycleLR
from tinycnn.training import Curves, MetricsFile, Observer, Progress, train
from tinycnn.training.curves import can_draw
from tinycnn.training.resume import Checkpoints, check_dataset, continued, describe

MODELS: dict[str, Callable[["Own", int], Net]] = {
    "resnet": lambda own, classes: ResNet(own.channels, classes, blocks=1),
    "vgg": lambda own, classes: VGG(own.channels, classes, channels=(16, 32, 64)),
    "lenet": lambda own, classes: LeNet(
        own.channels, classes, own.size, activation="relu", pool="max", batch_norm=True, dropout=0.2
    ),
}
ALONE = {"model", "size", "grey", "no_flip"}  # options that have a meaning with --data only
TRAIN, TESTS = "train", ("test", "val")  # folders that say themselves what they are for
LARGEST = 512  # pixels along a side


@dataclass
class Own:
    """What a run on one's own pictures is to be.  Raises TypeError or ValueError for values that make no sense."""

    data: Path
    model: str = "resnet"
    size: int = 32
    grey: bool = False
    no_flip: bool = False
    epochs: int = 30
    batch_size: int = 16
    lr: float = 0.01
    seed: int = 0
    device: str = "auto"
    out: Path | None = None
    save: Path | None = None
    resume: Path | None = None

    def __post_init__(self) -> None:
        choice("train --data", "model", self.model, MODELS)
        choice("train --data", "device", self.device, DEVICES)
        for name, least in {"size": 1, "epochs": 1, "batch_size": 1, "seed": 0}.items():
            count("train --data", name, getattr(self, name), least)
        number("train --data", "lr", self.lr, 0)
        if self.size > LARGEST:
            raise ValueError(f"train --data: --size is {self.size}, expected up to {LARGEST} pixels")

    @property
    def channels(self) -> int:
        return 1 if self.grey else 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that belong to --data alone."""
    group = parser.add_argument_group("pictures of your own (--lr is then AdamW's highest, 0.01, in batches of 16)")
    group.add_argument("--data", type=to_path, metavar="FOLDER", help="a folder of pictures for each class")
    group.add_argument("--model", choices=tuple(MODELS), help="the net (default: resnet, of 8 layers)")
    group.add_argument("--size", type=int, metavar="N", help="pixels to which pictures are brought (default: 32)")
    group.add_argument("--grey", action="store_true", help="without their colours")
    group.add_argument("--no-flip", action="store_true", help="never mirror a picture, as letters must not be")


def of(given: dict[str, Any]) -> tuple[Own, Checkpoint | None]:
    """The run that these options ask for, and what it goes on from; ValueError for options of other runs."""
    known = [field.name for field in fields(Own)]
    if strange := [name for name in given if name not in known]:
        flags = ", ".join("--" + name.replace("_", "-") for name in strange)
        raise ValueError(f"train --data: {flags} is for the chapter's data and its LeNet; leave it out")
    if "resume" not in given:
        return Own(**given), None
    saved = checkpoint.load(given["resume"])
    try:
        kept = {name: value for name, value in saved.about["own"].items() if name not in ("data", *PATHS)}
        if wrong := [name for name in kept if name != "device" and given.get(name, kept[name]) != kept[name]]:
            raise ValueError(f"train --data: the run in {saved.path} has {wrong[0]} {kept[wrong[0]]!r}; leave it out")
        return Own(**{**kept, "save": given["resume"], **given}), saved
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{saved.path}: not a run on pictures of one's own ({error!r})") from error


def train_own(own: Own, saved: Checkpoint | None) -> int:
    """Train as `own` says, from what was saved if there is something; returns the exit status."""
    device, reason = resolve_device(own.device)
    print(reason)
    train_set, test_set, how = pictures_of(own)
    print(f"{train_set}: {printable(', '.join(train_set.classes))}\n{how}")
    manual_seed(own.seed)
    net = MODELS[own.model](own, len(train_set.classes)).to(device)
    augment = Augment(shift=max(1, own.size // 16), flip=not own.no_flip, seed=own.seed)
    batches = Batches(*_on(device, train_set), own.batch_size, seed=own.seed, augment=augment)
    test_batches = Batches(*_on(device, test_set), own.batch_size, shuffle=False)
    optimizer = AdamW(net.parameters(), lr=own.lr)
    schedule = OneCycleLR(optimizer, own.lr, total_steps=own.epochs * len(batches))
    run = None
    if saved is not None:
        check_dataset(saved, train_set)
        run = continued(saved, net, optimizer, schedule)
    with make_step(net, CrossEntropyLoss(), optimizer) as step:
        print(f"training on {device}, {step.description}")
        observers = _observers(own, train_set, step.model, optimizer, schedule)
        run = train(step, batches, test_batches, own.epochs, observers, run, schedule)
    if run.result is not None:
        print(f"test accuracy {run.result.test_acc:.1%}, on {len(test_set):,} pictures that it has not learnt from")
    return 128 + signal.SIGTERM if run.stopped_by == "SIGTERM" else 0


def pictures_of(own: Own) -> tuple[Dataset, Dataset, str]:
    """Training and test pictures, and a line on how they were parted.  ValueError for folders that do not fit."""
    inside = {path.name for path in own.data.iterdir() if path.is_dir()} if own.data.is_dir() else set()
    test = next((name for name in TESTS if name in inside), None)
    if TRAIN in inside and test is not None:
        both = [read_folder(own.data / part, own.size, own.channels, part == TRAIN) for part in (TRAIN, test)]
        if both[0].classes != both[1].classes:
            raise ValueError(f"train --data: {own.data}: the classes in {TRAIN} and {test} are not the same")
        first, second = both
        how = f"tested with the {len(second):,} pictures in {printable(str(own.data / test))}"
    else:
        first, second = read_folder(own.data, own.size, own.channels).split(seed=own.seed)
        how = f"a fifth of each class, {len(second):,} pictures drawn by chance, is kept back to test with"
    if len(first.classes) < 2:
        raise ValueError(f"train --data: {own.data} has one class only, {first.classes[0]!r}; expected two or more")
    first.name = own.data.resolve().name
    return first, second, how


class Kind(NamedTuple):
    """The pictures that a net has learnt from."""

    size: int
    channels: int
    classes: list[str]


def kind_of(saved: Checkpoint, model: Net) -> Kind | None:
    """What a checkpoint says of the pictures in it; None where the net has learnt from others.

    CheckpointError where that does not fit the net: the file may come from anybody.
    """
    own: Any = saved.about.get("own")
    classes: Any = saved.about.get("classes")
    if own is None:
        return None
    try:
        kind = Kind(count("size", "size", own["size"]), 1 if own["grey"] else 3, [str(name) for name in classes])
        fits = kind.size <= LARGEST and kind.channels == model.config["in_channels"]
        if not fits or len(kind.classes) != model.config["num_classes"]:
            raise ValueError("its size, channels or classes are not the net's")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{saved.path}: entry 'own' does not describe the net's pictures ({error})") from error
    return kind


def _observers(own: Own, data: Dataset, net: Any, optimizer: AdamW, schedule: OneCycleLR) -> list[Observer]:
    folder = own.out or Path("runs", own.data.resolve().name)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {name: value for name, value in asdict(own).items() if name not in ("data", *PATHS)}
    about = {"dataset": describe(data), "own": settings, "classes": list(data.classes)}
    observers: list[Observer] = []
    if own.save is not None:
        observers.append(Checkpoints(own.save, net, optimizer, schedule, about=about))
    observers += [MetricsFile(folder / "metrics.jsonl", about), Progress(data.name)]
    return [*observers, Curves(folder / "curves.png", data.name)] if can_draw() else observers


def _on(device: str, data: Dataset) -> tuple[Any, Any]:
    return to_device(data.images, device), to_device(data.labels, device)
