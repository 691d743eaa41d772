"""A better LeNet: the chapter's net with thirty years of hindsight.

    LeNet                    here                         because
    sigmoid                  ReLU                         its slope is 1 where it is on, not 1/4 at best
    average pooling          max pooling                  "was there an edge?" survives its neighbours
    6 and 16 filters         32 and 64                    more things to look for
    120 and 84 hidden        256 hidden, dropout          one wide layer that must not rely on any single feature
    batches of 256           of 64                        four times as many steps for the same images
    lr 0.9, constant         momentum 0.9, cosine to 0    large steps first, then small ones that settle
                             weight decay 2e-4            keeps the weights from growing to fit single images

Three recipes go on from there, with batch normalisation, a rate that goes up and down once, and changed images:

    deeper        five convolutions of 3x3 with batch normalisation, 0.15 M parameters, 10 epochs
    small         fewer than 8,000 parameters: a VGG-like net of 8, 12 and 16 filters
    residual      20 layers with shortcuts, 0.27 M parameters, 30 epochs

python examples/better_lenet.py                              Fashion-MNIST
python examples/better_lenet.py --dataset mnist --data-dir DIR
python examples/better_lenet.py --recipe small --dataset mnist
python examples/better_lenet.py --recipe small --dataset mnist --seeds 5      their mean and spread; goes on
python examples/better_lenet.py --epochs 1 --limit 2000      a quick look
python examples/better_lenet.py --device gpu
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from tinycnn import manual_seed, nn
from tinycnn.backend import resolve_device, to_device
from tinycnn.cli.report import clear_errors, machine
from tinycnn.data import Augment, Batches, load
from tinycnn.execution import make_step
from tinycnn.files import write_atomically
from tinycnn.models import VGG, LeNet, ResNet
from tinycnn.optim import SGD, AdamW, CosineAnnealingLR, OneCycleLR, Optimizer
from tinycnn.training import Curves, Progress, train
from tinycnn.training.curves import can_draw


@dataclass
class Recipe:
    """A net, and how it is trained.  `flip` holds for clothes; a mirrored digit is another one, or none."""

    net: Callable[[], nn.Module]
    rule: Callable[..., Optimizer]
    options: dict[str, Any]
    batch_size: int
    epochs: int
    max_lr: float | None = None  # one cycle up to it; without, a cosine from options["lr"] down to 0
    shift: int = 0
    flip: bool = False
    erase: float = 0.0
    smoothing: float = 0.0


BETTER = {"channels": (32, 64), "activation": "relu", "pool": "max", "hidden": (256,), "dropout": 0.4}
MOMENTUM = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}

TABLE = Path(__file__).parents[1] / "benchmarks" / "results" / "accuracy.json"

RECIPES = {
    "better": Recipe(
        lambda: LeNet(**BETTER), SGD, {"lr": 0.03, "momentum": 0.9, "weight_decay": 2e-4}, batch_size=64, epochs=15
    ),
    "deeper": Recipe(
        lambda: VGG(channels=(16, 48, 96), convolutions=(1, 2, 2)), AdamW, {"lr": 1e-3, "weight_decay": 0.05},
        batch_size=128, epochs=10, max_lr=8e-3, shift=1, flip=True, smoothing=0.05,
    ),
    "small": Recipe(
        lambda: VGG(channels=(8, 12, 16)), AdamW, {"lr": 1e-3, "weight_decay": 0.01},
        batch_size=64, epochs=15, max_lr=1e-2, shift=1,
    ),
    "residual": Recipe(
        ResNet, SGD, {"lr": 0.1, **MOMENTUM},
        batch_size=128, epochs=30, max_lr=0.2, shift=2, flip=True, erase=0.5, smoothing=0.1,
    ),
}  # fmt: skip


def main(arguments=None):
    options = parse(arguments)
    device, reason = resolve_device(options.device)
    print(reason)
    data = load(options.dataset, options.data_dir, notice=print)
    print(data[0])
    if options.seeds is None:
        result, path = learn(options, options.seed, data, device), options.out / "result.json"
        write(path, result)
        print(f"wrote {path}")
    else:
        several(options, data, device)


def several(options, data, device):
    """Train from as many seeds as asked for and tell their mean; each result is kept as soon as it is there.

    A result in the file counts where it is of the same data, net and training; a recipe that has changed starts anew.
    """
    kept = json.loads(options.table.read_text(encoding="utf-8")) if options.table.exists() else []
    asked = settings(options, data[0])
    for seed in range(options.seed, options.seed + options.seeds):
        if not any(asked.items() <= result.items() and result["seed"] == seed for result in kept):
            kept.append(learn(options, seed, data, device))
            write(options.table, kept)
    seeds = range(options.seed, options.seed + options.seeds)
    found = [result for result in kept if asked.items() <= result.items() and result["seed"] in seeds]
    print(f"{'seed':>4}  {'test accuracy':>13}  {'images/s':>8}  {'minutes':>7}  {'of one core':>11}")
    for result in sorted(found, key=lambda result: result["seed"]):
        print(
            f"{result['seed']:4}  {result['test_acc']:13.2%}  {result['examples_per_sec']:8,}  "
            f"{result['seconds'] / 60:7.1f}  {result['cpu_seconds'] / 60:11.1f}"
        )
    accuracies = [100 * result["test_acc"] for result in found]
    print(
        f"{options.recipe} on {data[0].name}, {found[0]['parameters']:,} parameters, {found[0]['epochs']} epochs: "
        f"mean {mean(accuracies):.2f} %, from {min(accuracies):.2f} to {max(accuracies):.2f} %, "
        f"standard deviation {pstdev(accuracies):.2f}"
    )


def learn(options, seed, data, device):
    """Train the recipe's net once; returns the summary."""
    recipe, (train_set, test_set) = RECIPES[options.recipe], data
    manual_seed(seed)
    net, epochs = recipe.net(), options.epochs or recipe.epochs
    net.to(device)
    augment = Augment(recipe.shift, recipe.flip and train_set.name != "MNIST", recipe.erase, seed=seed)
    augment = None if recipe.shift == 0 and not recipe.flip and recipe.erase == 0 else augment
    batches, test_batches = (
        Batches(*on(device, part, options.limit), recipe.batch_size, seed=seed, **how)
        for part, how in ((train_set, {"augment": augment}), (test_set, {"shuffle": False}))
    )
    optimizer = recipe.rule(net.parameters(), **recipe.options)
    observers = [Progress()]
    if can_draw():
        observers.append(Curves(options.out / "curves.png", f"A better LeNet on {train_set.name}"))

    started, worked = time.perf_counter(), sum(os.times()[:4])  # workers' too, once they have ended
    loss, half = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing), recipe.batch_size // 2
    with make_step(net, loss, optimizer, micro_batch=half) as step:  # two cores' shares; smaller parts cost more calls
        print(step.description)
        schedule = schedule_of(recipe, optimizer, epochs, len(batches))
        run = train(step, batches, test_batches, epochs, observers, schedule=schedule)
    seconds, cpu_seconds = time.perf_counter() - started, sum(os.times()[:4]) - worked

    print(f"test accuracy {run.result.test_acc:.4f} after {run.epoch} epochs, {seconds / 60:.1f} minutes", end=", ")
    print(f"{run.examples_per_sec:,.0f} images/s; {cpu_seconds / 60:.1f} minutes of one core, whatever else ran")
    return {
        **settings(options, train_set),
        "seed": seed,
        "date": date.today().isoformat(),
        "test_acc": run.result.test_acc,
        "train_acc": run.result.train_acc,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "examples_per_sec": round(run.examples_per_sec),
        "test_acc_by_epoch": [record.test_acc for record in run.history if record.kind == "epoch"],
        "execution": step.description,
        "machine": machine(),
    }


def schedule_of(recipe, optimizer, epochs, steps):
    """A cosine down to 0 over the epochs, or one cycle over their steps."""
    if recipe.max_lr is None:
        return CosineAnnealingLR(optimizer, T_max=epochs)
    return OneCycleLR(optimizer, recipe.max_lr, total_steps=epochs * steps)


def on(device, data, limit):
    """The first images and labels of a data set, on the device."""
    return to_device(data.images[:limit], device), to_device(data.labels[:limit], device)


def settings(options, data):
    """What is trained on what, and how: all that the outcome depends on but the seed."""
    recipe = RECIPES[options.recipe]
    net = recipe.net()
    schedule = "cosine" if recipe.max_lr is None else f"one cycle up to {recipe.max_lr:g}"
    asked = {
        "recipe": options.recipe,
        "dataset": data.name,
        "epochs": options.epochs or recipe.epochs,
        "limit": options.limit,
        "parameters": sum(p.numel() for p in net.parameters()),
        "model": {"class": type(net).__name__, **net.config},
        "optimizer": {
            "class": recipe.rule.__name__, **recipe.options, "schedule": schedule, "batch_size": recipe.batch_size,
        },
        "augment": {"shift": recipe.shift, "flip": recipe.flip and data.name != "MNIST", "erase": recipe.erase},
        "label_smoothing": recipe.smoothing,
    }  # fmt: skip
    return json.loads(json.dumps(asked))  # as it will be read again: tuples are lists


def write(path, result):
    """As JSON, at every moment the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(result, indent=2) + "\n").encode())


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="auto", choices=("auto", "fashion", "mnist", "silhouettes"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--recipe", default="better", choices=tuple(RECIPES), help="see above (default: better)")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: the recipe's")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N images only, for a quick look")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"), help="where it trains")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, dropout and order (default: 0)")
    parser.add_argument("--seeds", type=int, metavar="N", help="train from N seeds, --seed and the next ones")
    parser.add_argument(
        "--table", type=Path, default=TABLE, metavar="FILE", help="their results (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs", "better-lenet"), metavar="DIR", help="for the results")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    return options


if __name__ == "__main__":
    with clear_errors():
        main()
