"""train: the training program of examples/lenet_fashion.py, as a command."""

from typing import Any

from tinycnn import checkpoint, manual_seed
from tinycnn.backend import resolve_device
from tinycnn.checkpoint import Checkpoint
from tinycnn.cli import own
from tinycnn.cli.options import Options, add_arguments, resumed
from tinycnn.cli.parser import add_command
from tinycnn.cli.report import Report
from tinycnn.data import load
from tinycnn.execution import check_launch, job, make_step
from tinycnn.explain import PageWriter
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.training import train

TEXT = """train a LeNet

The defaults are those of the LeNet chapter of Dive into Deep Learning: ten epochs of Fashion-MNIST in batches of 256,
with sigmoids, average pooling and a learning rate of 0.9.  Curves and numbers go into a folder of their own.  With
--data it trains on your own pictures instead."""
EXAMPLES = """examples:
  tinycnn train --save lenet.safetensors                        the chapter
  tinycnn train --epochs 1 --limit 10000                        a quick look
  tinycnn train --pool max --activation relu --lr 0.1           its exercises
  tinycnn train --resume lenet.safetensors                      go on after Ctrl-C, or a power cut
  tinycnn train --resume lenet.safetensors --epochs 20          go on after the end
  mpiexec -n 4 tinycnn train --execution ranks                  on four cores, of one machine or several
  tinycnn train --data pets --save pets.safetensors             pictures in pets/cat/ and pets/dog/, say
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "train", run, TEXT, EXAMPLES)
    add_arguments(parser)
    own.add_arguments(parser)


def run(**given: Any) -> int:
    """Train as the options that were given say; returns the exit status."""
    with job():
        if "data" in given:
            return own.train_own(*own.of(given))
        if strange := own.ALONE & given.keys():
            flag = min(strange).replace("_", "-")
            raise ValueError(f"train: --{flag} is for pictures of your own, which --data FOLDER names")
        saved = checkpoint.load(given["resume"]) if "resume" in given else None
        return _train(Options(**given) if saved is None else resumed(saved, given), saved)


def _train(options: Options, saved: Checkpoint | None) -> int:
    check_launch(options.execution)
    device, reason = resolve_device(options.device)
    print(reason)
    train_set, test_set = load(options.dataset, options.data_dir, notice=print)
    print(train_set)

    manual_seed(options.seed)
    net = LeNet(**options.model)
    net.to(device)
    batches, test_batches = options.batches(train_set, test_set, device)
    optimizer = SGD(net.parameters(), lr=options.lr, momentum=options.momentum)
    with make_step(net, CrossEntropyLoss(), optimizer, *options.how) as step:
        print(f"training on {device}, {step.description}")
        report = Report(options, train_set, step, saved)
        if options.report is not None:
            report.add(PageWriter(options.report, net, test_set), options.report)
        train(step, batches, test_batches, options.epochs, report.observers, report.run)
    return report.print_result()
