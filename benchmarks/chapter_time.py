"""What does d2l.train_ch6 cost beside the example's own loop?  Both train one LeNet, in turns, on the same images.

    python benchmarks/chapter_time.py                                          ten pairs of one epoch of Fashion-MNIST
    python benchmarks/chapter_time.py --pairs 3 --limit 2048 --dataset silhouettes                              a look

What counts is the median of the ratios of a pair, so that a slow minute of the machine strikes both; who is first
alternates.  The results go to benchmarks/results/chapter_time.json.  The exit status is 0 if the weights are equal bit
by bit and train_ch6 takes at most 5 % more time.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import machine
from tinycnn import d2l, manual_seed, nn
from tinycnn.cli.options import Options
from tinycnn.cli.report import Report
from tinycnn.data import DataLoader, Dataset, load
from tinycnn.execution import make_step
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.training import train

RESULTS = Path(__file__).parent / "results"
ALLOWED = 1.05


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, metavar="N", help="how often each is timed (default: 10)")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="epochs of a run (default: 1)")
    parser.add_argument("--limit", type=int, metavar="N", help="train on the first N images only")
    parser.add_argument("--dataset", default="auto", help="as in examples/lenet_fashion.py")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    options = Options(epochs=given.epochs, limit=given.limit, device="cpu")
    train_set, test_set = load(given.dataset, notice=print)
    result = compare(cut(train_set, given.limit), test_set, options, given.pairs)
    result["machine"] = machine.describe("tinycnn", "numpy")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "chapter_time.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"train_ch6 takes {result['ratio']:.3f} times the example's time, same bits: {result['same_bits']}")
    return 0 if result["same_bits"] and result["ratio"] <= ALLOWED else 1


def cut(data, limit):
    return Dataset(data.name, data.train, data.images[:limit], data.labels[:limit], data.classes)


def compare(train_set, test_set, options, pairs):
    """Seconds of each run, the median ratio of a pair, and whether all runs ended with the same bits."""
    runs = {"train_ch6": by_the_book, "example": by_the_example}
    seconds, ends = {name: [] for name in runs}, []
    for pair in range(-1, pairs):  # the first warms up and does not count
        for name in sorted(runs, reverse=pair % 2 == 1):
            start = time.perf_counter()
            net = runs[name](train_set, test_set, options)
            seconds[name].append(time.perf_counter() - start)
            ends.append([p.numpy() for p in net.parameters()])
    counted = {name: taken[1:] for name, taken in seconds.items()}
    ratios = [a / b for a, b in zip(counted["train_ch6"], counted["example"], strict=True)]
    same = all(np.array_equal(a, b) for end in ends[1:] for a, b in zip(ends[0], end, strict=True))
    return {"seconds": counted, "ratio": statistics.median(ratios), "ratios": ratios, "same_bits": same}


def by_the_book(train_set, test_set, options):
    """The chapter's cells: the net, the loaders, train_ch6 with its curves in a file."""
    manual_seed(options.seed)
    net = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip
    loaders = (DataLoader(part, options.batch_size, shuffle=part.train) for part in (train_set, test_set))
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        os.environ["TINYCNN_OUT"] = folder  # where Animator puts its picture
        d2l.train_ch6(net, *loaders, options.epochs, options.lr, "cpu")
    return net


def by_the_example(train_set, test_set, options):
    """What examples/lenet_fashion.py does, its curves and numbers in files."""
    manual_seed(options.seed)
    net = LeNet(**options.model)
    batches, test_batches = options.batches(train_set, test_set, "cpu")
    optimizer = SGD(net.parameters(), lr=options.lr, momentum=options.momentum)
    with (
        tempfile.TemporaryDirectory() as folder,
        make_step(net, nn.CrossEntropyLoss(), optimizer, *options.how) as step,
    ):
        report = Report(replace(options, out=Path(folder)), train_set, step, say=lambda text: None)
        train(step, batches, test_batches, options.epochs, report.observers, report.run)
    return net


if __name__ == "__main__":
    sys.exit(main())
