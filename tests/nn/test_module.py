"""Module: what is found, modes, moving, printing."""

import copy

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn
from tinycnn.nn import Parameter


class Scale(nn.Module):
    """A module as a user writes one."""

    def __init__(self, features):
        super().__init__()
        self.factor = Parameter(np.full(features, 2, np.float32))
        self.offset = tinycnn.tensor(np.ones(features, np.float32))
        self.table = tinycnn.tensor(np.arange(features))

    def forward(self, x, negative=False):
        y = x * self.factor + self.offset
        return -y if negative else y


class Block(nn.Module):
    def __init__(self):
        self.first, self.own, self.second = nn.Linear(3, 2), Parameter(np.zeros(1, np.float32)), Scale(2)

    def forward(self, x):
        return self.second(self.first(x))


def names(module):
    return [name for name, _ in module.named_parameters()]


def test_a_module_of_ones_own_computes_and_learns():
    x = tinycnn.tensor([[1.0, 2.0]])
    scale = Scale(2)
    y = scale(x)
    assert y.numpy().tolist() == [[3, 5]]
    assert scale(x, negative=True).numpy().tolist() == [[-3, -5]]
    y.sum().backward()
    assert scale.factor.grad.numpy().tolist() == [1, 2]
    assert scale.offset.grad is None


def test_forward_must_be_defined():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty does not define forward\(self, x\)"):
        Empty()(1)


def test_attributes_are_parameters_and_modules():
    block = Block()
    assert names(block) == ["own", "first.weight", "first.bias", "second.factor"]
    assert [name for name, _ in block.named_modules()] == ["", "first", "second"]
    assert list(block.modules()) == [block, block.first, block.second]
    assert list(block.children()) == [block.first, block.second]
    assert list(block.parameters())[0] is block.own


def test_replacing_and_deleting_attributes():
    block = Block()
    block.first = nn.Linear(3, 2, bias=False)
    assert names(block) == ["own", "first.weight", "second.factor"]
    del block.second
    block.own = None
    assert names(block) == ["first.weight"]
    block.own = Parameter(np.zeros(2, np.float32))
    assert names(block) == ["own", "first.weight"]


def test_what_is_used_twice_is_found_once_but_saved_under_both_names():
    class Tied(nn.Module):
        def __init__(self):
            self.a = nn.Linear(2, 2)
            self.b = self.a
            self.c = nn.Linear(2, 2)
            self.c.weight = self.a.weight

    tied = Tied()
    assert names(tied) == ["a.weight", "a.bias", "c.bias"]
    assert [name for name, _ in tied.named_modules()] == ["", "a", "c"]
    assert list(tied.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias", "c.weight", "c.bias"]


def test_apply_visits_children_before_their_parent():
    seen = []
    block = Block()
    assert block.apply(seen.append) is block
    assert seen == [block.first, block.second, block]


def test_train_and_eval_reach_everything_and_return_the_module():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net[1].train()
    assert [module.training for module in net.modules()] == [False, False, True, True]
    assert net.train(False).train() is net
    assert all(module.training for module in net.modules())


def test_zero_grad():
    layer = nn.Linear(2, 2)
    layer(tinycnn.tensor([[1.0, 2.0]])).sum().backward()
    layer.zero_grad()
    assert layer.weight.grad is None and layer.bias.grad is None


def test_to_another_dtype_keeps_the_parameters_and_takes_gradients_and_constants_along():
    scale = Scale(2)
    scale(tinycnn.tensor([[1.0, 2.0]])).sum().backward()
    factor = scale.factor
    assert scale.double() is scale
    assert scale.factor is factor and factor.requires_grad
    assert factor.dtype == factor.grad.dtype == scale.offset.dtype == np.float64
    assert scale.table.dtype == np.int64
    assert factor.numpy().tolist() == [2, 2] and factor.grad.numpy().tolist() == [1, 2]
    assert scale(tinycnn.tensor([[1.0, 2.0]]).double()).dtype == np.float64
    assert scale.float().factor.dtype == np.float32
    assert scale.to(np.float64).factor.dtype == scale.to("cpu", "float64").factor.dtype == np.float64


def test_to_a_device(device):
    block = Block()
    block(tinycnn.tensor([[1.0, 2.0, 3.0]])).sum().backward()
    before = block.state_dict()
    weight = block.first.weight
    block.to(device)
    assert block.first.weight is weight
    assert weight.device == weight.grad.device == block.second.offset.device == device
    assert weight.data.flags.c_contiguous
    for name, array in block.state_dict().items():
        assert isinstance(array, np.ndarray)
        assert_close(array, before[name])


@pytest.mark.parametrize("target", [np.int64, "bool"])
def test_to_refuses_what_cannot_learn(target):
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="to: a module's dtype must be floating point, got (int64|bool)"):
        layer.to(np.float64, target)
    assert layer.weight.dtype == np.float32


def test_to_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match='to: got \'cuda:1\', expected "cpu", "gpu", or a dtype'):
        nn.Linear(2, 2).to("cuda:1")


def test_a_deep_copy_is_independent():
    net = nn.Sequential(nn.Linear(2, 2), Scale(2))
    twin = copy.deepcopy(net)
    twin[0].weight.data += 1
    assert_close(twin[0].weight.data - net[0].weight.data, np.ones((2, 2), np.float32), 1e-6, 1e-6)
    assert names(twin) == names(net) and twin[0].weight.requires_grad


def test_print():
    assert repr(Block()) == (
        "Block(\n  (first): Linear(in_features=3, out_features=2, bias=True)\n  (second): Scale()\n)"
    )
