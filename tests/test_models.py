"""LeNet: the chapter's table, its exercises as arguments, its first values."""

import inspect
import json
import math

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.models import MODELS, VGG, LeNet, ResNet

TABLE = [  # what the chapter prints for an input of shape (1, 1, 28, 28)
    ("Conv2d", (1, 6, 28, 28)),
    ("Sigmoid", (1, 6, 28, 28)),
    ("AvgPool2d", (1, 6, 14, 14)),
    ("Conv2d", (1, 16, 10, 10)),
    ("Sigmoid", (1, 16, 10, 10)),
    ("AvgPool2d", (1, 16, 5, 5)),
    ("Flatten", (1, 400)),
    ("Linear", (1, 120)),
    ("Sigmoid", (1, 120)),
    ("Linear", (1, 84)),
    ("Sigmoid", (1, 84)),
    ("Linear", (1, 10)),
]


def image(*shape):
    return tinycnn.tensor(np.random.default_rng(0).uniform(size=shape).astype(np.float32))


def kinds(net):
    return [type(layer).__name__ for layer in net]


def test_layers_and_shapes_of_the_chapter():
    x, printed = image(1, 1, 28, 28), []
    for layer in LeNet():
        x = layer(x)
        printed.append((type(layer).__name__, x.shape))
    assert printed == TABLE


def test_parameters_of_the_chapter():
    net = LeNet()
    assert {name: p.shape for name, p in net.named_parameters()} == {
        "0.weight": (6, 1, 5, 5),
        "0.bias": (6,),
        "3.weight": (16, 6, 5, 5),
        "3.bias": (16,),
        "7.weight": (120, 400),
        "7.bias": (120,),
        "9.weight": (84, 120),
        "9.bias": (84,),
        "11.weight": (10, 84),
        "11.bias": (10,),
    }
    assert sum(p.numel() for p in net.parameters()) == 61_706
    assert net[0].padding == (2, 2) and net[3].padding == (0, 0)


def test_the_table_in_the_docstring_is_true():
    rows = [line.split() for line in inspect.getdoc(LeNet).splitlines() if line.strip()[:1].isdigit()]
    numbers = [int(word.replace(",", "")) for word in rows[-1]]
    assert numbers == [61_706, 416_520]
    layers = tinycnn.summary(LeNet(), (1, 1, 28, 28)).rows
    assert len(rows) == len(layers) + 1
    for words, row in zip(rows[:-1], layers, strict=True):
        line = " ".join(words)
        assert line.startswith(f"{row.name} {type(row.layer).__name__}")
        assert str(row.output_shape).replace("(1,", "(N,") in line
        costs = [f"{cost:,}" for cost in (row.parameters, row.multiply_adds) if cost]
        assert words[-2:] == costs or not costs


def test_weights_start_xavier_uniform_and_biases_as_torchs():
    bounds = {"0": (25, 150), "3": (150, 400), "7": (400, 120), "9": (120, 84), "11": (84, 10)}
    largest = dict.fromkeys(bounds, 0.0), dict.fromkeys(bounds, 0.0)
    for seed in range(30):
        tinycnn.manual_seed(seed)
        for name, array in LeNet().state_dict().items():
            layer, kind = name.split(".")
            found = largest[kind == "bias"]
            found[layer] = max(found[layer], np.abs(array).max())
    for layer, (fan_in, fan_out) in bounds.items():
        weight, bias = math.sqrt(6 / (fan_in + fan_out)), 1 / math.sqrt(fan_in)
        assert 0.98 * weight < largest[0][layer] <= weight * (1 + 1e-6)
        assert 0.9 * bias < largest[1][layer] <= bias * (1 + 1e-6)


def test_one_seed_gives_one_net():
    tinycnn.manual_seed(1)
    first, other = LeNet().state_dict(), LeNet().state_dict()
    tinycnn.manual_seed(1)
    again = LeNet().state_dict()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


# The exercises: one argument each


@pytest.mark.parametrize(("name", "kind"), [("sigmoid", nn.Sigmoid), ("relu", nn.ReLU), ("tanh", nn.Tanh)])
def test_activation(name, kind):
    net = LeNet(activation=name)
    assert all(isinstance(net[i], kind) for i in (1, 4, 8, 10)) and len(net) == 12


def test_pooling():
    net = LeNet(pool="max")
    assert isinstance(net[2], nn.MaxPool2d) and isinstance(net[5], nn.MaxPool2d)
    assert kinds(LeNet())[2] == "AvgPool2d"


def test_channels_and_kernel_size():
    net = LeNet(channels=(10, 20), kernel_size=3)
    assert net[0].weight.shape == (10, 1, 3, 3) and net[3].weight.shape == (20, 10, 3, 3)
    assert net[0].padding == (1, 1) and net[7].in_features == 20 * 6 * 6


def test_number_of_convolutions():
    assert kinds(LeNet(channels=(6,))).count("Conv2d") == 1
    net = LeNet(channels=(6, 16, 32), kernel_size=3)
    assert kinds(net).count("Conv2d") == kinds(net).count("AvgPool2d") == 3
    net = LeNet(channels=(6, 16, 32), same_padding=True)
    assert [layer.padding for layer in net if isinstance(layer, nn.Conv2d)] == [(2, 2)] * 3
    assert net[9].start_dim == 1 and net[10].in_features == 32 * 3 * 3


def test_number_of_dense_layers():
    assert kinds(LeNet(hidden=()))[6:] == ["Flatten", "Linear"]
    net = LeNet(hidden=(50, 40, 30))
    assert [layer.out_features for layer in net if isinstance(layer, nn.Linear)] == [50, 40, 30, 10]


def test_dropout_follows_hidden_activations():
    net = LeNet(dropout=0.3)
    assert kinds(net)[6:] == ["Flatten", *["Linear", "Sigmoid", "Dropout"] * 2, "Linear"]
    assert net[9].p == 0.3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"in_channels": 3, "image_size": 32, "num_classes": 7},
        {"channels": [4], "kernel_size": 4, "hidden": (), "pool": "max"},
        {"channels": (2, 3, 4), "same_padding": True, "activation": "relu", "dropout": 0.5, "hidden": (9, 8, 7)},
        {"channels": (), "activation": "tanh"},
    ],
    ids=str,
)
def test_every_variant_runs_and_its_config_rebuilds_it(options):
    net = LeNet(**options).eval()
    size, channels = options.get("image_size", 28), options.get("in_channels", 1)
    x = image(2, channels, size, size)
    assert net(x).shape == (2, options.get("num_classes", 10))
    config = json.loads(json.dumps(net.config))
    twin = LeNet(**config).eval()
    assert config == net.config == twin.config and repr(twin) == repr(net)
    twin.load_state_dict(net.state_dict())
    assert np.array_equal(twin(x).numpy(), net(x).numpy())


def test_config_names_every_argument():
    assert list(LeNet().config) == list(inspect.signature(LeNet).parameters)


def test_a_part_of_lenet_is_a_plain_sequential():
    net = LeNet()
    encoder = net[:7]
    assert type(encoder) is nn.Sequential and encoder(image(3, 1, 28, 28)).shape == (3, 400)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"channels": (6, 16, 32)}, ValueError, "LeNet: pooling 3 has a window of 2x2 pixels but its input has 1x1"),
        (
            {"channels": (6, 16, 32, 64)},
            ValueError,
            "use fewer convolutions, a smaller kernel_size, a larger image_size, or same_padding=True",
        ),
        (
            {"image_size": 8},
            ValueError,
            "LeNet: convolution 2 has a window of 5x5 pixels but its input has 4x4, padded",
        ),
        (
            {"activation": "swish"},
            ValueError,
            "LeNet: activation must be one of 'sigmoid', .*got 'swish'",
        ),
        ({"pool": "min"}, ValueError, "LeNet: pool must be one of 'avg', 'max', got 'min'"),
        ({"channels": 6}, TypeError, "LeNet: channels must be a sequence of ints, one per layer, got 6"),
        ({"channels": "6,16"}, TypeError, "LeNet: channels must be a sequence of ints"),
        ({"channels": (6, 0)}, ValueError, r"LeNet: channels\[1\] must be at least 1, got 0"),
        ({"hidden": (120, 84.0)}, TypeError, r"LeNet: hidden\[1\] must be an int, got 84.0"),
        ({"kernel_size": 0}, ValueError, "LeNet: kernel_size must be at least 1, got 0"),
        ({"num_classes": None}, TypeError, "LeNet: num_classes must be an int, got None"),
        ({"dropout": 1.5}, ValueError, "Dropout: p must be between 0 and 1, got 1.5"),
    ],
)
def test_what_it_refuses(options, error, message):
    with pytest.raises(error, match=message):
        LeNet(**options)


def test_an_image_of_another_size_is_told_what_fits():
    with pytest.raises(ValueError, match=r"layer 7 .*Flatten made 256 = 16\*4\*4 features of \(2, 16, 4, 4\)"):
        LeNet()(image(2, 1, 24, 24))


# Deeper nets


def test_lenet_with_batch_normalisation():
    net = LeNet(batch_norm=True)
    assert kinds(net)[:4] == ["Conv2d", "BatchNorm2d", "Sigmoid", "AvgPool2d"] and kinds(net).count("BatchNorm2d") == 2
    assert net[0].bias is None and net[1].num_features == 6 and net(image(2, 1, 28, 28)).shape == (2, 10)


def test_vgg():
    net = VGG(in_channels=3, num_classes=7, channels=(4, 6), convolutions=3, dropout=0.5)
    assert kinds(net) == [*["Conv2d", "BatchNorm2d", "ReLU"] * 3, "MaxPool2d"] * 2 + [
        "Dropout", "AdaptiveAvgPool2d", "Flatten", "Linear",
    ]  # fmt: skip
    for size in ((4, 4), (9, 17)):
        assert net(image(2, 3, *size)).shape == (2, 7)


def test_resnet_is_the_papers():
    net = ResNet()
    assert 270_000 < sum(p.numel() for p in net.parameters()) < 275_000
    layers = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert sum(1 for layer in layers if layer.weight.ndim == 2 or layer.kernel_size == (3, 3)) == 20
    found = tinycnn.summary(net, (2, 1, 28, 28))
    assert found.rows[-1].output_shape == (2, 10)
    assert {row.output_shape[1:] for row in found.rows if row.name.endswith("body.3")} == {
        (16, 28, 28), (32, 14, 14), (64, 7, 7),
    }  # fmt: skip


def test_what_a_block_adds_starts_at_zero():
    net = ResNet(channels=(4,), blocks=2).eval()
    x = image(1, 4, 5, 5)
    for block in net[3], net[5]:
        assert np.array_equal(block(x).numpy(), x.numpy())


@pytest.mark.parametrize(
    "net", [LeNet(batch_norm=True), VGG(channels=(2, 3)), ResNet(channels=(2, 3), blocks=1, activation="silu")]
)
def test_a_deeper_net_is_made_anew_from_its_config(net):
    twin = MODELS[type(net).__name__](**json.loads(json.dumps(net.config)))
    assert repr(twin) == repr(net) and list(twin.state_dict()) == list(net.state_dict())


def test_what_the_deeper_nets_refuse():
    for build, message in [
        (lambda: VGG(channels=3), "VGG: channels must be a sequence of ints"),
        (lambda: VGG(convolutions=0), "VGG: convolutions must be at least 1"),
        (lambda: VGG(convolutions=(1, 0, 2)), r"VGG: convolutions\[1\] must be at least 1"),
        (lambda: VGG(convolutions=(1, 2)), "VGG: convolutions has 2 numbers and channels 3, expected one for each"),
        (lambda: ResNet(channels=()), "ResNet: channels must have at least one number"),
        (lambda: ResNet(activation="swish"), "ResNet: activation must be one of .*'silu'"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            build()
    with pytest.raises(ValueError, match=r"layer 6 \(MaxPool2d"):
        VGG(channels=(2,))(image(2, 1, 1, 1))
