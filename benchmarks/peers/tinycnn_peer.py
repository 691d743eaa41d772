"""tinycnn: bytes are scaled inside the step, which the others find done."""

from peers import CHANNELS, LEARNING_RATE, cycle, images
from tinycnn import nn, optim
from tinycnn.execution import make_step
from tinycnn.models import LeNet

NAMES = ("tinycnn", "tinycnn plain", "tinycnn 1 worker")


def make(variant, net, batch, train, threads):
    wide = {"activation": "relu", "pool": "max"} if net == "wide" else {}
    model = LeNet(channels=CHANNELS[net], **wide)
    strategy, workers = {
        "tinycnn": ("auto", threads),
        "tinycnn plain": ("plain", None),
        "tinycnn 1 worker": ("threads", 1),
    }[variant]
    optimizer = optim.SGD(model.parameters(), LEARNING_RATE[net])
    runner = make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers)
    following, last = cycle(images(batch)), [0.0]

    def step():
        last[0], _ = (runner if train else runner.evaluate)(*following())

    step.close = runner.close
    return step, lambda: last[0] / batch
