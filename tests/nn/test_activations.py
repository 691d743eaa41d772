"""A new activation is one class with one line, and everything that asks about layers knows it, or refuses its name."""

import numpy as np
import pytest

import tinycnn
from tinycnn import functional as F
from tinycnn import init, nn, summary
from tinycnn.autograd.tensor import Op
from tinycnn.backend import array_module
from tinycnn.execution.reading import check_model, read_stages
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.models import LeNet
from tinycnn.nn.activations import ACTIVATIONS
from tinycnn.nn.module import Declared, kinds
from tinycnn.onnx import export


class SoftsignOp(Op, name="softsign"):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x=x)
        return x / (1 + array_module(x).abs(x))

    @staticmethod
    def backward(ctx, dy):  # the slope needs the input
        return dy / (1 + array_module(dy).abs(ctx.x)) ** 2


def softsign(x):
    """x / (1 + |x|) of each element of x (any shape)."""
    return SoftsignOp.apply(x)


@pytest.fixture
def declare():
    """Makes a class Softsign with the given declarations; afterwards its names are forgotten."""
    tables = [(table, dict(table)) for table in (ACTIVATIONS, init.GAINS)]

    def make(**options):
        class Softsign(nn.Activation, function=softsign, **options):
            """x / (1 + |x|), of any shape."""

        return Softsign

    yield make
    for table, before in tables:
        table.clear()
        table.update(before)


def net(layer):
    return nn.Sequential(nn.Conv2d(1, 2, 3), layer, nn.Flatten(), nn.Linear(8, 2))


def test_it_computes_and_has_a_gradient(declare, rng):
    layer, x = declare()(), tinycnn.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    assert np.array_equal(layer(x).numpy(), softsign(x).numpy()) and repr(layer) == "Softsign()"
    assert tinycnn.gradcheck(layer, [x])


def test_a_summary_sees_through_it(declare):
    row = summary(net(declare()()), (1, 1, 4, 4)).rows[1]
    assert (row.multiply_adds, row.receptive_field, row.output_shape) == (0, (3, 3), (1, 2, 2, 2))


def test_lenet_takes_it_by_its_name(declare):
    with pytest.raises(ValueError, match="activation must be one of .*, got 'softsign'"):
        LeNet(activation="softsign")
    kind = declare()
    assert [type(layer) for layer in LeNet(activation="softsign") if isinstance(layer, nn.Activation)] == [kind] * 4


def test_its_gain_is_known_where_it_is_given(declare):
    declare()
    with pytest.raises(ValueError, match="nonlinearity must be one of"):
        init.calculate_gain("softsign")
    declare(gain=1.5)
    assert init.calculate_gain("softsign") == 1.5


def test_onnx_knows_it_where_its_operator_is_given_and_else_refuses_its_name(declare, tmp_path, rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match=r"export: layer 1 \(Softsign\) has no counterpart here"):
        export(net(declare()()), tmp_path / "net.onnx", (1, 1, 4, 4))

    def by_hand(graph, layer, output_shape):
        x = graph.value
        graph.node("Abs", name="size")
        bottom = graph.node("Add", graph.array("one", np.array(1, graph.dtype)), name="bottom")
        graph.value = x
        graph.node("Div", bottom)

    for operator in ("Softsign", by_hand):
        model = net(declare(onnx=operator)())
        path = export(model, tmp_path / "net.onnx", (1, 1, 4, 4))
        x = rng.normal(size=(3, 1, 4, 4)).astype(np.float32)
        (y,) = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"input": x})
        np.testing.assert_allclose(y, model(tinycnn.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_fused_kernels_know_it_where_they_have_a_name_for_it_and_else_refuse_its_name(declare):
    with pytest.raises(UnsupportedModel, match=r"layer 1 \(Softsign\(\)\) has no fused kernel; there are kernels for"):
        check_model(net(declare()()))
    assert read_stages(net(declare(fused="SOFTSIGN")()), (1, 4, 4))[0].activation == "SOFTSIGN"
    assert "Softsign" in kinds("fused") and "Dropout" not in kinds("fused")


def test_what_is_declared_holds_for_that_forward_alone(declare):
    kind = declare(onnx="Softsign", fused="SOFTSIGN")

    class Renamed(kind):
        pass

    class Doubled(kind):
        def forward(self, x):
            return super().forward(x) * 2

    class Shifted(kind, onnx="Shifted"):
        def forward(self, x):
            return super().forward(x) + 1

    assert Renamed.declared == kind.declared == Declared("element", "Softsign", "SOFTSIGN")
    assert Doubled.declared == Declared() and Shifted.declared == Declared(onnx="Shifted")
    assert ACTIVATIONS["softsign"] is kind
    assert summary(Doubled(), (1, 1, 2, 2)).rows[0].receptive_field is None


def test_a_name_that_is_taken_is_refused():
    def relu(x):
        return x

    with pytest.raises(ValueError, match="Other: relu names ReLU already; give the function another name"):

        class Other(nn.Activation, function=relu):
            pass

    assert ACTIVATIONS["relu"] is nn.ReLU and nn.ReLU.function is F.relu
