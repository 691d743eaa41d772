"""state_dict and load_state_dict: all or nothing, and every fault by name."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn


@pytest.fixture
def net():
    return nn.Sequential(nn.Conv2d(2, 3, (1, 2)), nn.Flatten(), nn.Linear(6, 4))


def filled(net, rng):
    return {name: rng.normal(size=array.shape).astype(array.dtype) for name, array in net.state_dict().items()}


def assert_refused(net, state, *messages, strict=True):
    before = net.state_dict()
    with pytest.raises(ValueError) as caught:
        net.load_state_dict(state, strict)
    for message in messages:
        assert message in str(caught.value)
    for name, array in net.state_dict().items():
        assert np.array_equal(array, before[name]), f"{name} changed"


def test_keys_shapes_and_copies(net):
    state = net.state_dict()
    assert {name: array.shape for name, array in state.items()} == {
        "0.weight": (3, 2, 1, 2),
        "0.bias": (3,),
        "2.weight": (4, 6),
        "2.bias": (4,),
    }
    state["2.bias"][:] = 7
    assert not (net[2].bias.numpy() == 7).any()


def test_what_is_saved_is_loaded_in_place(net, rng):
    state, memory = filled(net, rng), net[0].weight.data
    left = net.load_state_dict(state)
    assert left.missing_keys == left.unexpected_keys == []
    assert net[0].weight.data is memory
    for name, array in net.state_dict().items():
        assert np.array_equal(array, state[name])
    state["0.weight"][:] = 0
    assert net[0].weight.data.any()


def test_takes_tensors_and_lets_parameters_be_views(net, rng, device):
    shared = np.zeros(100, np.float32)
    net[2].weight.data = shared[10:34].reshape(4, 6)
    state = filled(net, rng)
    net.load_state_dict({name: tinycnn.tensor(array, device=device) for name, array in state.items()})
    assert np.array_equal(shared[10:34], state["2.weight"].ravel())


def test_loads_onto_the_device_where_the_parameters_are(net, rng, device):
    state = filled(net, rng)
    net.to(device).load_state_dict(state)
    assert net[0].weight.device == device
    assert_close(net[0].weight.numpy(), state["0.weight"])


def test_float64_is_rounded_to_the_models_dtype(net, rng):
    state = {name: array.astype(np.float64) + 1e-12 for name, array in filled(net, rng).items()}
    net.load_state_dict(state)
    assert net[0].weight.dtype == np.float32
    assert np.array_equal(net[0].weight.numpy(), state["0.weight"].astype(np.float32))


def test_every_fault_is_named_at_once_and_nothing_changes(net, rng):
    state = filled(net, rng)
    state["0.weight"] = np.zeros((3, 2, 2, 1), np.float32)
    del state["0.bias"]
    state["9.weight"] = np.zeros(5, np.float32)
    state["note"] = "hello"
    state["2.bias"] = np.array([1, np.nan, np.inf, 2], np.float32)
    assert_refused(
        net,
        state,
        "load_state_dict of Sequential: 5 entries do not fit; nothing was changed",
        "missing: 0.bias (3,)",
        "unexpected: 9.weight (5,)",
        "unexpected: note (str)",
        "0.weight: has shape (3, 2, 2, 1), expected (3, 2, 1, 2)",
        "2.bias: 2 of 4 numbers are not finite in float32",
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3, np.int64), "0.bias: holds int64, expected floating-point numbers"),
        (np.zeros(3, bool), "0.bias: holds bool, expected"),
        (np.zeros(3, np.complex64), "0.bias: holds complex64, expected"),
        (np.array([1.0, None, 2.0], object), "0.bias: holds object, expected"),
        (np.array([0, 1e300, 0]), "0.bias: 1 of 3 numbers are not finite in float32"),
        ([0.0, 0.0, 0.0], "0.bias: expected a NumPy or CuPy array, got list"),
        (None, "0.bias: expected a NumPy or CuPy array, got NoneType"),
        (np.float32(1), "0.bias: has shape (), expected (3,)"),
    ],
)
def test_wrong_kinds_are_refused_by_name(net, rng, value, message):
    state = {**filled(net, rng), "0.bias": value}
    assert_refused(net, state, "1 entry does not fit", message)
    assert_refused(net, state, message, strict=False)


def test_not_strict_loads_what_is_there_and_says_what_is_not(net, rng):
    state, bias = filled(net, rng), net[0].bias.numpy().copy()
    del state["0.bias"]
    state["extra"] = np.zeros(1)
    left = net.load_state_dict(state, strict=False)
    assert left == (["0.bias"], ["extra"])
    assert np.array_equal(net[2].weight.numpy(), state["2.weight"])
    assert np.array_equal(net[0].bias.numpy(), bias)


def test_not_a_dict(net):
    with pytest.raises(TypeError, match="load_state_dict of Sequential: expected a dict of arrays by name, got list"):
        net.load_state_dict([1, 2])
