"""What the page shows beside the trace: units, the gradient check, sizes of gradients, mistakes."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import explain, manual_seed
from tinycnn import functional as F
from tinycnn.autograd.tensor import OPS
from tinycnn.explain import measure
from tinycnn.nn import AvgPool2d, Conv2d, Dropout, Flatten, Linear, Sequential, Sigmoid


def net():
    manual_seed(4)
    return Sequential(Conv2d(1, 3, 3, padding=1), Sigmoid(), AvgPool2d(2), Flatten(), Dropout(0.5), Linear(48, 4))


@pytest.fixture
def traced(rng):
    return explain.trace(net(), rng.random((1, 1, 8, 8)).astype(np.float32), [2])


def test_units_are_the_strongest_of_each_map_and_all_outputs(traced):
    units = measure.strongest_units(traced)
    assert [u.layer for u in units] == ["conv1"] * 3 + ["sigmoid1"] * 3 + ["pool1"] * 3 + ["fc1"] * 4
    for unit in units[:9]:
        assert traced[unit.layer].out[0][unit.place] == traced[unit.layer].out[0, unit.place[0]].max()
    assert sorted(unit.place for unit in units[9:]) == [(0,), (1,), (2,), (3,)]
    for unit in units:
        whole = traced.input_gradient(unit.layer, (0, *unit.place))[0]
        (r, q), (_, h, w) = unit.corner, unit.gradient.shape
        assert np.array_equal(whole[:, r : r + h, q : q + w], unit.gradient)
        assert h == w == 8 or h * w <= 16


@pytest.mark.parametrize("layer", ["conv1", "fc1"])
def test_the_gradient_check_agrees_and_measures(layer, traced):
    rows = measure.gradient_check(traced, layer)
    assert len(rows) == min(20, traced[layer].w.size) and len({tuple(row["index"]) for row in rows}) == len(rows)
    for row in rows:
        assert row["analytic"] == pytest.approx(row["numeric"], rel=1e-6, abs=1e-10)
        assert row["analytic"] == pytest.approx(float(traced[layer].grad_w[tuple(row["index"])]), rel=1e-3, abs=1e-6)


def test_the_gradient_check_sees_a_wrong_backward(traced, monkeypatch):
    op = OPS["sigmoid"]
    right = op.backward
    monkeypatch.setattr(op, "backward", staticmethod(lambda ctx, dy: 1.01 * right(ctx, dy)))
    rows = measure.gradient_check(traced, "conv1")
    assert all(abs(row["analytic"] / row["numeric"] - 1.01) < 1e-4 for row in rows)


def test_the_model_is_left_alone(traced):
    before = traced.model.state_dict()
    measure.gradient_check(traced, "conv1")
    measure.strongest_units(traced)
    measure.evaluate(traced.model, np.zeros((3, 1, 8, 8), np.uint8), np.zeros(3, int), 4)
    assert all(np.array_equal(array, before[name]) for name, array in traced.model.state_dict().items())
    assert all(p.grad is None for p in traced.model.parameters())
    assert all(module.training for module in traced.model.modules())


def test_flow_is_the_root_mean_square_of_each_gradient(traced):
    for row, record in zip(measure.flow(traced), traced.layers, strict=True):
        assert row["layer"] == record.label
        assert row["rms"] == pytest.approx(np.sqrt((record.grad_out.astype(float) ** 2).mean()))


def test_evaluation_counts_what_the_model_says(rng):
    model, images = net(), rng.integers(0, 256, (37, 1, 8, 8), dtype=np.uint8)
    labels = rng.integers(0, 4, 37)
    found = measure.evaluate(model, images, labels, 4, batch=10)
    x = tinycnn.tensor((images / 255).astype(np.float32))
    p = F.softmax(model.eval()(x), 1).numpy()
    assert np.array_equal(found.predicted, p.argmax(axis=1))
    assert_close(found.confidence, p.max(axis=1), 1e-6, 1e-6)
    expected = np.zeros((4, 4), int)
    for truth, said in zip(labels, p.argmax(axis=1), strict=True):
        expected[truth, said] += 1
    assert np.array_equal(found.confusion, expected)
    assert found.accuracy == (labels == p.argmax(axis=1)).mean()
    assert sorted(found.mistakes) == np.flatnonzero(labels != p.argmax(axis=1)).tolist()
    assert np.all(np.diff(found.confidence[found.mistakes]) <= 0)
