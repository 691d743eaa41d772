"""Groups of parameters, whose options differ."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn
from tinycnn.optim import SGD, AdamW


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def groups(model):
    return [{"params": model[0].parameters(), "lr": 0.5, "weight_decay": 0.1}, {"params": model[1].parameters()}]


def learn(model, optimizer):
    optimizer.zero_grad()
    model(tinycnn.tensor([[1.0, 2], [3, 4]])).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_groups_follow_torch(name):
    torch = pytest.importorskip("torch")
    model = net()
    twin = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    twin.load_state_dict({key: torch.from_numpy(array) for key, array in model.state_dict().items()})
    ours, theirs = getattr(tinycnn.optim, name)(groups(model), lr=0.1), getattr(torch.optim, name)(groups(twin), lr=0.1)
    for _ in range(3):
        learn(model, ours)
        theirs.zero_grad()
        twin(torch.tensor([[1.0, 2], [3, 4]])).sum().backward()
        theirs.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        assert_close(p, q, 1e-5, 1e-6)


def test_lr_is_the_first_groups_and_setting_it_sets_all():
    optimizer = SGD(groups(net()), lr=0.1)
    assert optimizer.lr == 0.5 and [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]
    assert len(optimizer.params) == 4
    optimizer.lr = 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@pytest.mark.parametrize("kind", [SGD, AdamW])
def test_the_state_of_groups_goes_on_to_the_same_bits(kind):
    a, b = net(), net()
    first, second = kind(groups(a), lr=0.1), kind(groups(b), lr=0.7)
    learn(a, first)
    state = first.state_dict()
    assert (state["lr"], state["1.lr"], state["1.weight_decay"]) == (0.5, 0.1, first.param_groups[1]["weight_decay"])
    b.load_state_dict(a.state_dict())
    second.load_state_dict(state)
    learn(a, first)
    learn(b, second)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert np.array_equal(p.numpy(), q.numpy())
    with pytest.raises(ValueError, match=r"load_state_dict of \w+: 1.lr.* missing; nothing was changed"):
        second.load_state_dict(kind(net().parameters(), lr=0.1).state_dict())


def test_what_is_refused():
    p = nn.Parameter(np.ones(1))
    for params, message in [
        ([{"params": [p], "speed": 1}], "SGD: a group has the option 'speed', there are lr, momentum"),
        ([{"lr": 1}], "SGD: a group has no 'params', expected some Tensors"),
        ([{"params": [p]}, {"params": [p]}], "SGD: params has the same Tensor twice"),
        ([{"params": []}], "SGD: params is empty"),
        ([{"params": [p], "lr": -1}], "SGD: Invalid learning rate: -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            SGD(params, lr=1)
