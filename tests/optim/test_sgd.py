"""SGD by hand and beside torch's, its state, and what it refuses."""

import math

import numpy as np
import pytest
from helpers import assert_close, leaf

import tinycnn
from tinycnn import nn
from tinycnn.optim import SGD


def parameter(*values, dtype=np.float64):
    return nn.Parameter(np.array(values, dtype))


def move(optimizer, *gradients):
    """One step with these gradients, one per parameter; None for no gradient."""
    for p, gradient in zip(optimizer.params, gradients, strict=True):
        p.grad = None if gradient is None else tinycnn.Tensor(np.asarray(gradient, p.dtype))
    optimizer.step()


# By hand


def test_plain():
    p = parameter(1.0, 2.0)
    memory = p.data
    move(SGD([p], lr=0.5), [4.0, -2.0])
    assert p.data is memory and p.numpy().tolist() == [1 - 0.5 * 4, 2 + 0.5 * 2]
    assert p.grad.numpy().tolist() == [4, -2], "the gradient is left as it was"


def test_momentum():
    p = parameter(0.0)
    optimizer = SGD([p], lr=1, momentum=0.5)
    move(optimizer, [8.0])  # v = 8
    assert p.item() == -8
    move(optimizer, [2.0])  # v = 0.5*8 + 2 = 6
    assert p.item() == -8 - 6
    move(optimizer, [0.0])  # v = 3
    assert p.item() == -8 - 6 - 3
    assert optimizer.momentum_buffers[0].tolist() == [3]


def test_momentum_leaves_the_gradient_alone():
    p = parameter(0.0)
    optimizer = SGD([p], lr=1, momentum=0.5)
    move(optimizer, [8.0])
    first = p.grad
    move(optimizer, [2.0])
    assert first.numpy().tolist() == [8] and p.grad.numpy().tolist() == [2]


def test_nesterov():
    p = parameter(0.0)
    optimizer = SGD([p], lr=1, momentum=0.5, nesterov=True)
    move(optimizer, [8.0])  # v = 8, moves by 8 + 0.5*8
    assert p.item() == -12
    move(optimizer, [2.0])  # v = 6, moves by 2 + 0.5*6
    assert p.item() == -17


def test_dampening_leaves_the_first_step_alone():
    p = parameter(0.0)
    optimizer = SGD([p], lr=1, momentum=0.5, dampening=0.25)
    move(optimizer, [8.0])  # v = 8
    move(optimizer, [4.0])  # v = 0.5*8 + 0.75*4 = 7
    assert p.item() == -15


def test_weight_decay():
    p = parameter(10.0)
    move(SGD([p], lr=0.5, weight_decay=0.2), [1.0])
    assert p.item() == 10 - 0.5 * (1 + 0.2 * 10)


def test_a_parameter_without_a_gradient_stands_still_and_so_does_its_momentum():
    p, q = parameter(1.0), parameter(1.0)
    optimizer = SGD([p, q], lr=1, momentum=0.5, weight_decay=0.1)
    move(optimizer, [1.0], None)
    assert q.item() == 1 and optimizer.momentum_buffers[1] is None
    move(optimizer, None, [1.0])
    assert p.item() == 1 - 1.1 and optimizer.momentum_buffers[0].tolist() == [1.1]


def test_zero_grad():
    p = parameter(1.0)
    optimizer = SGD([p], lr=1)
    move(optimizer, [1.0])
    optimizer.zero_grad()
    assert p.grad is None


def test_a_single_number_learns_with_momentum():
    p = nn.Parameter(np.array(0.0))
    optimizer = SGD([p], lr=1, momentum=0.5, weight_decay=1.0)
    for _ in range(3):
        move(optimizer, 1.0)
    # v: 1, then 0.5 + 1 - 1, then 0.25 + 1 - 1.5
    assert p.item() == -1 - 0.5 + 0.25


# dtype and device


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_stays_in_the_parameters_dtype(dtype, rng):
    p = nn.Parameter(rng.normal(size=(3, 2)).astype(dtype))
    memory = p.data
    optimizer = SGD([p], np.float64(0.1), np.float64(0.9), np.float64(0), np.float64(0.01), True)
    for name in ("lr", "momentum", "weight_decay"):
        setattr(optimizer, name, np.float64(0.05))
    for _ in range(2):
        move(optimizer, rng.normal(size=(3, 2)))
    assert p.data is memory and p.dtype == optimizer.momentum_buffers[0].dtype == dtype


@pytest.mark.parametrize("fixed", [{"nesterov": True}, {"dampening": 0.3}], ids=str)
def test_float32_is_computed_in_float32_whatever_is_assigned(fixed, rng):
    gradients, start = rng.normal(size=(3, 100)), rng.normal(size=100).astype(np.float32)
    options = {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, **fixed}
    p, q = nn.Parameter(start.copy()), nn.Parameter(start.copy())
    plain, assigned = SGD([p], **options), SGD([q], **options)
    for name, value in options.items():
        setattr(assigned, name, np.float64(value))
    for g in gradients:
        move(plain, g)
        move(assigned, g)
    assert np.array_equal(p.numpy(), q.numpy())
    state = assigned.state_dict()
    assert {type(state[name]) for name in ("lr", "momentum", "dampening", "weight_decay")} == {float}
    assert type(state["nesterov"]) is bool


def test_momentum_follows_the_model_to_another_dtype():
    layer = nn.Linear(2, 2)
    optimizer = SGD(layer.parameters(), lr=1, momentum=0.5)
    move(optimizer, np.ones((2, 2)), np.ones(2))
    layer.double()
    before = layer.bias.numpy().copy()
    move(optimizer, np.ones((2, 2)), np.ones(2))
    assert optimizer.momentum_buffers[1].dtype == np.float64
    assert_close(layer.bias.numpy(), before - 1.5)


def test_on_a_device(rng, device):
    p = leaf(rng, 3, device=device)
    start, g = p.numpy().copy(), rng.normal(size=3)
    optimizer = SGD([p], lr=0.5, momentum=0.9, nesterov=True)
    p.grad = tinycnn.tensor(g, device=device)
    optimizer.step()
    assert p.device == device and type(optimizer.momentum_buffers[0]) is type(p.data)
    assert_close(p.numpy(), start - 0.5 * 1.9 * g)
    again = SGD([p], lr=0.5)
    again.load_state_dict(optimizer.state_dict())
    assert type(again.momentum_buffers[0]) is type(p.data)
    assert_close(again.state_dict()["momentum_buffer.0"], g)


def test_momentum_follows_the_model_to_another_device(device):
    layer = nn.Linear(2, 2)
    optimizer = SGD(layer.parameters(), lr=1, momentum=0.5)
    for _ in range(2):
        layer(tinycnn.tensor(np.ones((1, 2), np.float32), device=layer.bias.device)).sum().backward()
        before = layer.bias.numpy().copy()
        optimizer.step()
        optimizer.zero_grad()
        layer.to(device)
    assert layer.bias.device == device
    assert_close(layer.bias.numpy(), before - 1.5, 1e-6, 1e-6)


# Beside torch


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
    ],
    ids=str,
)
def test_follows_torch(options, dtype, rng):
    torch = pytest.importorskip("torch")
    start = [rng.normal(size=shape).astype(dtype) for shape in ((3, 2), (4,), (2,))]
    ours = [nn.Parameter(array.copy()) for array in start]
    theirs = [torch.nn.Parameter(torch.tensor(array)) for array in start]
    a, b = SGD(ours, 0.2, **options), torch.optim.SGD(theirs, 0.2, **options)
    for step in range(6):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = rng.normal(size=p.shape).astype(dtype)
            missing = i == 2 and step < 2  # the last parameter takes part from the third step on
            p.grad, q.grad = (None, None) if missing else (tinycnn.tensor(g), torch.tensor(g))
        a.step()
        b.step()
        if step == 3:
            a.lr = b.param_groups[0]["lr"] = 0.05
    for p, q in zip(ours, theirs, strict=True):
        assert_close(p, q, *((1e-5, 1e-6) if dtype == "float32" else (1e-13, 1e-13)))


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr": -0.1}, ValueError, "SGD: Invalid learning rate: -0.1"),
        ({"lr": math.nan}, ValueError, "SGD: lr must be finite, got nan"),
        ({"lr": "fast"}, TypeError, "SGD: lr must be a number, got 'fast'"),
        ({"lr": 1, "momentum": -0.5}, ValueError, "SGD: Invalid momentum value: -0.5"),
        ({"lr": 1, "weight_decay": -1}, ValueError, "SGD: Invalid weight_decay value: -1"),
        ({"lr": 1, "dampening": math.inf}, ValueError, "SGD: dampening must be finite, got inf"),
        ({"lr": 1, "nesterov": True}, ValueError, "SGD: Nesterov momentum requires a momentum and zero dampening"),
        (
            {"lr": 1, "nesterov": True, "momentum": 0.9, "dampening": 0.1},
            ValueError,
            "SGD: Nesterov momentum requires a momentum and zero dampening, got momentum 0.9, dampening 0.1",
        ),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        SGD([parameter(1.0)], **options)


def test_params_are_checked():
    p = parameter(1.0)
    layer = nn.Linear(1, 1)
    for params, error, message in [
        ([], ValueError, "SGD: params is empty"),
        (p, TypeError, r"SGD: params must be several Tensors, got one; write SGD\(\[tensor\], ...\)"),
        (layer.named_parameters(), TypeError, r"SGD: params must be Tensors.*number 0 is \('weight'"),
        ([p, p * 2], ValueError, "SGD: params must be leaves of floats; number 1"),
        ([tinycnn.tensor([1])], ValueError, "SGD: params must be leaves of floats; number 0, .* int64"),
        ([p, p], ValueError, "SGD: params has the same Tensor twice"),
    ]:
        with pytest.raises(error, match=message):
            SGD(params, lr=1)


# Saving and loading


def trained(rng, options, steps=3):
    ps = [nn.Parameter(rng.normal(size=shape).astype(np.float32)) for shape in ((3, 2), (4,), (1,))]
    optimizer = SGD(ps, **options)
    for _ in range(steps):
        move(optimizer, *(rng.normal(size=p.shape) for p in ps[:2]), None)
    return optimizer


def test_state_of_plain_sgd_is_its_options(rng):
    state = trained(rng, {"lr": 0.1, "weight_decay": 0.5}).state_dict()
    assert state == {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.5, "nesterov": False}


def test_what_is_saved_goes_on_as_if_nothing_had_happened(rng):
    a = trained(rng, {"lr": 0.1, "momentum": 0.9, "nesterov": True})
    state = a.state_dict()
    assert [name for name in state if name.startswith("momentum_b")] == [f"momentum_buffer.{i}" for i in range(3)]
    assert state["momentum_buffer.2"] is None
    b = SGD([nn.Parameter(p.data.copy()) for p in a.params], lr=7)
    b.load_state_dict(state)
    state["momentum_buffer.0"][:] = 99
    assert b.state_dict().keys() == a.state_dict().keys() and b.lr == 0.1 and b.nesterov is True
    gradients = [rng.normal(size=p.shape) for p in a.params]
    move(a, *gradients)
    move(b, *gradients)
    for p, q in zip(a.params, b.params, strict=True):
        assert np.array_equal(p.numpy(), q.numpy())


def test_every_fault_of_a_state_is_named_and_nothing_changes(rng):
    a = trained(rng, {"lr": 0.1, "momentum": 0.9})
    good, before = a.state_dict(), a.state_dict()
    bad = {**good, "momentum_buffer.0": np.zeros(3, np.float32), "momentum_buffer.7": np.zeros(1, np.float32), "lr": 9}
    del bad["momentum_buffer.2"]
    with pytest.raises(ValueError) as caught:
        a.load_state_dict(bad)
    for message in (
        "load_state_dict of SGD: 3 entries do not fit; nothing was changed",
        "missing: momentum_buffer.2 (1,)",
        "unexpected: momentum_buffer.7 (1,)",
        "momentum_buffer.0: has shape (3,), expected (3, 2)",
    ):
        assert message in str(caught.value)
    for bad, error, message in [
        (
            {**good, "momentum_buffer.0": np.ones((3, 2)), "lr": -1},
            ValueError,
            "load_state_dict of SGD: Invalid learning rate: -1",
        ),
        ({**good, "momentum": "much"}, TypeError, "load_state_dict of SGD: momentum must be a number, got 'much'"),
        ({"lr": 1.0, "momentum": 0.0}, ValueError, "of SGD: dampening, weight_decay, nesterov missing; nothing was"),
        ([], TypeError, r"load_state_dict of SGD: expected what state_dict\(\) returned, got list"),
    ]:
        with pytest.raises(error, match=message):
            a.load_state_dict(bad)
        for name, value in a.state_dict().items():
            assert np.array_equal(value, before[name]), name
