"""A batch of no examples goes through every operation, forward and backward, as in PyTorch; so do empty axes."""

import numpy as np
import pytest
from helpers import assert_agrees_with_torch, assert_close

import tinycnn
import tinycnn.functional as F

# fmt: off
LAYERS = {  # name: (shape of x, shapes of the parameters, function)
    "linear": ((0, 3), [(2, 3), (2,)], F.linear),
    "linear without features": ((4, 0), [(2, 0), (2,)], F.linear),
    "linear without examples or features": ((0, 5, 0), [(2, 0), (2,)], F.linear),
    "conv2d": ((0, 2, 5, 6), [(4, 2, 3, 2), (4,)], F.conv2d),
    "conv2d in groups": ((0, 2, 5, 6), [(4, 1, 3, 2), (4,)], lambda x, w, b: F.conv2d(x, w, b, 2, 1, groups=2)),
    "avg_pool2d": ((0, 2, 5, 6), [], lambda x: F.avg_pool2d(x, 2)),
    "avg_pool2d that tiles": ((0, 2, 4, 6), [], lambda x: F.avg_pool2d(x, 2)),
    "max_pool2d": ((0, 2, 5, 6), [], lambda x: F.max_pool2d(x, 3, 2, 1)),
    "softmax": ((0, 3), [], F.softmax),
    "softmax of nothing": ((3, 0), [], F.softmax),
    "log_softmax": ((2, 0, 3), [], lambda x: F.log_softmax(x, 1)),
    "relu": ((0, 3), [], F.relu),
    "sigmoid": ((0, 3), [], F.sigmoid),
    "dropout": ((0, 3), [], F.dropout),
    "conv2d, same size": ((0, 2, 5, 6), [(4, 2, 2, 2), (4,)], lambda x, w, b: F.conv2d(x, w, b, padding="same")),
    "adaptive_avg_pool2d": ((0, 2, 5, 6), [], lambda x: F.adaptive_avg_pool2d(x, (2, 4))),
    "pad": ((0, 2, 5), [], lambda x: F.pad(x, (1, 2))),
    "gelu": ((0, 3), [], F.gelu),
    "silu": ((0, 3), [], F.silu),
    "normalisation by running statistics": (
        (0, 2, 5), [(2,), (2,)],
        lambda x, w, b: F.batch_norm(x, tinycnn.zeros(2, device=x.device), tinycnn.ones(2, device=x.device), w, b),
    ),
    "flatten": ((0, 2, 3), [], F.flatten),
}
# fmt: on


@pytest.mark.parametrize("name", LAYERS)
def test_no_examples_go_in_and_none_come_out(name, device, rng):
    shape, others, function = LAYERS[name]
    x, *params = (tinycnn.tensor(rng.normal(size=s), np.float32, device, requires_grad=True) for s in (shape, *others))
    y = function(x, *params)
    assert y.dtype == np.float32 and 0 in (*y.shape, *x.shape)
    y.sum().backward()
    assert x.grad.shape == x.shape
    for p in params:
        assert p.grad.shape == p.shape and (0 in x.shape[:1]) <= (not p.grad.numpy().any())


@pytest.mark.parametrize(("reduction", "value"), [("mean", np.nan), ("sum", 0), ("none", [])])
def test_the_loss_of_no_examples(reduction, value, device):
    logits = tinycnn.tensor(np.zeros((0, 3), np.float32), device=device, requires_grad=True)
    target = tinycnn.tensor(np.zeros(0, np.int64), device=device)
    with np.errstate(invalid="ignore"):
        loss = F.cross_entropy(logits, target, reduction=reduction)
    np.testing.assert_equal(loss.numpy(), np.float32(value))


@pytest.mark.parametrize("name", ["linear", "linear without features", "conv2d", "avg_pool2d", "max_pool2d"])
def test_shapes_and_gradients_are_pytorchs(name, rng):
    torch = pytest.importorskip("torch")
    shape, others, function = LAYERS[name]
    inputs = [tinycnn.tensor(rng.normal(size=s), requires_grad=True) for s in (shape, *others)]
    theirs = {
        "avg_pool2d": lambda x: torch.nn.functional.avg_pool2d(x, 2),
        "max_pool2d": lambda x: torch.nn.functional.max_pool2d(x, 3, 2, 1),
    }.get(name, getattr(torch.nn.functional, name.split()[0]))
    assert_agrees_with_torch(function, theirs, inputs, rng)


def test_a_net_on_no_examples(device):
    net = tinycnn.models.LeNet().to(device)
    y = net(tinycnn.tensor(np.zeros((0, 1, 28, 28), np.float32), device=device))
    assert y.shape == (0, 10)


def test_linear_without_features_is_its_bias():
    x, w, b = (tinycnn.tensor(np.ones(s, np.float32), requires_grad=True) for s in ((4, 0), (2, 0), (2,)))
    y = F.linear(x, w, b)
    y.sum().backward()
    assert_close(y, np.ones((4, 2), np.float32))
    assert_close(b.grad, np.full(2, 4, np.float32))
    assert w.grad.shape == (2, 0) and x.grad.shape == (4, 0)
