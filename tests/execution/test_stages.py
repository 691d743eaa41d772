"""Reading a Sequential as stages, and the refusals, which name the layer."""

import re

import pytest

from tinycnn import nn
from tinycnn.execution.graph.plan import Plan
from tinycnn.execution.reading import check_model, read_stages
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.models import LeNet


def kinds(*layers, image=(2, 9, 9)):
    return [
        f"{stage.kind} {stage.activation} {stage.pooling}".replace(" IDENTITY", "").replace(" NO_POOL", "").lower()
        for stage in read_stages(nn.Sequential(*layers), image)
    ]


def test_lenet_is_five_stages():
    stages = read_stages(LeNet(), (1, 28, 28))
    assert [(s.kind, s.takes, s.sums, s.gives) for s in stages] == [
        ("conv", (1, 28, 28), (6, 28, 28), (6, 14, 14)),
        ("conv", (6, 14, 14), (16, 10, 10), (16, 5, 5)),
        ("linear", (400, 1, 1), (120, 1, 1), (120, 1, 1)),
        ("linear", (120, 1, 1), (84, 1, 1), (84, 1, 1)),
        ("linear", (84, 1, 1), (10, 1, 1), (10, 1, 1)),
    ]


def test_activation_and_pooling_ride_on_the_convolution():
    layers = nn.Conv2d(2, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    assert kinds(*layers) == ["conv relu maximum"]


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2),
        nn.MaxPool2d(3, ceil_mode=True),
        nn.AvgPool2d(4),
        nn.AvgPool2d(1, stride=2),
    ],
)
def test_a_pooling_that_cannot_ride_is_a_stage_of_its_own(pool):
    kind = "maximum" if isinstance(pool, nn.MaxPool2d) else "average"
    assert kinds(nn.Conv2d(2, 3, 2), nn.Sigmoid(), pool, nn.Flatten()) == ["conv sigmoid", f"pool {kind}"]


def test_what_follows_a_pooling_is_a_stage_of_its_own():
    layers = nn.Conv2d(2, 3, 2), nn.AvgPool2d(2), nn.Tanh(), nn.ReLU(), nn.MaxPool2d(2), nn.Sigmoid(), nn.Flatten()
    assert kinds(*layers) == ["conv average", "pool tanh average", "pool relu average", "pool sigmoid maximum"]


def test_sequentials_may_hold_sequentials():
    layers = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU()), nn.Flatten(), nn.Sequential(nn.Linear(192, 4))
    assert kinds(*layers) == ["conv relu", "linear"]


def test_rows_need_no_flatten():
    assert kinds(nn.Linear(5, 4), nn.Tanh(), image=(5,)) == ["linear tanh"]


# Refusals


class Doubled(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + super().forward(x)


class Leaky(nn.ReLU):
    def forward(self, x):
        return super().forward(x) + x * 0.1


SHARED = nn.Linear(5, 5)

REFUSED = [
    (
        nn.Sequential(nn.Flatten(), nn.Linear(9, 9), nn.ReLU(), nn.Dropout()),
        "layer 3 (Dropout(p=0.5)) has no fused kernel",
    ),
    (nn.Sequential(nn.Sequential(nn.Flatten(), Leaky())), "layer 0.1 (Leaky()) has no fused kernel"),
    (nn.Sequential(nn.Conv2d(2, 4, 3, groups=2)), "layer 0 (Conv2d(2, 4, kernel_size=(3, 3)"),
    (
        nn.Sequential(nn.Conv2d(1, 1, 101)),
        "layer 0 (Conv2d(1, 1, kernel_size=(101, 101), stride=(1, 1))) has too large a",
    ),
    (nn.Sequential(nn.Flatten(start_dim=2)), "layer 0 (Flatten(start_dim=2)) must have start_dim=1"),
    (nn.Sequential(nn.Flatten(), SHARED, nn.ReLU(), SHARED), "layer 3 (Linear(in_features=5"),
    (nn.Sequential(nn.Linear(9, 3).double()), "has a weight of float64"),
    (nn.Sequential(Doubled(nn.ReLU())), "layer 0 (Doubled("),
    (nn.Linear(3, 3), "a Linear is not a Sequential"),
    (Doubled(nn.ReLU()), "a Doubled is not a Sequential"),
]


@pytest.mark.parametrize(("model", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_refusals_name_the_layer(model, text):
    with pytest.raises(UnsupportedModel, match=f"^graph: {re.escape(text)}.*|.*{re.escape(text)}") as caught:
        check_model(model)
    assert 'strategy "plain" runs any model' in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "image", "text"),
    [
        ([nn.Conv2d(3, 4, 3), nn.Flatten()], (2, 8, 8), r"layer 0 \(Conv2d.*\) expects 3 channels, got 2"),
        ([nn.Conv2d(2, 4, 9), nn.Flatten()], (2, 8, 8), r"has a window larger than its input \(2, 8, 8\)"),
        ([nn.Flatten(), nn.Linear(100, 4)], (2, 8, 8), r"layer 1 \(Linear.*\) expects 100 features, got 128"),
        ([nn.Flatten(), nn.MaxPool2d(2)], (2, 8, 8), "expects images, got rows of 128 features"),
        ([nn.Conv2d(2, 4, 3)], (2, 8, 8), r"ends in images \(4, 6, 6\), and the loss needs rows"),
        ([], (2, 8, 8), r"ends in images \(2, 8, 8\)"),
        ([nn.Flatten()], (2, 8), r"a batch of shape \(N, 2, 8\) is neither images nor rows"),
        ([nn.Linear(8, 4)], (2, 8, 8), r"has images \(2, 8, 8\) as input"),
    ],
)
def test_layers_that_do_not_fit(layers, image, text):
    with pytest.raises(ValueError, match=text):
        read_stages(nn.Sequential(*layers), image)


def test_a_model_without_parameters_is_refused():
    with pytest.raises(UnsupportedModel, match="no parameters, so there is nothing to train"):
        Plan(nn.Sequential(nn.Flatten()), (1, 2, 2), 1)


def test_a_batch_whose_numbers_cannot_be_counted_is_refused():
    with pytest.raises(
        UnsupportedModel, match=r"layer 0 .* needs an array \(6, 28, 28, 1000000\); use smaller batches"
    ):
        Plan(LeNet(), (1, 28, 28), 1_000_000)
