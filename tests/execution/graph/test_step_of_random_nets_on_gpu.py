"""Nets drawn at random, through "graph" and "plain" on one GPU: they learn the same, or "graph" refuses by name.

python -m pytest -m "gpu and slow" tests/execution/graph
"""

import numpy as np
import pytest

from tinycnn import nn
from tinycnn.backend import to_device
from tinycnn.execution import make_step
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.optim import SGD
from tinycnn.random import manual_seed

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.usefixtures("a_gpu")]

ACTIVATIONS = [nn.Sigmoid, nn.ReLU, nn.Tanh]
RULES = [{}, dict(momentum=0.9), dict(momentum=0.5, nesterov=True, weight_decay=1e-2)]


def number(rng, low, high):
    return int(rng.integers(low, high + 1))


def convolution(rng, channels, size):
    """A convolution that leaves something of the image, and the size that it leaves."""
    kernel, stride, dilation = ([number(rng, 1, most) for _ in size] for most in (4, 2, 2))
    padding = [number(rng, 0, k // 2) for k in kernel]
    left = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)
    ]
    if min(left) < 2:
        return convolution(rng, channels, size)
    pairs = dict(stride=tuple(stride), padding=tuple(padding), dilation=tuple(dilation))
    return nn.Conv2d(channels, number(rng, 1, 10), tuple(kernel), bias=bool(rng.integers(2)), **pairs), left


def pool(rng, size):
    """A pool whose windows may overlap, and the size that it leaves."""
    kernel = number(rng, 1, min(3, *size))
    stride, padding = (kernel, 0) if rng.integers(2) else (number(rng, 1, 2), number(rng, 0, kernel // 2))
    layer = [nn.AvgPool2d, nn.MaxPool2d][rng.integers(2)](kernel, stride=stride, padding=padding)
    return layer, [(n + 2 * padding - kernel) // stride + 1 for n in size]


def net(rng):
    """A Sequential of convolutions, pools and linear layers; the shape of its images, and how many classes it tells."""
    channels, *size = image = number(rng, 1, 3), number(rng, 8, 20), number(rng, 8, 20)
    layers = []
    for _ in range(number(rng, 0, 3)):
        layer, size = convolution(rng, channels, size)
        channels = layer.out_channels
        layers += [layer, *(ACTIVATIONS[rng.integers(3)]() for _ in range(number(rng, 0, 1)))]
        if rng.integers(4):
            layer, size = pool(rng, size)
            layers.append(layer)
        if min(size) < 4:
            break
    layers.append(nn.Flatten())
    features = channels * size[0] * size[1]
    for _ in range(number(rng, 0, 2)):
        more = number(rng, 1, 150)
        layers += [nn.Linear(features, more, bias=bool(rng.integers(2))), ACTIVATIONS[rng.integers(3)]()]
        features = more
    classes = number(rng, 2, 12)
    return nn.Sequential(*layers, nn.Linear(features, classes)), image, classes


def trainer(seed, strategy):
    manual_seed(seed)
    model, image, classes = net(np.random.default_rng(seed))
    model.to("gpu")
    loss = nn.CrossEntropyLoss(label_smoothing=0.1 * (seed % 2))
    return make_step(model, loss, SGD(model.parameters(), 0.02, **RULES[seed % 3]), strategy), image, classes


@pytest.mark.parametrize("seed", range(40))
def test_graph_follows_plain(seed, rng):
    plain, image, classes = trainer(seed, "plain")
    try:
        graph, _, _ = trainer(seed, "graph")
    except UnsupportedModel as refusal:
        pytest.skip(str(refusal))
    n = number(rng, 1, 70)
    images = to_device(rng.integers(0, 255, (n, *image), dtype=np.uint8), "gpu")
    labels = to_device(rng.integers(0, classes, n), "gpu")
    for count in (n, n, max(1, n // 2)):
        ours, theirs = graph(images[:count], labels[:count]), plain(images[:count], labels[:count])
        assert float(ours[0]) == pytest.approx(float(theirs[0]), rel=2e-4)
    for (name, p), q in zip(plain.model.named_parameters(), graph.model.parameters(), strict=True):
        scale = 1e-3 + np.abs(p.numpy()).max()
        np.testing.assert_allclose(q.numpy(), p.numpy(), rtol=0, atol=2e-3 * scale, err_msg=name)
    assert float(graph.evaluate(images, labels)[0]) == pytest.approx(float(plain.evaluate(images, labels)[0]), rel=1e-3)
