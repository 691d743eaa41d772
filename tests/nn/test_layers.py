"""Layers: attributes, first values, what they compute, and what their constructors refuse."""

import math

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn import nn


def options(layer):
    return {name: value for name, value in vars(layer).items() if name not in ("weight", "bias")}


# What they are


def test_conv2d_attributes_are_pairs():
    layer = nn.Conv2d(4, 6, 3, stride=(2, 1), padding=1, dilation=2, groups=2)
    assert options(layer) == {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": (3, 3),
        "stride": (2, 1),
        "padding": (1, 1),
        "dilation": (2, 2),
        "groups": 2,
    }
    assert layer.weight.shape == (6, 2, 3, 3) and layer.bias.shape == (6,)
    assert nn.Conv2d(1, 1, 1, bias=False).bias is None


def test_padding_in_words_becomes_numbers():
    assert nn.Conv2d(1, 6, (5, 3), padding="same", dilation=(2, 1)).padding == (4, 1)
    assert nn.Conv2d(1, 6, (4, 2), padding="same", dilation=2).padding == (3, 1)
    assert nn.Conv2d(1, 6, 5, padding="valid").padding == (0, 0)


def test_pool_attributes_are_pairs_and_the_stride_is_the_kernel():
    assert options(nn.AvgPool2d(2)) == {
        "kernel_size": (2, 2),
        "stride": (2, 2),
        "padding": (0, 0),
        "ceil_mode": False,
        "count_include_pad": True,
    }
    assert options(nn.MaxPool2d((3, 2), 1, (1, 0), 2, True)) == {
        "kernel_size": (3, 2),
        "stride": (1, 1),
        "padding": (1, 0),
        "dilation": (2, 2),
        "ceil_mode": True,
    }


def test_parameters_are_float32_require_gradients_and_lie_plainly_in_memory():
    for layer in (nn.Conv2d(2, 3, 3), nn.Linear(4, 5)):
        for parameter in (layer.weight, layer.bias):
            assert isinstance(parameter, nn.Parameter) and parameter.requires_grad
            assert parameter.dtype == np.float32 and parameter.data.flags.c_contiguous


@pytest.mark.parametrize(
    ("layer", "fan_in"), [(lambda: nn.Linear(50, 400), 50), (lambda: nn.Conv2d(6, 80, (5, 3), groups=2), 45)]
)
def test_weights_and_biases_start_uniform_within_one_over_root_fan_in(layer, fan_in):
    layer, bound = layer(), 1 / math.sqrt(fan_in)
    for parameter in (layer.weight, layer.bias):
        values = parameter.numpy()
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
    spread = layer.weight.numpy().std()
    assert spread == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_one_seed_gives_one_net():
    def draw():
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(4, 5)).state_dict()

    tinycnn.manual_seed(3)
    first = draw()
    another = draw()
    tinycnn.manual_seed(3)
    again = draw()
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], another[name])


# What they compute


def test_each_layer_calls_its_function_with_its_options(rng):
    x = leaf(rng, 2, 4, 9, 8, dtype=np.float32)
    conv = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=2)
    expected = F.conv2d(x, conv.weight, conv.bias, (2, 1), (1, 2), (1, 3), 2)
    assert np.array_equal(conv(x).numpy(), expected.numpy())
    pairs = [
        (nn.AvgPool2d((3, 2), (2, 3), 1, True, False), F.avg_pool2d(x, (3, 2), (2, 3), 1, True, False)),
        (nn.MaxPool2d((3, 2), (2, 3), 1, (1, 2), True), F.max_pool2d(x, (3, 2), (2, 3), 1, (1, 2), True)),
        (nn.Sigmoid(), F.sigmoid(x)),
        (nn.ReLU(), F.relu(x)),
        (nn.Tanh(), F.tanh(x)),
        (nn.GELU(), F.gelu(x)),
        (nn.GELU("tanh"), F.gelu(x, "tanh")),
        (nn.SiLU(), F.silu(x)),
        (nn.LeakyReLU(0.3), F.leaky_relu(x, 0.3)),
        (nn.AdaptiveAvgPool2d((2, None)), F.adaptive_avg_pool2d(x, (2, None))),
        (nn.Identity(1, name="a"), x),
        (nn.Flatten(), F.flatten(x)),
        (nn.Flatten(2), F.flatten(x, 2)),
    ]
    for layer, expected in pairs:
        assert np.array_equal(layer(x).numpy(), expected.numpy()), layer


def test_linear(rng):
    layer, x = nn.Linear(3, 2), leaf(rng, 4, 5, 3, dtype=np.float32)
    expected = x.numpy() @ layer.weight.numpy().T + layer.bias.numpy()
    assert_close(layer(x), expected, 1e-6, 1e-6)
    assert_close(nn.Linear(3, 2, bias=False)(x * 0.0), np.zeros((4, 5, 2), np.float32))


def test_gradients_reach_the_parameters(rng):
    conv, x = nn.Conv2d(1, 2, 3), leaf(rng, 2, 1, 4, 5, dtype=np.float32)
    conv(x).sum().backward()
    assert conv.bias.grad.numpy().tolist() == [12, 12]  # 2 images of 2x3 outputs
    assert conv.weight.grad.shape == conv.weight.shape


def test_dropout_follows_the_mode(rng):
    layer, x = nn.Dropout(0.25), tinycnn.tensor(np.ones((40, 50), np.float32))
    y = layer(x).numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert 0.2 < (y == 0).mean() < 0.3
    assert np.array_equal(layer.eval()(x).numpy(), x.numpy())


# How they print


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (
            nn.Conv2d(1, 6, 5, padding=2),
            "Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))",
        ),
        (
            nn.Conv2d(4, 6, (3, 2), 2, 0, (1, 2), 2, bias=False),
            "Conv2d(4, 6, kernel_size=(3, 2), stride=(2, 2), dilation=(1, 2), groups=2, bias=False)",
        ),
        (nn.Linear(400, 120), "Linear(in_features=400, out_features=120, bias=True)"),
        (nn.AvgPool2d(2), "AvgPool2d(kernel_size=2, stride=2, padding=0)"),
        (nn.AvgPool2d((2, 3), 1), "AvgPool2d(kernel_size=(2, 3), stride=1, padding=0)"),
        (nn.MaxPool2d(3, 2, 1), "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)"),
        (nn.Sigmoid(), "Sigmoid()"),
        (nn.Flatten(), "Flatten(start_dim=1)"),
        (nn.Dropout(0.5), "Dropout(p=0.5)"),
        (nn.BatchNorm2d(3), "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"),
    ],
    ids=repr,
)
def test_print(layer, text):
    assert repr(layer) == text


# What they refuse


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Conv2d(0, 6, 5), ValueError, "Conv2d: in_channels must be at least 1, got 0"),
        (lambda: nn.Conv2d(1, 6.0, 5), TypeError, "Conv2d: out_channels must be an int, got 6.0"),
        (lambda: nn.Conv2d(True, 6, 5), TypeError, "Conv2d: in_channels must be an int, got True"),
        (lambda: nn.Conv2d(1, 6, 0), ValueError, "Conv2d: kernel_size must be at least 1, got 0"),
        (lambda: nn.Conv2d(1, 6, (5, 5, 5)), TypeError, "Conv2d: kernel_size must be an int or a pair"),
        (lambda: nn.Conv2d(1, 6, 5, stride=0), ValueError, "Conv2d: stride must be at least 1, got 0"),
        (lambda: nn.Conv2d(1, 6, 5, padding=-1), ValueError, "Conv2d: padding must be at least 0, got -1"),
        (lambda: nn.Conv2d(1, 6, 5, padding="full"), ValueError, "padding must be one of 'valid', 'same', got 'full'"),
        (lambda: nn.Conv2d(1, 6, 5, padding=[1, 2, 3]), TypeError, "Conv2d: padding must be an int or a pair"),
        (lambda: nn.Conv2d(1, 6, 5, 2, padding="same"), ValueError, 'padding="same" needs stride 1, got stride .2, 2.'),
        (lambda: nn.Conv2d(1, 6, (5, 4), padding="same"), ValueError, "one zero more after the image than before it"),
        (lambda: nn.Conv2d(1, 6, 5, dilation=0), ValueError, "Conv2d: dilation must be at least 1, got 0"),
        (lambda: nn.Conv2d(4, 6, 5, groups=4), ValueError, "the 4 channels that come in and the 6 that go out, got 4"),
        (lambda: nn.Conv2d(4, 6, 5, groups=3), ValueError, "Conv2d: groups must divide the 4 channels"),
        (lambda: nn.Linear(10, 0), ValueError, "Linear: out_features must be at least 1, got 0"),
        (lambda: nn.Linear("10", 1), TypeError, "Linear: in_features must be an int, got '10'"),
        (lambda: nn.AvgPool2d(0), ValueError, "AvgPool2d: kernel_size must be at least 1, got 0"),
        (lambda: nn.MaxPool2d(2, 0), ValueError, "MaxPool2d: stride must be at least 1, got 0"),
        (lambda: nn.MaxPool2d(3, padding=2), ValueError, "MaxPool2d: padding must be at most half the kernel"),
        (lambda: nn.AvgPool2d((4, 3), padding=(2, 2)), ValueError, r"got padding \(2, 2\), kernel_size \(4, 3\)"),
        (lambda: nn.MaxPool2d(2, dilation=0), ValueError, "MaxPool2d: dilation must be at least 1, got 0"),
        (lambda: nn.AdaptiveAvgPool2d(0), ValueError, "AdaptiveAvgPool2d: output_size must be at least 1, got 0"),
        (lambda: nn.GELU("erf"), ValueError, "GELU: approximate must be one of 'none', 'tanh', got 'erf'"),
        (lambda: nn.LeakyReLU("a"), TypeError, "LeakyReLU: negative_slope must be a number, got 'a'"),
        (lambda: nn.Dropout(1.5), ValueError, "Dropout: p must be between 0 and 1, got 1.5"),
        (lambda: nn.Dropout(-0.1), ValueError, "Dropout: p must be between 0 and 1, got -0.1"),
        (lambda: nn.Dropout(math.nan), ValueError, "Dropout: p must be finite, got nan"),
        (lambda: nn.Dropout("0.5"), TypeError, "Dropout: p must be a number, got '0.5'"),
    ],
)
def test_what_constructors_refuse(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_sizes_may_be_numpys_integers():
    assert nn.Linear(np.int64(3), np.int32(2)).weight.shape == (2, 3)
    assert type(nn.Linear(np.int64(3), 2).in_features) is int


def test_flatten_refuses_an_axis_that_is_no_int():
    with pytest.raises(TypeError, match="Flatten: start_dim must be an int, got 1.0"):
        nn.Flatten(1.0)
