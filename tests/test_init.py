"""Initialisers: torch's formulas, in place, the same draw in every dtype."""

import math

import numpy as np
import pytest

import tinycnn
from tinycnn import init

SHAPE = (40, 20, 5, 3)  # fan_in 300, fan_out 600


def empty(*shape, dtype=np.float32):
    return tinycnn.Parameter(np.full(shape, np.nan, dtype))


def assert_uniform(tensor, low, high):
    values = tensor.numpy()
    slack = 1e-6 * max(abs(low), abs(high))
    assert low - slack <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() <= high + slack
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    assert values.std() == pytest.approx((high - low) / math.sqrt(12), rel=0.03)


def assert_normal(tensor, mean, std):
    values = (tensor.numpy() - mean) / std
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, rel=0.03)
    assert (np.abs(values) < 1).mean() == pytest.approx(0.683, abs=0.02)
    assert np.abs(values).max() > 3


def test_fans():
    assert init.fans(SHAPE) == (300, 600)
    assert init.fans((84, 120)) == (120, 84)
    for shape in ((), (5,)):
        with pytest.raises(ValueError, match=r"init: fans need a weight of shape \(out, in, ...\), got"):
            init.fans(shape)


def test_uniform_and_normal():
    assert_uniform(init.uniform_(empty(*SHAPE)), 0, 1)
    assert_uniform(init.uniform_(empty(*SHAPE), -2, 5), -2, 5)
    assert_normal(init.normal_(empty(*SHAPE)), 0, 1)
    assert_normal(init.normal_(empty(*SHAPE), 3, 0.5), 3, 0.5)


def test_constants():
    assert (init.zeros_(empty(3)).numpy() == 0).all()
    assert (init.ones_(empty(2, 2)).numpy() == 1).all()
    assert init.constant_(empty(), 0.25).item() == 0.25
    assert init.constant_(empty(1, dtype=np.float64), 0.1).item() == 0.1


def test_xavier():
    bound = math.sqrt(6 / 900)
    assert_uniform(init.xavier_uniform_(empty(*SHAPE)), -bound, bound)
    assert_uniform(init.xavier_uniform_(empty(*SHAPE), gain=2), -2 * bound, 2 * bound)
    assert_normal(init.xavier_normal_(empty(*SHAPE), 3), 0, 3 * math.sqrt(2 / 900))


def test_kaiming():
    bound = math.sqrt(6 / 300)
    assert_uniform(init.kaiming_uniform_(empty(*SHAPE)), -bound, bound)
    assert_uniform(init.kaiming_uniform_(empty(*SHAPE), math.sqrt(5)), -1 / math.sqrt(300), 1 / math.sqrt(300))
    bound = 5 / 3 * math.sqrt(3 / 600)
    assert_uniform(init.kaiming_uniform_(empty(*SHAPE), mode="fan_out", nonlinearity="tanh"), -bound, bound)
    assert_normal(init.kaiming_normal_(empty(*SHAPE), nonlinearity="relu"), 0, math.sqrt(2 / 300))
    assert_normal(init.kaiming_normal_(empty(*SHAPE), mode="fan_out", nonlinearity="linear"), 0, math.sqrt(1 / 600))


def test_gains():
    gains = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2)}
    for name, gain in gains.items():
        assert init.calculate_gain(name) == pytest.approx(gain)
    assert init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.0001))
    assert init.calculate_gain("leaky_relu", 2) == pytest.approx(math.sqrt(2 / 5))


DRAWS = [
    init.uniform_,
    init.normal_,
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
]


@pytest.mark.parametrize("draw", DRAWS)
def test_fills_the_tensors_own_memory_and_returns_it(draw, device):
    t = empty(4, 3, dtype=np.float32).to(device).detach().requires_grad_()
    memory = t.data
    assert draw(t) is t and t.data is memory and t.requires_grad and t.grad_fn is None
    assert np.isfinite(t.numpy()).all() and len(np.unique(t.numpy())) == 12


@pytest.mark.parametrize("draw", DRAWS)
def test_one_seed_gives_the_same_numbers_in_every_dtype_and_from_a_generator(draw):
    tinycnn.manual_seed(5)
    first, second = draw(empty(4, 3)).numpy(), draw(empty(4, 3)).numpy()
    assert not np.array_equal(first, second)
    tinycnn.manual_seed(5)
    double = draw(empty(4, 3, dtype=np.float64)).numpy()
    assert double.dtype == np.float64 and np.array_equal(double.astype(np.float32), first)
    own = draw(empty(4, 3), generator=np.random.default_rng(5)).numpy()
    assert np.array_equal(own, draw(empty(4, 3), generator=np.random.default_rng(5)).numpy())
    assert np.array_equal(second, draw(empty(4, 3)).numpy()), "a generator of one's own leaves the shared one alone"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.uniform_(empty(2), 1, 0), "uniform_: bounds must be finite and in order, got a=1, b=0"),
        (lambda: init.uniform_(empty(2), 0, math.inf), "uniform_: bounds must be finite"),
        (lambda: init.normal_(empty(2), 0, -1), "normal_: mean and std must be finite and std not negative"),
        (lambda: init.normal_(empty(2), math.nan), "normal_: mean and std must be finite"),
        (lambda: init.xavier_uniform_(empty(2)), "init: fans need a weight"),
        (lambda: init.kaiming_normal_(empty(2, 2), mode="fan"), "kaiming_normal_: mode must be one of 'fan_in', 'fan"),
        (
            lambda: init.calculate_gain("gelu"),
            "calculate_gain: nonlinearity must be one of 'linear', .*'sigm",
        ),
    ],
)
def test_what_they_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_gains_and_fans_are_torchs():
    torch = pytest.importorskip("torch")
    for name in init.GAINS:
        assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    weight = torch.empty(200, 100, 5, 3)
    for name in ("xavier_uniform_", "kaiming_uniform_"):
        theirs = getattr(torch.nn.init, name)(weight).abs().max().item()
        assert np.abs(getattr(init, name)(empty(200, 100, 5, 3)).numpy()).max() == pytest.approx(theirs, rel=1e-3)
