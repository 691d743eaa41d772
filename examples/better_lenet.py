"""A better LeNet: the chapter's net with thirty years of hindsight.

    LeNet                    here                         because
    sigmoid                  ReLU                         its slope is 1 where it is on, not 1/4 at best
    average pooling          max pooling                  "was there an edge?" survives its neighbours
    6 and 16 filters         32 and 64                    more things to look for
    120 and 84 hidden        256 hidden, dropout          one wide layer that must not rely on any single feature
    batches of 256           of 64                        four times as many steps for the same images
    lr 0.9, constant         momentum 0.9, cosine to 0    large steps first, then small ones that settle
                             weight decay 2e-4            keeps the weights from growing to fit single images

python examples/better_lenet.py                              Fashion-MNIST
python examples/better_lenet.py --dataset mnist --data-dir DIR
python examples/better_lenet.py --epochs 1 --limit 2000      a quick look
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path

from tinycnn import manual_seed
from tinycnn.cli.report import clear_errors, machine
from tinycnn.data import Batches, load
from tinycnn.execution import make_step
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD, CosineAnnealingLR
from tinycnn.training import Curves, Progress, train
from tinycnn.training.curves import can_draw

MODEL = {"channels": (32, 64), "activation": "relu", "pool": "max", "hidden": (256,), "dropout": 0.4}
OPTIMIZER = {"lr": 0.03, "momentum": 0.9, "weight_decay": 2e-4}
BATCH_SIZE = 64


def main(arguments=None):
    options = parse(arguments)
    train_set, test_set = load(options.dataset, options.data_dir, notice=print)
    print(train_set)

    manual_seed(options.seed)
    net = LeNet(**MODEL)
    batches, test_batches = (
        Batches(data.images[: options.limit], data.labels[: options.limit], BATCH_SIZE, shuffle, options.seed)
        for data, shuffle in ((train_set, True), (test_set, False))
    )
    optimizer = SGD(net.parameters(), **OPTIMIZER)
    schedule = CosineAnnealingLR(optimizer, T_max=options.epochs)
    observers = [Progress()]
    if can_draw():
        observers.append(Curves(options.out / "curves.png", f"A better LeNet on {train_set.name}"))

    started = time.perf_counter()
    with make_step(net, CrossEntropyLoss(), optimizer) as step:
        print(step.description)
        run = train(step, batches, test_batches, options.epochs, observers, schedule=schedule)
    seconds = time.perf_counter() - started

    print(f"test accuracy {run.result.test_acc:.4f} after {run.epoch} epochs, {seconds / 60:.1f} minutes")
    path = options.out / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary(net, run, seconds, train_set, options, step), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def summary(net, run, seconds, data, options, step):
    """What was trained on what, what came out, and what it took."""
    return {
        "dataset": data.name,
        "date": date.today().isoformat(),
        "test_acc": run.result.test_acc,
        "train_acc": run.result.train_acc,
        "epochs": run.epoch,
        "seconds": round(seconds, 1),
        "examples_per_sec": round(run.examples_per_sec),
        "parameters": sum(p.numel() for p in net.parameters()),
        "seed": options.seed,
        "limit": options.limit,
        "model": net.config,
        "optimizer": {**OPTIMIZER, "schedule": "cosine", "batch_size": BATCH_SIZE},
        "test_acc_by_epoch": [record.test_acc for record in run.history if record.kind == "epoch"],
        "execution": step.description,
        "machine": machine(),
    }


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="auto", choices=("auto", "fashion", "mnist", "silhouettes"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--epochs", type=int, default=15, metavar="N", help="default: 15")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N images only, for a quick look")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, dropout and order (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs", "better-lenet"), metavar="DIR", help="for the results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with clear_errors():
        main()
