"""Adam and AdamW by hand and beside torch's, their state, and what they refuse."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn
from tinycnn.optim import Adam, AdamW


def parameter(*values, dtype=np.float64):
    return nn.Parameter(np.array(values, dtype))


def move(optimizer, *gradients):
    for p, gradient in zip(optimizer.params, gradients, strict=True):
        p.grad = None if gradient is None else tinycnn.Tensor(np.asarray(gradient, p.dtype))
    optimizer.step()


def test_the_first_step_is_lr_whatever_the_gradient():
    p = parameter(1.0, 1.0, 1.0)
    memory = p.data
    move(Adam([p], lr=0.1, eps=0), [5.0, -0.001, 100.0])
    assert p.data is memory
    assert_close(p, np.array([0.9, 1.1, 0.9]))


def test_two_steps_by_hand():
    p = parameter(0.0)
    optimizer = Adam([p], lr=1, betas=(0.5, 0.75), eps=0)
    move(optimizer, [4.0])  # m = 2, v = 4: 1 step of 2/0.5 / sqrt(4/0.25) = 1
    move(optimizer, [0.0])  # m = 1, v = 3: 1/0.75 / sqrt(3 / 0.4375)
    assert_close(p, np.array([-1 - 1 / 0.75 / np.sqrt(3 / 0.4375)]))
    assert optimizer.buffers["exp_avg"][0].tolist() == [1] and optimizer.steps == [2]


def test_weight_decay_is_a_part_of_the_gradient_or_apart_from_it():
    p, q = parameter(10.0), parameter(10.0)
    move(Adam([p], lr=0.5, eps=0, weight_decay=0.1), [1.0])
    move(AdamW([q], lr=0.5, eps=0, weight_decay=0.1), [1.0])
    assert_close(p, np.array([9.5]))
    assert_close(q, np.array([10 * 0.95 - 0.5]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"betas": (0.5, 0.9), "eps": 1e-3}], ids=str)
@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_follows_torch(kind, options, dtype, rng):
    torch = pytest.importorskip("torch")
    start = [rng.normal(size=shape).astype(dtype) for shape in ((3, 2), (4,), (2,))]
    ours = [nn.Parameter(array.copy()) for array in start]
    theirs = [torch.nn.Parameter(torch.tensor(array)) for array in start]
    a, b = kind(ours, 0.2, **options), getattr(torch.optim, kind.__name__)(theirs, 0.2, **options)
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
        assert p.dtype == dtype
        assert_close(p, q, *((1e-5, 1e-6) if dtype == "float32" else (1e-12, 1e-12)))


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_what_is_saved_goes_on_to_the_same_bits(kind, rng):
    def made(options):
        return kind([nn.Parameter(np.ones(shape, np.float32)) for shape in ((3, 2), (4,))], **options)

    a = made({"lr": 0.1, "betas": (0.8, 0.9)})
    for _ in range(3):
        move(a, rng.normal(size=(3, 2)), None)
    b, state = made({}), a.state_dict()
    assert (state["step.0"], state["step.1"], state["exp_avg.1"]) == (3, 0, None)
    for p, q in zip(a.params, b.params, strict=True):
        q.data[...] = p.data
    b.load_state_dict({**state, "betas": list(state["betas"])})  # as JSON gives it back
    for _ in range(2):
        gradients = [rng.normal(size=p.shape) for p in a.params]
        move(a, *gradients)
        move(b, *gradients)
    for p, q in zip(a.params, b.params, strict=True):
        assert np.array_equal(p.numpy(), q.numpy())
    assert b.steps == [5, 2] and b.betas == (0.8, 0.9)


def test_on_a_device(rng, device):
    p = tinycnn.tensor(np.ones(3), device=device, requires_grad=True)
    p.grad = tinycnn.tensor(np.ones(3), device=device)
    optimizer = AdamW([p], lr=0.1, weight_decay=0.0, eps=0)
    optimizer.step()
    assert type(optimizer.buffers["exp_avg"][0]) is type(p.data)
    assert_close(p, np.full(3, 0.9))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr": -1}, ValueError, "Adam: lr must be at least 0, got -1"),
        ({"betas": 0.9}, TypeError, "Adam: betas must be a pair of numbers, got 0.9"),
        ({"betas": (0.9, 1.0)}, ValueError, r"Adam: betas\[1\] must be below 1, got 1.0"),
        ({"betas": (-0.1, 0.9)}, ValueError, r"Adam: betas\[0\] must be between 0 and 1, got -0.1"),
        ({"eps": "small"}, TypeError, "Adam: eps must be a number, got 'small'"),
        ({"weight_decay": -1}, ValueError, "Adam: weight_decay must be at least 0"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        Adam([parameter(1.0)], **options)


def test_a_state_that_does_not_fit_changes_nothing():
    a = Adam([parameter(1.0)])
    move(a, [1.0])
    good = a.state_dict()
    for bad, message in [
        ({**good, "step.0": -1}, "load_state_dict of Adam: step.0 must be at least 0, got -1"),
        ({k: v for k, v in good.items() if k != "step.0"}, "load_state_dict of Adam: step.0 missing"),
        ({**good, "exp_avg.0": np.ones(2)}, r"exp_avg.0: has shape \(2,\), expected \(1,\)"),
        ({**good, "lr": -1}, "load_state_dict of Adam: lr must be at least 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            a.load_state_dict(bad)
        assert a.steps == [1] and a.lr == 1e-3 and a.buffers["exp_avg"][0].shape == (1,)
