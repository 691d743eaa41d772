"""AveragedModel by hand and beside torch's."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn
from tinycnn.optim import AveragedModel


def test_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data[:] = 1
    average = AveragedModel(layer, decay=0.75)
    for weight in (4, 8):
        layer.weight.data[:] = weight
        average.update_parameters(layer)
    assert average.module.weight.item() == 0.75 * 4 + 0.25 * 8 and layer.weight.item() == 8
    assert average(tinycnn.tensor([[2.0]])).item() == 10


def test_follows_torch_and_its_keys(rng):
    torch = pytest.importorskip("torch")
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    twin = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    ours = AveragedModel(net, 0.9)
    swa = torch.optim.swa_utils
    theirs = swa.AveragedModel(twin, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
    for step in range(4):
        for p in net.parameters():
            p.data[...] = rng.normal(size=p.shape)
        net[1].running_mean.data[:] = step
        twin.load_state_dict({name: torch.from_numpy(array) for name, array in net.state_dict().items()})
        ours.update_parameters(net)
        theirs.update_parameters(twin)
    state = theirs.state_dict()
    assert set(ours.state_dict()) == set(state)
    for name, array in ours.state_dict().items():
        assert_close(array, state[name], 1e-5, 1e-6)


def test_it_is_a_model_of_its_own_that_goes_on_where_it_was_saved(rng):
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    net(tinycnn.tensor([[1.0, 2]])).sum().backward()
    average, other = AveragedModel(net, 0.5), AveragedModel(net, 0.5)
    assert not {id(p) for p in net.parameters()} & {id(p) for p in average.parameters()}
    assert all(p.grad is None for p in average.parameters()) and net[0].weight.grad is not None
    average.update_parameters(net)
    other.load_state_dict(average.state_dict())
    net[0].weight.data[:] += 1
    for model in (average, other):
        model.update_parameters(net)
    assert np.array_equal(average.module[0].weight.numpy(), other.module[0].weight.numpy())
    assert other.n_averaged.item() == 2 and not average.eval().module[1].training


def test_what_is_refused():
    with pytest.raises(ValueError, match="AveragedModel: decay must be between 0 and 1, got 1.5"):
        AveragedModel(nn.ReLU(), 1.5)
