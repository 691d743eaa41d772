"""LeNet on Fashion-MNIST, as in the LeNet chapter of Dive into Deep Learning.

    python examples/lenet_fashion.py                               the chapter: 10 epochs, batches of 256, lr 0.9
    python examples/lenet_fashion.py --device gpu
    python examples/lenet_fashion.py --pool max --activation relu --lr 0.1       its exercises
    python examples/lenet_fashion.py --epochs 1 --limit 10000                    a quick look
    python examples/lenet_fashion.py --save lenet.safetensors                    then, after Ctrl-C or a power cut:
    python examples/lenet_fashion.py --resume lenet.safetensors

--help lists all options; runs/ gets the curves and the numbers.
"""

import sys

import numpy as np

from tinycnn import manual_seed, no_grad, tensor
from tinycnn.backend import resolve_device
from tinycnn.cli.options import parse
from tinycnn.cli.report import Report, clear_errors
from tinycnn.data import load
from tinycnn.execution import check_launch, job, make_step
from tinycnn.explain import PageWriter
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.training import train


def main(arguments=None):
    with job():  # alone, or as one of several that mpiexec has started
        return run(*parse(arguments, __doc__))


def run(options, checkpoint):
    check_launch(options.execution)
    device, reason = resolve_device(options.device)
    print(reason)

    train_set, test_set = load(options.dataset, options.data_dir, notice=print)
    print(train_set)

    manual_seed(options.seed)
    net = LeNet(**options.model)
    show_shapes(net)
    net.to(device)

    batches, test_batches = options.batches(train_set, test_set, device)
    optimizer = SGD(net.parameters(), lr=options.lr, momentum=options.momentum)
    with make_step(net, CrossEntropyLoss(), optimizer, *options.how) as step:
        print(f"training on {device}, {step.description}")
        report = Report(options, train_set, step, checkpoint)
        if options.report is not None:
            report.add(PageWriter(options.report, net, test_set), options.report)
        train(step, batches, test_batches, options.epochs, report.observers, report.run)
    return report.print_result()


def show_shapes(net):
    """Every layer's output for one image, as the chapter prints them."""
    X = tensor(np.zeros((1, 1, 28, 28), np.float32))
    with no_grad():
        for layer in net:
            X = layer(X)
            print(type(layer).__name__, "output shape: \t", X.shape)


if __name__ == "__main__":
    with clear_errors():
        sys.exit(main())
