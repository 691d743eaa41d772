import math

import numpy as np
import pytest
from helpers import leaf

import tinycnn
import tinycnn.functional as F
from tinycnn import nn


def test_is_cross_entropy_with_its_options(rng):
    logits, target = leaf(rng, 6, 4, low=-3, high=3), np.array([0, 3, 2, 1, 1, 3])
    weight = leaf(rng, 4, low=0.5, high=2).detach()
    assert nn.CrossEntropyLoss()(logits, target).item() == F.cross_entropy(logits, target).item()
    loss = nn.CrossEntropyLoss(weight, ignore_index=3, reduction="none", label_smoothing=0.1)
    expected = F.cross_entropy(logits, target, weight, 3, "none", 0.1)
    assert np.array_equal(loss(logits, target).numpy(), expected.numpy())


def test_by_hand():
    loss = nn.CrossEntropyLoss(reduction="sum")(tinycnn.tensor([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))
    assert loss.item() == pytest.approx(2 * math.log(2))


def test_the_weight_may_be_an_array_and_moves_with_the_loss():
    loss = nn.CrossEntropyLoss(np.ones(3, np.float32))
    assert isinstance(loss.weight, tinycnn.Tensor) and loss.double().weight.dtype == np.float64
    assert list(loss.parameters()) == [] and repr(loss) == "CrossEntropyLoss()"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"reduction": "avg"}, ValueError, "CrossEntropyLoss: reduction must be one of 'mean', 'sum', 'none'"),
        ({"label_smoothing": 1.1}, ValueError, "CrossEntropyLoss: label_smoothing must be between 0 and 1, got 1.1"),
        ({"label_smoothing": None}, TypeError, "CrossEntropyLoss: label_smoothing must be a number, got None"),
        ({"ignore_index": 1.5}, TypeError, "CrossEntropyLoss: ignore_index must be an int, got 1.5"),
        ({"weight": [1, 2]}, TypeError, "expected a NumPy or CuPy array, got list"),
    ],
)
def test_what_it_refuses(options, error, message):
    with pytest.raises(error, match=message):
        nn.CrossEntropyLoss(**options)
