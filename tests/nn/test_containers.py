"""ModuleList, ModuleDict, Residual, and lists that are none."""

import numpy as np
import pytest
from helpers import leaf

import tinycnn
from tinycnn import nn
from tinycnn.nn import Parameter


def names(module):
    return [name for name, _ in module.named_parameters()]


class Tower(nn.Module):
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_module_list_is_found_trained_and_saved():
    net = Tower(nn.ModuleList([nn.Linear(2, 3), nn.ReLU()]))
    net.layers.append(nn.Linear(3, 1)).extend([nn.Dropout()])
    assert names(net) == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]
    assert net(tinycnn.tensor([[1.0, 2.0]])).shape == (1, 1)
    assert len(net.layers) == 4 and isinstance(net.layers[-1], nn.Dropout) and not net.eval().layers[3].training
    some = net.layers[1:3]
    assert type(some) is nn.ModuleList and list(some) == [net.layers[1], net.layers[2]]
    net.layers[0] = nn.Linear(2, 3, bias=False)
    assert names(net)[:2] == ["layers.0.weight", "layers.2.weight"]
    assert [type(layer) for layer in nn.Sequential(nn.ReLU(), nn.Tanh())[1:]] == [nn.Tanh]


def test_a_module_dict_is_found_by_its_names():
    heads = nn.ModuleDict({"digit": nn.Linear(2, 10), "sign": nn.Linear(2, 1)})
    assert names(heads) == ["digit.weight", "digit.bias", "sign.weight", "sign.bias"]
    heads["sign"] = nn.Linear(2, 1, bias=False)
    assert "sign" in heads and "letter" not in heads and len(heads) == 2
    assert list(heads) == list(heads.keys()) == ["digit", "sign"] and list(heads.values())[1] is heads["sign"]
    del heads["digit"]
    assert [name for name, _ in heads.items()] == ["sign"]
    with pytest.raises(KeyError, match="ModuleDict: there is no layer 'digit'; there are sign"):
        heads["digit"]


def test_they_print_and_save_as_torchs():
    torch = pytest.importorskip("torch")
    for ours, theirs in [
        (nn.ModuleList([nn.ReLU(), nn.SiLU()]), torch.nn.ModuleList([torch.nn.ReLU(), torch.nn.SiLU()])),
        (nn.ModuleDict({"a": nn.Linear(2, 1)}), torch.nn.ModuleDict({"a": torch.nn.Linear(2, 1)})),
    ]:
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert repr(ours).split("\n")[-2:] == repr(theirs).split("\n")[-2:]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.ModuleList([1]), TypeError, "ModuleList: layer 0 must be a Module, got 1"),
        (lambda: nn.ModuleList([nn.ReLU])[0], TypeError, "must be a Module, got .*ReLU.*; call it to make a layer"),
        (lambda: nn.ModuleList()[0], IndexError, "ModuleList: there is no layer 0, it has 0"),
        (lambda: nn.ModuleDict({"keys": nn.ReLU()}), ValueError, "ModuleDict: 'keys' cannot be the name of a layer"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), ValueError, "ModuleDict: 'a.b' cannot be the name"),
        (lambda: nn.ModuleList()(1), NotImplementedError, "ModuleList does not define forward"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


# Lists and dicts of Python, where nothing is found


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ([nn.Linear(1, 1)], r"Tower: layers is a list that holds a Linear.* write self.layers = nn.ModuleList\(...\)"),
        ((nn.ReLU(), nn.ReLU()), "Tower: layers is a tuple that holds a ReLU"),
        ({"a": nn.Linear(1, 1)}, r"Tower: layers is a dict that holds a Linear.* nn.ModuleDict\(...\)"),
        ([Parameter(np.zeros(1, np.float32))], "Tower: layers is a list that holds a Parameter"),
    ],
)
def test_layers_in_a_list_are_refused_before_they_could_be_forgotten(held, text):
    for use in (nn.Module.state_dict, lambda m: list(m.parameters()), lambda m: list(nn.Sequential(m).parameters())):
        with pytest.raises(TypeError, match=text):
            use(Tower(held))


def test_a_list_of_layers_that_are_attributes_as_well_is_fine():
    net = Tower(None)
    net.first, net.scale = nn.Linear(2, 2), Parameter(np.ones(1, np.float32))
    net.layers, net.known = [net.first], {"scale": net.scale}
    assert names(net) == ["scale", "first.weight", "first.bias"]


# Residual


def test_residual_adds_what_goes_around(rng):
    x = leaf(rng, 2, 3, 4, 5)
    conv = nn.Conv2d(3, 3, 3, padding=1).double()
    assert np.array_equal(nn.Residual(conv)(x).numpy(), (conv(x) + x).numpy())
    assert tinycnn.gradcheck(nn.Residual(conv, nn.Tanh()), [x])
    around = nn.Conv2d(3, 2, 1, stride=2).double()
    body = nn.Conv2d(3, 2, 3, 2, 1).double()
    assert np.array_equal(nn.Residual(body, shortcut=around)(x).numpy(), (body(x) + around(x)).numpy())
    assert names(nn.Residual(body, shortcut=around)) == [
        "body.0.weight", "body.0.bias", "shortcut.weight", "shortcut.bias",
    ]  # fmt: skip


def test_residual_refuses_shapes_that_do_not_meet():
    block = nn.Sequential(nn.Residual(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match=r"layer 0 \(Residual\): Residual: .* \(1, 2\) and the shortcut \(1, 3\)"):
        block(tinycnn.tensor([[1.0, 2, 3]]))
