"""The exercises of the LeNet chapter, answered with runs of this engine.

    1    max pooling in place of average pooling
    2.1  the size of the window          2.4  the number of convolutions
    2.2  the number of channels          2.5  the number of dense layers
    2.3  the activation                  2.6  learning rate, initialisation, number of epochs
    3    the improved net on MNIST
    (4, what the layers see, is examples/activations.py; a net for the highest accuracy is examples/better_lenet.py)

python examples/exercises.py                                   all of them, three seeds each: hours
python examples/exercises.py --only 1 2.3 --epochs 3           some of them
python examples/exercises.py --dataset silhouettes --seeds 1 --epochs 1 --limit 512      that it runs

Prints one line per variant, with the mean of the test accuracy over the seeds and half its range, and writes the plot.
Every variant differs from the chapter's LeNet in one thing only, and from its learning rate where that would diverge.
"""

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinycnn import init, manual_seed
from tinycnn.cli.report import clear_errors, machine
from tinycnn.data import Batches, load
from tinycnn.execution import make_step
from tinycnn.explain.figures import can_draw, style
from tinycnn.models import LeNet
from tinycnn.nn import Conv2d, CrossEntropyLoss, Linear
from tinycnn.optim import SGD
from tinycnn.training import train

INITIALISERS = {
    "Xavier uniform": None,  # what LeNet has already
    "He normal": lambda w: init.kaiming_normal_(w),
    "normal, std 0.01": lambda w: init.normal_(w, 0.0, 0.01),
}


class Variant(NamedTuple):
    """One line of the table: the exercise, what is changed, and how."""

    exercise: str
    name: str
    model: dict = {}
    lr: float = 0.9
    initialiser: str = "Xavier uniform"
    epochs: float = 1  # times the usual number
    dataset: str = ""  # another than the others'


IMPROVED = {"activation": "relu", "pool": "max", "channels": (16, 32)}
VARIANTS = [
    Variant("", "LeNet as in the chapter"),
    Variant("1", "max pooling", {"pool": "max"}),
    Variant("2.1", "3x3 windows", {"kernel_size": 3}),
    Variant("2.1", "7x7 windows", {"kernel_size": 7}),
    Variant("2.2", "3 and 8 channels", {"channels": (3, 8)}),
    Variant("2.2", "12 and 32 channels", {"channels": (12, 32)}),
    Variant("2.3", "tanh", {"activation": "tanh"}, lr=0.3),
    Variant("2.3", "ReLU", {"activation": "relu"}, lr=0.1),
    Variant("2.4", "1 convolution", {"channels": (6,)}),
    Variant("2.4", "3 convolutions", {"channels": (6, 16, 32), "same_padding": True}),
    Variant("2.5", "2 dense layers", {"hidden": (120,)}),
    Variant("2.5", "4 dense layers", {"hidden": (120, 84, 84)}),
    Variant("2.6", "lr 0.3", lr=0.3),
    Variant("2.6", "lr 2", lr=2.0),
    Variant("2.6", "He normal weights", initialiser="He normal"),
    Variant("2.6", "normal weights, std 0.01", initialiser="normal, std 0.01"),
    Variant("2.6", "twice the epochs", epochs=2),
    Variant("2", "ReLU, max pooling, 16 and 32 channels", IMPROVED, lr=0.1),
    Variant("3", "the same on {}", IMPROVED, lr=0.1, dataset="mnist"),
]


def main(arguments=None):
    options = parse(arguments)
    chosen = [v for v in VARIANTS if not options.only or v.exercise in options.only or not v.exercise]
    data = {name: load_named(name, options) for name in {v.dataset: None for v in chosen}}  # first, lest hours be lost
    rows = []
    print(f"{'exercise':9}{'variant':39}{'parameters':>10}   {'test accuracy':17}{'seconds':>8}")
    for variant in chosen:
        rows.append(row := answer(variant, data[variant.dataset], options))
        mean, spread = row["mean"], row["spread"]
        accuracy = f"{mean:.3f}" + (f" ± {spread:.3f}" if options.seeds > 1 else "")
        parameters = f"{row['parameters']:10,}"
        print(f"{variant.exercise:9}{row['variant']:39}{parameters}   {accuracy:17}{row['seconds']:8.1f}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    result = {
        "seeds": options.seeds,
        "epochs": options.epochs,
        "limit": options.limit,
        "machine": machine(),
        "rows": rows,
    }
    (options.out / "exercises.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out / 'exercises.json'}")
    if can_draw():
        draw(rows).savefig(options.out / "exercises.png", facecolor="white")
        print(f"wrote {options.out / 'exercises.png'}")


def load_named(name, options):
    """Training and test set of the variants' `dataset`; drawn silhouettes stand in for MNIST where they are wanted."""
    mnist = name == "mnist" and options.dataset != "silhouettes"
    data = (
        load("mnist", options.mnist_dir, notice=print)
        if mnist
        else load(options.dataset, options.data_dir, notice=print)
    )
    print(data[0])
    return data


def answer(variant, data, options):
    """Train a variant with every seed: its line of the table."""
    started = time.perf_counter()
    found = [accuracy(variant, data, options, seed) for seed in range(options.seeds)]
    return {
        "exercise": variant.exercise,
        "variant": variant.name.format(data[0].name),
        "dataset": data[0].name,
        "parameters": sum(p.numel() for p in LeNet(**variant.model).parameters()),
        "accuracies": found,
        "mean": float(np.mean(found)),
        "spread": float(np.ptp(found)) / 2,
        "seconds": round((time.perf_counter() - started) / options.seeds, 2),  # of one run
    }


def accuracy(variant, data, options, seed):
    """The test accuracy after training from this seed."""
    manual_seed(seed)
    net = LeNet(**variant.model)
    if initialise := INITIALISERS[variant.initialiser]:
        net.apply(lambda layer: initialise(layer.weight) if isinstance(layer, (Conv2d, Linear)) else None)
    train_set, test_set = ((part.images[: options.limit], part.labels[: options.limit]) for part in data)
    batches, test_batches = Batches(*train_set, 256, seed=seed), Batches(*test_set, 256, shuffle=False)
    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=variant.lr)) as step:
        run = train(step, batches, test_batches, round(options.epochs * variant.epochs))
    return run.result.test_acc


def draw(rows):
    """Each variant's accuracies as dots beside its name, over a line at the chapter's net."""
    figure = style.new(8.5, 0.3 * len(rows) + 1.0, "Test accuracy of LeNet and its variants")
    axes = figure.subplots()
    for k, row in enumerate(rows):
        axes.plot(row["accuracies"], [k] * len(row["accuracies"]), "o", color=style.FAINT, markersize=4, clip_on=False)
        axes.plot(row["mean"], k, "|", color=style.LIT, markersize=14, markeredgewidth=2.5)
    axes.axvline(rows[0]["mean"], color=style.INK, linewidth=0.8, linestyle=":")
    style.rows(axes, [f"{row['variant']}  {row['exercise']:>3}" for row in rows])
    return figure


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="N", choices=sorted({v.exercise for v in VARIANTS} - {""}))
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each variant (default: 3)")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10, as in the chapter")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N images only, for a quick look")
    parser.add_argument("--dataset", default="auto", choices=("auto", "fashion", "silhouettes"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with Fashion-MNIST's files")
    parser.add_argument("--mnist-dir", type=Path, metavar="DIR", help="folder with MNIST's files, for exercise 3")
    parser.add_argument("--out", type=Path, default=Path("runs", "exercises"), metavar="DIR", help="for table and plot")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.epochs < 1:
        parser.error(f"--seeds and --epochs: got {options.seeds} and {options.epochs}, expected 1 or more")
    return options


if __name__ == "__main__":
    with clear_errors():
        main()
