"""The trace holds what the engine made: identities between its arrays, and what it leaves alone."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import explain, geometry, manual_seed
from tinycnn import functional as F
from tinycnn.models import LeNet
from tinycnn.nn import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, Sigmoid, Tanh
from tinycnn.ops import conv2d as engine

CASES = [  # N, C, H, W, O, kernel, stride, padding, dilation, groups
    (1, 1, 4, 4, 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 3, 7, 9, 4, (3, 2), (2, 3), (1, 0), (1, 1), 1),  # strides that do not divide
    (3, 2, 8, 5, 2, (5, 3), (1, 2), (2, 3), (1, 1), 1),  # padding wider than the kernel's half
    (1, 4, 9, 8, 6, (3, 3), (2, 1), (1, 2), (2, 3), 2),  # dilation and groups
    (2, 3, 6, 7, 3, (2, 3), (1, 1), (0, 1), (1, 2), 3),  # depthwise
]


def traced(rng, case, dtype=np.float64):
    N, C, H, W, O, kernel, stride, padding, dilation, groups = case
    layer = Conv2d(C, O, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups)
    model = Sequential(layer).to(dtype)
    x = rng.standard_normal((N, C, H, W)).astype(dtype)
    out = model(tinycnn.tensor(x))
    return explain.trace(model, x, gradient=rng.standard_normal(out.shape).astype(dtype))


def as_columns(array):
    """(N, O, OH, OW) laid out like the product of kernels and columns: (G=1, OH, O, OW*N)."""
    N, O, OH, OW = array.shape
    return array.transpose(2, 1, 3, 0).reshape(OH, O, OW * N)


def by_group(array, groups):
    """(N, O, OH, OW) -> (G, OH, O/G, OW*N)."""
    return np.stack([as_columns(part) for part in np.split(array, groups, axis=1)])


# 1. Identities


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernels_times_columns_are_the_output(case, rng):
    record = traced(rng, case)["conv1"]
    product = engine.filters(record.w, case[-1]) @ record.cols + record.b.reshape(case[-1], 1, -1, 1)
    assert_close(product, by_group(record.out, case[-1]))
    assert record.path == "forward"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_columns_are_laid_out_as_they_say(case, rng):
    """cols[g, i, (u, c, v), (j, n)], read off the padded image one number at a time."""
    assert explain.COLS_LAYOUT == "cols[g, i, (u, c, v), (j, n)]"
    N, C, _, _, _, (KH, KW), (SH, SW), (PH, PW), (DH, DW), G = case
    record = traced(rng, case)["conv1"]
    x = np.pad(record.x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    OH, OW = record.out.shape[2:]
    cols = record.cols.reshape(G, OH, KH, C // G, KW, OW, N)
    for g, i, u, c, v, j, n in np.ndindex(cols.shape):
        assert cols[g, i, u, c, v, j, n] == x[n, g * (C // G) + c, i * SH + u * DH, j * SW + v * DW]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_follow_from_columns_and_kernels(case, rng):
    G = case[-1]
    record = traced(rng, case)["conv1"]
    dy = by_group(record.grad_out, G)  # (G, OH, O/G, OW*N)
    assert_close(record.grad_cols, engine.filters(record.w, G).swapaxes(2, 3) @ dy)
    dw = (dy @ record.cols.swapaxes(2, 3)).sum(axis=1, keepdims=True)  # (G, 1, O/G, KH*C*KW)
    assert_close(engine.filters(record.grad_w, G), dw)
    assert_close(record.grad_b, record.grad_out.sum(axis=(0, 2, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_col2im_of_the_columns_gradient_is_the_input_gradient_to_the_bit(case, dtype, rng):
    N, C, H, W, _, kernel, stride, (PH, PW), dilation, G = case
    record = traced(rng, case, dtype)["conv1"]
    framed = np.zeros((G, C // G, H + 2 * PH, W + 2 * PW, N), dtype)
    engine.col2im(record.grad_cols, framed, geometry.windows("", framed.shape[2:4], kernel, stride, dilation=dilation))
    dx = framed.reshape(C, H + 2 * PH, W + 2 * PW, N)[:, PH : PH + H, PW : PW + W].transpose(3, 0, 1, 2)
    assert np.array_equal(dx, record.grad_x)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_col2im_is_the_adjoint_of_im2col(case, rng):
    N, C, H, W, _, kernel, stride, (PH, PW), dilation, G = case
    x = rng.standard_normal((G, C // G, H + 2 * PH, W + 2 * PW, N))
    windows = geometry.windows("", x.shape[2:4], kernel, stride, dilation=dilation)
    cols = engine.im2col(x, windows)
    c, back = rng.standard_normal(cols.shape), np.zeros_like(x)
    engine.col2im(c, back, windows)
    assert_close((cols * c).sum(), (x * back).sum(), rtol=1e-10)


def test_a_convolution_in_pieces_is_unrolled_again(rng, monkeypatch):
    whole = traced(rng, CASES[1])["conv1"]
    monkeypatch.setattr(engine, "workspace_limit", lambda: 1)
    rng = np.random.default_rng(1)
    pieces = traced(rng, CASES[1])
    record = pieces["conv1"]
    assert (whole.path, record.path) == ("forward", "reference")
    product = engine.filters(record.w, 1) @ record.cols + record.b.reshape(1, 1, -1, 1)
    assert_close(product, by_group(record.out, 1))


# 2. A whole net


def net(dtype=np.float64):
    manual_seed(3)
    layers = [Conv2d(2, 4, 3, padding=(1, 2)), Sigmoid(), AvgPool2d(2), Sequential(Conv2d(4, 6, 2, groups=2), ReLU())]
    return Sequential(*layers, MaxPool2d(2), Tanh(), Flatten(), Dropout(0.5), Linear(6, 3)).to(dtype)


def data(rng, N=2):
    return rng.standard_normal((N, 2, 9, 7)), np.arange(N) % 3


def test_every_layer_in_order_with_names_and_labels(rng):
    trace = explain.trace(net(), *data(rng))
    assert [(r.name, r.label, r.kind) for r in trace.layers] == [
        ("0", "conv1", "conv2d"),
        ("1", "sigmoid1", "sigmoid"),
        ("2", "pool1", "avg_pool2d"),
        ("3.0", "conv2", "conv2d"),
        ("3.1", "relu1", "relu"),
        ("4", "pool2", "max_pool2d"),
        ("5", "tanh1", "tanh"),
        ("6", "flatten1", "flatten"),
        ("7", "dropout1", "dropout"),
        ("8", "fc1", "linear"),
    ]
    assert trace["conv2"] is trace["3.0"] is trace[3]
    with pytest.raises(KeyError, match=r"there is no layer 'conv3'; there are conv1 \(0\), sigmoid1 \(1\)"):
        trace["conv3"]


def test_the_pass_is_the_models_own(rng):
    model, (x, y) = net(), data(rng)
    trace = explain.trace(model, x, y)
    inputs = tinycnn.tensor(x, requires_grad=True)
    loss = F.cross_entropy(model.eval()(inputs), y)
    loss.backward()
    assert trace.loss == loss.item()
    assert np.array_equal(trace[0].grad_x, inputs.grad.numpy())
    for record in trace.layers:
        for name in ("w", "b"):
            if (array := getattr(record, name)) is not None:
                p = getattr(record.layer, {"w": "weight", "b": "bias"}[name])
                assert np.array_equal(array, p.numpy())
                assert np.array_equal(getattr(record, f"grad_{name}"), p.grad.numpy())
    for before, after in zip(trace.layers, trace.layers[1:], strict=False):
        assert np.array_equal(before.out, after.x) and np.array_equal(before.grad_out, after.grad_x)


def test_lenet_in_numbers(rng):
    trace = explain.trace(LeNet(), rng.integers(0, 256, (1, 1, 28, 28), dtype=np.uint8), [7])
    assert trace.x.dtype == np.float32 and trace.x.max() <= 1
    assert trace["conv2"].cols.shape == (1, 10, 150, 10)
    assert [r.multiply_adds for r in trace.layers if r.w is not None] == [117_600, 240_000, 48_000, 10_080, 840]
    fields = {r.label: r.receptive_field[0] for r in trace.layers if r.receptive_field}
    assert [tuple(fields[label]) for label in ("conv1", "pool1", "conv2", "pool2")] == [
        (5, 1, -2),
        (6, 2, -2),
        (14, 2, -2),
        (16, 4, -2),
    ]


def test_gradients_and_modes_of_the_model_stay(rng):
    model = net()
    F.cross_entropy(model(tinycnn.tensor(data(rng)[0])), data(rng)[1]).backward()
    kept = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    model[0].eval()
    trace = explain.trace(model, *data(rng))
    trace.input_gradient("conv2", (0, 1, 2, 2))
    assert all(np.array_equal(p.grad.numpy(), kept[name]) for name, p in model.named_parameters())
    assert [layer.training for layer in (model, model[0], model[7])] == [True, False, True]


def test_training_on_does_not_change_the_trace(rng):
    model = net()
    trace = explain.trace(model, *data(rng))
    before = {name: array.copy() for name, array in vars(trace["conv1"]).items() if isinstance(array, np.ndarray)}
    for p in model.parameters():
        p.data += 1
    assert all(np.array_equal(getattr(trace["conv1"], name), array) for name, array in before.items())
    with pytest.raises(RuntimeError, match="the weights of conv1 have changed since; trace the model again"):
        trace.input_gradient("fc1", (0, 0))


class Strange(Module):
    """Two operations in one layer, and a parameter of no known kind."""

    def __init__(self):
        self.shift = tinycnn.nn.Parameter(np.full(3, 0.5))

    def forward(self, x):
        return (x * x + self.shift.reshape(3, 1, 1)).exp()


def test_an_unknown_layer_is_recorded_with_values_and_gradients(rng):
    model = Sequential(Conv2d(1, 3, 2).double(), Strange(), Flatten(), Linear(27, 2).double())
    trace = explain.trace(model, rng.standard_normal((1, 1, 4, 4)), [1])
    record = trace["strange1"]
    assert record.kind == "strange" and record.w is None and record.receptive_field is None
    assert_close(record.out, np.exp(record.x**2 + 0.5))
    assert_close(record.grad_x, record.grad_out * record.out * 2 * record.x)


# 3. One unit


def test_the_gradient_of_a_unit_is_its_derivative(rng):
    model, (x, y) = net(), data(rng)
    trace = explain.trace(model, x, y)
    gradient = trace.input_gradient("pool1", (1, 2, 3, 1))
    step = 1e-6
    for index in [(1, 0, 5, 2), (1, 1, 6, 3), (0, 0, 5, 2)]:
        sides = []
        for side in (step, -step):
            moved = x.copy()
            moved[index] += side
            sides.append(explain.trace(model, moved, y)["pool1"].out[1, 2, 3, 1])
        assert abs(gradient[index] - (sides[0] - sides[1]) / (2 * step)) < 1e-8
    assert not gradient[0].any()


@pytest.mark.parametrize("unit", [(0, 1, 3, 3), (0, 0, 0, 0), (0, 2, 4, 5)])
def test_the_receptive_field_is_where_the_gradient_is_not_zero(unit, rng):
    layers = [Conv2d(1, 2, 3, stride=2, padding=1), Sigmoid(), Conv2d(2, 3, (2, 3), padding=(0, 1), dilation=(2, 1))]
    model = Sequential(*layers).double()
    for p in model.parameters():
        p.data[...] = rng.uniform(0.5, 1, p.shape)  # nothing cancels
    x = rng.standard_normal((1, 1, 15, 13))
    trace = explain.trace(model, x, gradient=np.ones(model(tinycnn.tensor(x)).shape))
    rows, columns = np.nonzero(trace.input_gradient("conv2", unit)[0, 0])
    for axis, touched in enumerate((rows, columns)):
        field = trace["conv2"].receptive_field[axis]
        expected = field.pixels(unit[2 + axis], x.shape[2 + axis])
        assert (touched.min(), touched.max()) == (expected.start, expected.stop - 1)


def test_gradients_of_units_do_not_depend_on_what_was_asked_before(rng):
    trace = explain.trace(net(), *data(rng))
    first = trace.input_gradient("fc1", (0, 1))
    trace.input_gradient("conv1", (0, 0, 4, 4))
    assert np.array_equal(first, trace.input_gradient("fc1", (0, 1)))


# 4. Errors


def test_errors(rng):
    with pytest.raises(TypeError, match="trace: expected a Sequential, whose layers run one by one, got Conv2d"):
        explain.trace(Conv2d(1, 1, 1), np.zeros((1, 1, 2, 2)), [0])
    for options in ({}, {"y": [0], "gradient": np.ones((1, 3))}):
        with pytest.raises(ValueError, match="trace: give either labels y, or the gradient of the output"):
            explain.trace(net(), data(rng)[0], **options)


@pytest.mark.parametrize("unit", [(0, 1, 2, 3), (0, 1, 2), (0, -1, 0, 0)])
def test_a_unit_that_is_not_there(unit, rng):
    trace = explain.trace(net(), *data(rng))
    with pytest.raises(IndexError, match=r"there is no unit .* in the output of conv2 of shape \(2, 6, 3, 3\)"):
        trace.input_gradient("conv2", unit)


def test_an_error_in_a_layer_leaves_modes_and_gradients(rng):
    model = net()
    with pytest.raises(ValueError, match="linear: the last axis of x"):
        explain.trace(model, rng.standard_normal((1, 2, 20, 20)), [0])
    assert model.training and all(p.grad is None for p in model.parameters())
