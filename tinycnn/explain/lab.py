"""lab: what the page's tab "Train here" begins with: small garments, first weights, and the engine's steps from them.

The net is small enough for a page to train: a convolution of 4 filters of 5x5, an activation, average pooling, and a
dense layer, on 14x14 pixels.  The engine computes it in float64, as a browser does, so that the page's arithmetic can
be held to the engine's to nine digits, over several steps, each of which begins with what the last one made.

Read in this order: garments, beginning, first_steps, data.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinycnn import functional as F
from tinycnn import init
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.data import Batches, Dataset, Silhouettes, scale
from tinycnn.data.dataset import FASHION_CLASSES
from tinycnn.explain.bundle import Arrays, Part
from tinycnn.nn import AvgPool2d, Conv2d, Flatten, Linear, ReLU, Sequential, Sigmoid, Tanh
from tinycnn.optim import SGD

SIDE, FILTERS, KERNEL, CLASSES = 14, 4, 5, 10
IMAGES, HELD_OUT, BATCH = 400, 100, 20
RATE, STEPS, SEED = 0.1, 5, 0
SHADE = 17  # a pixel is one of 16 shades, 0 to 255 in steps of 17: two of them are a byte of the page

ACTIVATIONS = {"sigmoid": Sigmoid, "relu": ReLU, "tanh": Tanh}
STARTS = {  # how the weights of both layers begin; biases begin at zero
    "xavier": lambda w, rng: init.xavier_uniform_(w, generator=rng),
    "kaiming": lambda w, rng: init.kaiming_uniform_(w, nonlinearity="relu", generator=rng),
    "small": lambda w, rng: init.xavier_uniform_(w, 0.01, rng),
    "large": lambda w, rng: init.xavier_uniform_(w, 10.0, rng),
    "zeros": lambda w, rng: init.zeros_(w),
}
WHOLE = "small"  # from this start the page has all the steps, and the last one's gradients; from others the first step


class Garments(NamedTuple):
    """uint8 images (N, 1, 14, 14) and labels (N,): the first IMAGES are for training, the rest is held out."""

    images: Array
    labels: Array


class Steps(NamedTuple):
    """STEPS steps of SGD: numbers (3, STEPS) are the loss, and how large the gradient of the weights was, as a root
    mean square, in the convolution and in the dense layer; gradients are the last step's, by parameter."""

    numbers: Array
    gradients: dict[str, Array]


@cache
def garments() -> Garments:
    """The images of the tab: generated ones, four pixels made one."""
    parts = Silhouettes(train=True, size=IMAGES), Silhouettes(train=False, size=HELD_OUT)
    return Garments(np.concatenate([_small(part) for part in parts]), np.concatenate([part.labels for part in parts]))


def _small(data: Dataset) -> Array:
    quarters = data.images.reshape(len(data), 1, SIDE, 2, SIDE, 2)
    return (np.rint(quarters.mean(axis=(3, 5)) / SHADE) * SHADE).astype(np.uint8)


def batches() -> Batches:
    """The images for training, in the order in which both take them."""
    images, labels = garments()
    return Batches(images[:IMAGES], labels[:IMAGES], BATCH, seed=SEED)


def beginning(activation: str, start: str) -> Sequential:
    """The net before its first step, in float64: always the same weights for a start, float32 numbers all."""
    pooled = (SIDE - KERNEL + 1) // 2
    convolution, dense = Conv2d(1, FILTERS, KERNEL), Linear(FILTERS * pooled * pooled, CLASSES)
    rng = np.random.default_rng(SEED)
    for layer in (convolution, dense):
        assert layer.bias is not None  # no bias=False was asked for
        STARTS[start](layer.weight, rng)
        init.zeros_(layer.bias)
    return Sequential(convolution, ACTIVATIONS[activation](), AvgPool2d(2), Flatten(), dense).double()


@cache
def first_steps(activation: str, start: str) -> Steps:
    """The engine's first steps with that net, at the rate RATE."""
    model = beginning(activation, start)
    names = dict(zip("wbvc", model.parameters(), strict=True))
    optimizer = SGD(model.parameters(), lr=RATE)
    numbers = []
    for images, labels in list(batches())[:STEPS]:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(Tensor(scale(images, np.float64))), labels)
        loss.backward()
        gradients = {name: _gradient(p) for name, p in names.items()}
        numbers.append([loss.item(), *(float(np.sqrt(np.square(gradients[name]).mean())) for name in "wv")])
        optimizer.step()
    return Steps(np.array(numbers).T, gradients)


def _gradient(parameter: Tensor) -> Array:
    assert parameter.grad is not None  # backward has been
    gradient: Array = parameter.grad.numpy().copy()
    return gradient


def data(arrays: Arrays) -> dict[str, Any]:
    """What the page has of all this.  The arrays stand or fall together: without one, the tab is of no use."""

    def add(array: Array) -> str | None:
        return arrays.add(array, 3, Part("lab"))

    images, labels = garments()
    shades = images // SHADE
    return {
        "shape": {"side": SIDE, "filters": FILTERS, "kernel": KERNEL, "classes": CLASSES},
        "classes": list(FASHION_CLASSES),
        "images": add(shades[..., 0::2] * 16 + shades[..., 1::2]),
        "labels": add(labels.astype(np.uint8)),
        "train": IMAGES,
        "batch": BATCH,
        "order": add(batches().order(0)),
        "rate": RATE,
        "starts": {start: _weights(add, start) for start in STARTS if start != "zeros"},
        "runs": [_run(add, activation, start) for activation in ACTIVATIONS for start in STARTS],
    }


def _run(add: Any, activation: str, start: str) -> dict[str, Any]:
    steps, whole = first_steps(activation, start), start == WHOLE
    numbers = steps.numbers if whole else steps.numbers[:, :1]
    gradients = {name: add(array) for name, array in steps.gradients.items()} if whole else None
    return {"activation": activation, "start": start, "numbers": add(numbers), "gradients": gradients}


def _weights(add: Any, start: str) -> dict[str, Any]:
    """w of the convolution, v of the dense layer: the float32 numbers that they are, whatever the activation."""
    weights = [p.numpy().astype(np.float32) for p in beginning("relu", start).parameters() if p.ndim > 1]
    return {name: add(array) for name, array in zip("wv", weights, strict=True)}
