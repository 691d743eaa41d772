"""BatchNorm: what it computes, remembers, saves and refuses, beside torch's."""

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
from tinycnn import nn, summary

KINDS = [(nn.BatchNorm2d, (6, 3, 4, 5)), (nn.BatchNorm1d, (6, 3)), (nn.BatchNorm1d, (6, 3, 7))]


def test_by_hand():
    layer = nn.BatchNorm1d(1, eps=0, momentum=0.5)
    x = tinycnn.tensor([[1.0], [3.0]])
    assert layer(x).numpy().tolist() == [[-1], [1]]
    assert (layer.running_mean.item(), layer.running_var.item(), layer.num_batches_tracked.item()) == (1, 1.5, 1)
    assert_close(layer.eval()(x), (x.numpy() - 1) / np.sqrt(np.float32(1.5)), 1e-6)
    assert layer.num_batches_tracked.item() == 1


@pytest.mark.parametrize("options", [{}, {"momentum": None, "eps": 0.1}, {"affine": False}], ids=str)
@pytest.mark.parametrize(("kind", "shape"), KINDS, ids=str)
def test_follows_torch_through_training_into_evaluation(kind, shape, options, rng):
    torch = pytest.importorskip("torch")
    ours, theirs = kind(3, **options).double(), getattr(torch.nn, kind.__name__)(3, **options).double()
    if ours.weight is not None:
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.data[:] = rng.normal(size=3)
            q.data[:] = torch.tensor(p.numpy())
    for mode in (True, True, True, False):
        ours.train(mode)
        theirs.train(mode)
        x = leaf(rng, *shape)
        twin = torch.tensor(x.numpy(), requires_grad=True)
        dy = rng.normal(size=shape)
        y, expected = ours(x), theirs(twin)
        y.backward(dy)
        expected.backward(torch.tensor(dy))
        assert_close(y, expected, 1e-10, 1e-10)
        assert_close(x.grad, twin.grad, 1e-9, 1e-9)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for name, array in ours.state_dict().items():
        assert array.dtype == state[name].numpy().dtype and array.shape == tuple(state[name].shape)
        assert_close(array, state[name])


def test_weights_and_statistics_travel_both_ways(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    theirs(torch.randn(4, 1, 5, 5))
    ours = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ours.load_state_dict(theirs.state_dict())
    x = rng.normal(size=(3, 1, 5, 6)).astype(np.float32)
    assert_close(ours.eval()(tinycnn.tensor(x)), theirs.eval()(torch.tensor(x)), 1e-5, 1e-6)
    assert ours[1].num_batches_tracked.item() == 1 and ours[1].num_batches_tracked.dtype == np.int64
    back = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    back.load_state_dict({name: torch.from_numpy(array) for name, array in ours.state_dict().items()}, strict=True)


def test_statistics_are_saved_and_moved_but_not_learnt(device):
    net = nn.Sequential(nn.BatchNorm2d(2))
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias"]
    assert [name for name, _ in net.named_buffers()] == ["0.running_mean", "0.running_var", "0.num_batches_tracked"]
    net.to(device, np.float64)
    assert {b.device for b in net.buffers()} == {device}
    assert [b.dtype for b in net.buffers()] == ["float64", "float64", "int64"]
    assert net(tinycnn.tensor(np.ones((2, 2, 1, 1)), device=device)).device == device
    assert net[0].num_batches_tracked.item() == 1


def test_without_running_statistics_evaluation_takes_the_batchs():
    layer = nn.BatchNorm1d(1, track_running_stats=False)
    x = tinycnn.tensor([[1.0], [3.0]])
    assert np.array_equal(layer(x).numpy(), layer.eval()(x).numpy())
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_a_state_of_another_kind_of_numbers_is_refused():
    layer = nn.BatchNorm1d(1)
    with pytest.raises(ValueError, match="num_batches_tracked: holds float64, expected whole numbers"):
        layer.load_state_dict({**layer.state_dict(), "num_batches_tracked": np.array(1.0)})
    with pytest.raises(ValueError, match="running_mean: holds int64, expected floating-point numbers"):
        layer.load_state_dict({**layer.state_dict(), "running_mean": np.array([1])})


def test_a_summary_sees_through_it_and_leaves_the_statistics_alone():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    row = summary(net, (1, 1, 4, 4)).rows[1]
    assert (row.parameters, row.multiply_adds, row.receptive_field) == (4, 0, (3, 3))
    assert net[1].num_batches_tracked.item() == 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.BatchNorm2d(0), ValueError, "BatchNorm2d: num_features must be at least 1, got 0"),
        (lambda: nn.BatchNorm1d(1, eps=-1), ValueError, "BatchNorm1d: eps must be at least 0"),
        (lambda: nn.BatchNorm1d(1, momentum=1.5), ValueError, "BatchNorm1d: momentum must be between 0 and 1, got 1.5"),
        (
            lambda: nn.BatchNorm2d(3)(tinycnn.tensor(np.ones((2, 4, 1, 2), np.float32))),
            ValueError,
            r"BatchNorm2d: expected \(N, C, H, W\) with C = 3 channels, got shape \(2, 4, 1, 2\)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(tinycnn.tensor(np.ones((2, 3, 1, 1), np.float32))),
            ValueError,
            r"BatchNorm1d: expected \(N, C\) or \(N, C, L\) with C = 3",
        ),
        (
            lambda: nn.BatchNorm1d(3)(tinycnn.tensor(np.ones((1, 3), np.float32))),
            ValueError,
            "batch_norm: expected more than 1 number a channel in training",
        ),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_refused_batch_is_not_counted():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError):
        layer(tinycnn.tensor(np.ones((1, 3), np.float32)))
    assert layer.num_batches_tracked.item() == 0
