"""tinycnn: bytes are scaled inside the step, which the others find done.  Few images are served by an Inference."""

import numpy as np

from peers import CHANNELS, LEARNING_RATE, cycle, images
from tinycnn import nn, optim
from tinycnn.execution import Inference, make_step
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
    if variant == "tinycnn" and not train and batch <= 32:
        return serving(model, batch)
    optimizer = optim.SGD(model.parameters(), LEARNING_RATE[net])
    runner = make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers)
    following, last = cycle(images(batch)), [0.0]

    def step():
        last[0], _ = (runner if train else runner.evaluate)(*following())

    step.close = runner.close
    return step, lambda: last[0] / batch


def serving(model, batch):
    """Logits over buffers that are made once, and from them what the others compute: loss and right answers."""
    following, last = cycle(images(batch)), [0.0]
    serve, each = Inference(model, (batch, 1, 28, 28)), np.arange(batch)

    def step():
        x, y = following()
        logits = serve(x)
        shifted = logits - logits.max(axis=1, keepdims=True)
        last[0] = float((np.log(np.exp(shifted).sum(axis=1)) - shifted[each, y]).sum())
        int((logits.argmax(axis=1) == y).sum())

    step.close = lambda: None
    return step, lambda: last[0] / batch
