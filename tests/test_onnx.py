"""ONNX files give what the engine gives, for every layer and option it has."""

import sys

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.models import LeNet
from tinycnn.nn.module import kinds
from tinycnn.onnx import export

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
EXPORTED = {getattr(nn, name) for name in kinds("onnx") if hasattr(nn, name)}


def served(path, x):
    """What onnxruntime makes of x."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["output"], {"input": x})[0]


def outputs(model, x):
    model.eval()
    with tinycnn.no_grad():
        return model(tinycnn.tensor(x)).numpy()


def assert_agrees(model, shape, path, rng, numbers_of_images=(1, 3)):
    """The file, made for shape (N, C, H, W), gives the model's outputs for other N as well."""
    export(model, path, shape)
    for n in numbers_of_images:
        x = rng.normal(0, 1, (n, *shape[1:])).astype(np.float32) - 1  # mostly negative: padding must not win a maximum
        np.testing.assert_allclose(served(path, x), outputs(model, x), **CLOSE)


# Random nets


def two(rng, low, high):
    return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))


def convolution(rng, channels):
    groups = int(rng.choice([g for g in (1, 2, 3, channels) if channels % g == 0]))
    filters = groups * int(rng.integers(1, 4))
    options = {"stride": two(rng, 1, 3), "padding": two(rng, 0, 3), "dilation": two(rng, 1, 2)}
    return nn.Conv2d(channels, filters, two(rng, 1, 4), **options, groups=groups, bias=bool(rng.integers(2))), filters


def pooling(rng, channels):
    kernel, ceil = two(rng, 1, 4), bool(rng.integers(2))
    options = {"stride": two(rng, 1, 4), "padding": tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)}
    if rng.integers(2):
        return nn.AvgPool2d(kernel, **options, ceil_mode=ceil, count_include_pad=bool(rng.integers(2))), channels
    return nn.MaxPool2d(kernel, **options, dilation=two(rng, 1, 3), ceil_mode=ceil), channels


def activation(rng, channels):
    """One of the layers that change no shape."""
    kinds = [nn.Sigmoid, nn.ReLU, nn.Tanh, nn.Dropout, nn.GELU, nn.SiLU, nn.LeakyReLU, nn.Identity]
    kind = kinds[rng.integers(len(kinds))]
    options = {nn.GELU: ["none", "tanh"], nn.LeakyReLU: [0.01, 0.3]}.get(kind)
    return (kind(options[rng.integers(2)]) if options else kind()), channels


def normalization(rng, channels, kind=nn.BatchNorm2d):
    """With statistics as after training."""
    layer = kind(channels, eps=float(rng.uniform(1e-5, 1e-2)), affine=bool(rng.integers(2)))
    layer.running_mean.data[:], layer.running_var.data[:] = rng.normal(size=channels), rng.uniform(0.5, 2, channels)
    for p in layer.parameters():
        p.data[:] = rng.normal(size=channels)
    return layer, channels


def residual(rng, channels):
    """A block that keeps the shape, and one that changes it."""
    filters = int(rng.integers(1, 5))
    if rng.integers(2):
        return nn.Residual(nn.Conv2d(channels, channels, 3, padding=1), normalization(rng, channels)[0]), channels
    body = nn.Conv2d(channels, filters, 3, stride=2, padding=1), nn.ReLU()
    return nn.Residual(*body, shortcut=nn.Sequential(nn.Conv2d(channels, filters, 1, stride=2))), filters


def adaptive(rng, channels):
    return nn.AdaptiveAvgPool2d((1, None) if rng.integers(2) else 1), channels


LAYERS = (convolution, pooling, pooling, activation, activation, normalization, residual, adaptive)


def random_net(rng):
    """(Sequential of up to six layers on maps and a head, the shape of its input)."""
    shape = (2, int(rng.integers(1, 5)), int(rng.integers(5, 15)), int(rng.integers(5, 15)))
    x, channels, maps = tinycnn.tensor(np.zeros(shape, np.float32)), shape[1], []
    for _ in range(rng.integers(1, 7)):
        layer, after = LAYERS[rng.integers(len(LAYERS))](rng, channels)
        try:
            y = layer.eval()(x)
        except ValueError:  # the map has become too small for this window
            continue
        if np.isfinite(y.numpy()).all():  # no window over padding alone, which export refuses
            maps.append(layer)
            x, channels = y, after
    start = int(rng.choice([1, 1, 2, 3, -1, -2]))
    head = [nn.Flatten(start)] if rng.integers(4) else []
    for layer in head:
        x = layer(x)
    for _ in range(rng.integers(0 if maps else 1, 3)):
        head.append(nn.Linear(x.shape[-1], width := int(rng.integers(1, 6)), bias=bool(rng.integers(2))))
        head.append(activation(rng, channels)[0])
        if len(x.shape) == 2:
            head.append(normalization(rng, width, nn.BatchNorm1d)[0])
        x = tinycnn.tensor(np.zeros((*x.shape[:-1], width), np.float32))
    if rng.integers(2):
        return nn.Sequential({"features": nn.Sequential(*maps), "head": nn.Sequential(*head)}), shape
    return nn.Sequential(*maps, *head), shape


def assert_nets_agree(count, path, rng):
    found = set()
    for _ in range(count):
        net, shape = random_net(rng)
        found |= {type(layer) for layer in net.modules()}
        try:
            assert_agrees(net, shape, path, rng)
        except Exception as error:
            raise AssertionError(f"input {shape}, {net!r}") from error
    return found


def test_fifty_random_nets(tmp_path, rng):
    assert assert_nets_agree(50, tmp_path / "net.onnx", rng) > EXPORTED


@pytest.mark.slow
def test_two_hundred_random_nets(tmp_path, rng):
    assert assert_nets_agree(200, tmp_path / "net.onnx", rng) > EXPORTED


# Where definitions differ

EDGES = [  # layer, height and width
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True), (6, 7)),
    (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (6, 7)),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (6, 7)),
    (nn.AvgPool2d((2, 4), (4, 3), (1, 2), ceil_mode=True), (5, 9)),
    (nn.AvgPool2d(2, 3, ceil_mode=True), (9, 10)),
    (nn.AvgPool2d(2, 3, 1, ceil_mode=True), (5, 5)),  # the last window would start in the padding behind
    (nn.MaxPool2d(2, 3, 1, ceil_mode=True), (5, 5)),
    (nn.MaxPool2d(2, 4, 0, dilation=4, ceil_mode=True), (6, 7)),  # more padding than the kernel is large
    (nn.MaxPool2d((2, 3), (2, 3), (1, 0), dilation=(3, 1), ceil_mode=True), (7, 8)),
    (nn.MaxPool2d(3, 2, 1, dilation=2), (8, 9)),
]


@pytest.mark.parametrize(("layer", "size"), EDGES, ids=lambda part: repr(part))
def test_padding_and_ceil_mode(layer, size, tmp_path, rng):
    assert_agrees(layer, (1, 2, *size), tmp_path / "pool.onnx", rng)


@pytest.mark.parametrize(("start", "shape"), [(0, (60,)), (1, (2, 30)), (2, (2, 2, 15)), (-1, (2, 2, 3, 5))])
def test_flatten(start, shape, tmp_path, rng):
    assert outputs(nn.Flatten(start), np.zeros((2, 2, 3, 5), np.float32)).shape == shape
    assert_agrees(nn.Flatten(start), (2, 2, 3, 5), tmp_path / "flatten.onnx", rng)


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_lenet(pool, tmp_path, rng):
    assert_agrees(LeNet(pool=pool, dropout=0.5), (1, 1, 28, 28), tmp_path / "lenet.onnx", rng, (1, 7, 256))


def test_a_model_in_training_and_on_a_device_is_exported_as_it_is_evaluated(tmp_path, device, rng):
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 2)).to(device).train()
    path, x = export(net, tmp_path / "net.onnx", (1, 1, 3, 4)), rng.normal(size=(2, 1, 3, 4)).astype(np.float32)
    assert net.training and net[1].training
    np.testing.assert_allclose(served(path, x), outputs(net.to("cpu"), x), **CLOSE)


def test_float64_stays_float64(tmp_path, rng):
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 3)).double()
    path, x = export(net, tmp_path / "net.onnx", (1, 1, 2, 3)), rng.normal(size=(2, 1, 2, 3))
    y = served(path, x)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, outputs(net, x), rtol=1e-12, atol=1e-12)


# What a viewer shows


def test_names_shapes_and_weights(tmp_path):
    convolutions = nn.Sequential({"conv1": nn.Conv2d(1, 2, 3), "act": nn.ReLU()})
    net = nn.Sequential({"features": convolutions, "flat": nn.Flatten(), "out": nn.Linear(12, 4)})
    graph = onnx.load(export(net, tmp_path / "net.onnx", (1, 1, 4, 5))).graph
    assert [(node.name, node.op_type) for node in graph.node] == [
        ("features.conv1", "Conv"), ("features.act", "Relu"), ("flat", "Flatten"), ("out", "Gemm"),
    ]  # fmt: skip
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
    assert arrays.keys() == net.state_dict().keys()
    for name, array in net.state_dict().items():
        assert np.array_equal(arrays[name], array)
    sizes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    assert sizes == {
        "input": ["batch", 1, 4, 5],
        "features.conv1.output": ["batch", 2, 2, 3],
        "features.act.output": ["batch", 2, 2, 3],
        "flat.output": ["batch", 12],
        "output": ["batch", 4],
    }


def test_a_layer_that_runs_twice(tmp_path, rng):
    layer = nn.Linear(3, 3)
    assert_agrees(nn.Sequential(nn.Flatten(), layer, nn.Tanh(), layer), (1, 1, 1, 3), tmp_path / "net.onnx", rng)


# What is refused


class Doubled(nn.Module):
    def forward(self, x):
        return x + x


class Residual(nn.Module):
    def __init__(self):
        self.inner = nn.ReLU()

    def forward(self, x):
        return x + self.inner(x)


class Own(nn.ReLU):
    """Another name for a known layer."""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.ReLU(), Doubled()),
            r"layer 1 \(Doubled\) has no counterpart here; exported are .*Conv2d, ",
        ),
        (nn.Sequential({"a": nn.Sequential(Residual())}), r"layer a\.0 \(Residual\) has a forward of its own"),
        (Residual(), r"export: Residual has a forward of its own"),
        (nn.Sequential(), "no layers"),
        (nn.Sequential(nn.MaxPool2d(2, 1, 1, dilation=5)), r"layer 0 \(MaxPool2d\) has windows over padding alone"),
        (nn.Sequential(nn.Conv2d(3, 1, 2)), r"layer 0 \(Conv2d.*channels"),
    ],
)
def test_refused(model, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "net.onnx", (1, 1, 4, 4))
    assert not list(tmp_path.iterdir())


def test_a_subclass_with_the_same_forward_is_the_same_layer(tmp_path, rng):
    assert_agrees(nn.Sequential(Own()), (1, 1, 2, 2), tmp_path / "net.onnx", rng)


def test_without_the_package_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(RuntimeError, match=r'onnx is not installed; pip install "tinycnn\[onnx\]"'):
        export(nn.ReLU(), tmp_path / "net.onnx", (1, 1, 2, 2))
