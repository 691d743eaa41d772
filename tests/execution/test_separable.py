"""What may be cut into parts, and whether a change to a model is seen by whoever holds a copy of it."""

from functools import partial

import numpy as np
import pytest

import tinycnn
from tinycnn import functional as F
from tinycnn import nn
from tinycnn.execution.separable import Snapshot, why_not_separable
from tinycnn.models import LeNet


class Scaled(nn.Module):
    """A layer of somebody's own."""

    def __init__(self):
        self.factor = nn.Parameter(np.ones(4, np.float32))
        self.power, self.names, self.table = 2, ["a"], np.zeros(3)

    def forward(self, x):
        return x * self.factor


class Declared(Scaled, per_example=True):
    def forward(self, x):
        return x + self.factor


class Again(Declared):
    def forward(self, x):  # what its parent declared was said of another forward
        return x.mean(0) * x


class Mirrored(nn.Linear):
    def forward(self, x):
        return super().forward(x[::-1])


class Twofold(nn.CrossEntropyLoss):
    def forward(self, logits, target):
        return super().forward(logits, target) * 2


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (LeNet(pool="max", activation="relu", dropout=0.5), nn.CrossEntropyLoss()),
        (nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(4, 2))), nn.CrossEntropyLoss(reduction="sum")),
        (nn.Linear(4, 2), F.cross_entropy),
        (nn.Sequential(Declared(), nn.Linear(4, 2)), nn.CrossEntropyLoss(weight=np.ones(2), ignore_index=1)),
    ],
)
def test_what_the_engine_knows_may_be_cut(model, loss):
    assert why_not_separable(model, loss) == ""


@pytest.mark.parametrize(
    ("model", "loss", "reason"),
    [
        (nn.Sequential(nn.Flatten(), Scaled()), nn.CrossEntropyLoss(), "Scaled does not declare per_example"),
        (Again(), nn.CrossEntropyLoss(), "Again does not declare per_example"),
        (Mirrored(4, 2), nn.CrossEntropyLoss(), "Mirrored does not declare"),
        (nn.Sequential(nn.Flatten(0)), nn.CrossEntropyLoss(), "Flatten does not declare"),
        (nn.Linear(4, 2), partial(F.cross_entropy, reduction="sum"), "partial is not a loss of the engine's"),
        (nn.Linear(4, 2), lambda z, t: F.cross_entropy(z, t), "<lambda> is not a loss of the engine's"),
        (nn.Linear(4, 2), Twofold(), "Twofold is not a loss of the engine's"),
    ],
)
def test_what_it_does_not_know_may_not(model, loss, reason):
    assert reason in why_not_separable(model, loss)


def test_a_layer_whose_forward_was_replaced_is_unknown():
    model = nn.Linear(4, 2)
    vars(model)["forward"] = lambda x: x.mean()
    assert "Linear does not declare" in why_not_separable(model, nn.CrossEntropyLoss())


def net():
    return nn.Sequential(Scaled(), nn.Dropout(0.5), nn.Linear(4, 3))


CHANGES = {
    "p of layer 1": lambda model, loss: setattr(model[1], "p", 0.25),
    "layer 2": lambda model, loss: model.__setitem__(2, nn.Linear(4, 3)),
    "a new layer": lambda model, loss: model.append(nn.ReLU()),
    "frozen": lambda model, loss: setattr(model[2].weight, "requires_grad", False),
    "own attribute": lambda model, loss: setattr(model[0], "power", 3),
    "added attribute": lambda model, loss: setattr(model[0], "more", 1),
    "removed attribute": lambda model, loss: delattr(model[0], "power"),
    "list": lambda model, loss: model[0].names.append("b"),
    "array": lambda model, loss: model[0].table.__setitem__(1, 5.0),
    "forward": lambda model, loss: vars(model[0]).update(forward=lambda x: x),
    "label_smoothing": lambda model, loss: setattr(loss, "label_smoothing", 0.1),
    "weight of the loss": lambda model, loss: loss.weight.data.__setitem__(0, 2.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change):
    model, loss = net(), nn.CrossEntropyLoss(weight=np.ones(3))
    known = Snapshot(model, loss)
    assert not list(known.changes())
    CHANGES[change](model, loss)
    assert list(known.changes())


def test_numbers_of_parameters_gradients_and_the_mode_are_no_change():
    model, loss = net(), nn.CrossEntropyLoss()
    known = Snapshot(model, loss)
    model(tinycnn.tensor(np.ones((2, 4)), np.float32)).sum().backward()
    model.eval()
    model[2].weight.data += 1
    assert not list(known.changes())


def test_what_could_change_unseen_is_named():
    model = net()
    assert not list(Snapshot(model, nn.CrossEntropyLoss()).unseen())
    model[0].history, model[0].large = {"a": object()}, np.zeros(10_000)
    found = list(Snapshot(model, nn.CrossEntropyLoss()).unseen())
    assert found == ["history of layer 0 (Scaled), a dict", "large of layer 0 (Scaled), a ndarray"]
