"""Sequential: a list of layers, and errors that say which."""

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
from tinycnn import nn


@pytest.fixture
def net():
    return nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2))


def test_forward_is_one_layer_after_another(net, rng):
    x = leaf(rng, 5, 3, dtype=np.float32)
    assert_close(net(x), net[2](net[1](net[0](x))))
    assert nn.Sequential()(x) is x


def test_is_a_list(net):
    layers = list(net)
    assert len(net) == 3 and [type(layer) for layer in layers] == [nn.Linear, nn.Sigmoid, nn.Linear]
    assert net[0] is layers[0] and net[-1] is layers[2] and net[np.int64(1)] is layers[1]


@pytest.mark.parametrize("index", [3, -4])
def test_there_is_no_such_layer(net, index):
    with pytest.raises(IndexError, match=f"Sequential: there is no layer {index}, it has 3"):
        net[index]


def test_a_slice_shares_its_layers_and_their_names(net):
    tail = net[1:]
    assert type(tail) is nn.Sequential and list(tail) == list(net)[1:]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]
    assert list(tail.append(nn.ReLU())) == [net[1], net[2], tail[-1]]
    assert len(net) == 3 and len(tail) == 3
    assert list(net[::2]) == [net[0], net[2]] and len(net[5:]) == 0


def test_append_and_replace(net):
    relu, tanh = nn.ReLU(), nn.Tanh()
    assert net.append(relu) is net
    net[1] = tanh
    assert [type(layer).__name__ for layer in net] == ["Linear", "Tanh", "Linear", "ReLU"]
    assert net[3] is relu and net[1] is tanh
    net[-2] = nn.Linear(4, 7)
    assert net.state_dict()["2.weight"].shape == (7, 4)


def test_layers_with_names():
    net = nn.Sequential({"dense": nn.Linear(2, 3), "squash": nn.Sigmoid()})
    assert list(net.state_dict()) == ["dense.weight", "dense.bias"] and net[0] is net.dense
    net.append(nn.Linear(3, 1))
    assert list(net.state_dict())[-1] == "2.bias"


def test_print(net):
    assert repr(nn.Sequential(net[1], nn.Sequential(net[0]))) == (
        "Sequential(\n"
        "  (0): Sigmoid()\n"
        "  (1): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "  )\n"
        ")"
    )


def test_refuses_what_is_no_layer(net):
    with pytest.raises(TypeError, match="Sequential: layer 1 must be a Module, got .*ReLU.*; call it to make a layer"):
        nn.Sequential(nn.Linear(1, 1), nn.ReLU)
    with pytest.raises(TypeError, match="Sequential: layer 3 must be a Module, got 'relu'"):
        net.append("relu")
    with pytest.raises(TypeError, match="Sequential: layer 0 must be a Module, got None"):
        net[0] = None
    for name in ("a.b", "", "forward"):
        with pytest.raises(ValueError, match=f"Sequential: '{name}' cannot be the name of a layer"):
            nn.Sequential({name: nn.ReLU()})


# Errors


def test_an_error_names_the_layer(net):
    with pytest.raises(ValueError, match=r"^layer 0 \(Linear\(in_features=3, out_features=4, bias=True\)\): linear: "):
        net(tinycnn.tensor(np.ones((2, 5), np.float32)))
    with pytest.raises(TypeError, match=r"^layer 0 \(Linear.*wrap it with tinycnn.tensor"):
        net(np.ones((2, 3), np.float32))


def test_an_error_inside_a_nested_net_names_the_way_to_the_layer():
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(3, 1, 2)))
    with pytest.raises(ValueError, match=r"^layer 1 \(Sequential\): layer 0 \(Conv2d\(3, 1, .*\)\): conv2d: x has 2"):
        net(tinycnn.tensor(np.ones((1, 2, 4, 4), np.float32)))


def test_a_linear_that_does_not_fit_the_image_says_how_many_features_came():
    net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Flatten(), nn.Linear(600, 10))
    with pytest.raises(ValueError, match=r"layer 2 .*Flatten made 288 = 6\*6\*8 features of \(2, 6, 6, 8\)") as caught:
        net(tinycnn.tensor(np.ones((2, 1, 10, 12), np.float32)))
    assert "write Linear(288, 10), or change kernels, padding or strides above so that 600 arrive" in str(caught.value)
    assert "Flatten made" not in str(caught.value.__cause__)


def test_the_advice_is_only_given_where_it_helps(rng):
    nets = [
        nn.Sequential(nn.ReLU(), nn.Flatten(), nn.ReLU(), nn.Linear(3, 1)),  # Linear not right behind Flatten
        nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(12, 1).double()),  # not the features are wrong
        nn.Sequential(nn.Linear(3, 1), nn.Flatten()),  # Flatten behind Linear
    ]
    for net in nets:
        with pytest.raises((ValueError, TypeError), match="^layer [023] ") as caught:
            net(leaf(rng, 2, 3, 1, 4, dtype=np.float32))
        assert "Flatten made" not in str(caught.value)


def test_other_errors_pass_unchanged():
    class Broken(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="^mine$"):
        nn.Sequential(Broken())(1)
