import numpy as np
import pytest

from tinycnn.autograd.tensor import Op
from tinycnn.nn import Module
from tinycnn.training.diagnosis import first_not_finite

BIG = np.float32(3e38)


class Spoilt(Op, name="spoilt"):
    """The identity, whose gradient is infinite in one place."""

    @staticmethod
    def forward(ctx, x):
        return x.copy()

    @staticmethod
    def backward(ctx, dy):
        dy = dy.copy()
        dy[0, 0] = np.inf
        return dy


class SpoiltLayer(Module):
    def forward(self, x):
        return Spoilt.apply(x)


def look(task, change=lambda task: None):
    task = task()
    change(task)
    x, y = next(iter(task.batches))
    with task.step() as step:
        return first_not_finite(step, x, y)


def test_a_healthy_step_has_no_such_place_and_is_taken(task):
    plain = task(dropout=0.4, momentum=0.9)
    x, y = next(plain.batches.from_batch(0, 0))
    with plain.step() as step:
        step(x, y)
    watched = task(dropout=0.4, momentum=0.9)
    with watched.step() as step:
        assert first_not_finite(step, x, y) is None
    assert watched.bits() == plain.bits() != task(dropout=0.4).bits()
    assert not any("forward" in vars(layer) for layer in watched.net.modules())  # nobody watches any more


def test_images_that_are_not_finite(task):
    def change(task):
        images = task.batches.images.astype(np.float32)
        images[:, 0, 1, 1] = np.nan
        task.batches.images = images

    place = look(task, change)
    assert place.what == "the images: 8 of 128 numbers" and "the data itself" in place.cause


def test_parameters_that_were_not_finite(task):
    def change(task):
        task.net[1].weight.data[2, 3] = np.inf

    place = look(task, change)
    assert place.what == "the parameter '1.weight': 1 of 192 numbers" and "before this step" in place.cause


def test_the_first_output(task):
    def change(task):
        task.net[1].weight.data[0] = BIG

    assert look(task, change).what.startswith(
        "the output of layer 1 (Linear(in_features=16, out_features=12, bias=True)): "
    )


def test_a_later_output(task):
    def change(task):
        task.net[4].weight.data[:] = BIG

    assert look(task, change).what.startswith("the output of layer 4 (Linear(")


def test_the_loss(task):
    def change(task):
        task.loss = lambda logits, y: (logits * 0.0 + 1e30).sum() * 1e30

    place = look(task, change)
    assert place.what.startswith("the loss itself, from logits of up to ")


def test_the_gradient_of_an_output(task):
    """The identity in the place of layer 3 lets infinity into the gradients of all before; the last comes first."""

    def change(task):
        task.net[3] = SpoiltLayer()

    assert look(task, change).what == "the gradient of the output of layer 2 (Tanh()): 1 of 96 numbers"


def test_the_gradient_of_a_parameter(task):
    """All outputs and their gradients are finite, but products of the two are not."""

    def change(task):
        task.net[1].weight.data[:] = 0
        task.batches.images = np.full(task.batches.images.shape, 1e30, np.float32)
        inner = task.loss
        task.loss = lambda logits, y: inner(logits, y) * 1e15

    place = look(task, change)
    assert place.what.startswith("the gradient of the parameter '1.weight': ")


def test_the_update(task):
    def change(task):
        task.optimizer.lr = 1e39

    place = look(task, change)
    assert place.what.startswith("the parameter '1.weight' after its update: ")
    assert "(learning rate 1e+39 times a gradient of up to" in place.what


def test_one_layer_without_a_name(task):
    def change(task):
        layer = task.net[4]
        layer.weight.data[:] = BIG
        task.net = layer
        task.batches.images = np.ones((50, 12), np.float32)

    assert look(task, change).what.startswith("the output of Linear(in_features=12")


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_losses_and_layers_are_in_order_of_computation(task, momentum):
    """Two faults: the earlier one is named."""

    def change(task):
        task.net[4].weight.data[:] = BIG
        task.optimizer.lr = 1e39
        task.optimizer.momentum = momentum

    assert look(task, change).what.startswith("the output of layer 4")
