import numpy as np
import pytest
from helpers import assert_agrees_with_torch, batch_last, leaf

import tinycnn
import tinycnn.functional as F
from tinycnn import random
from tinycnn.autograd.gradcheck import gradcheck

SHAPES = [(1,), (5, 4), (3, 2, 4, 3), (1, 9)]


@pytest.fixture(autouse=True)
def seeded():
    random.manual_seed(7)


# 1. Numbers that a person can check


@pytest.mark.parametrize("p", [0.2, 0.5, 0.75])
def test_by_hand(p, device):
    y = F.dropout(tinycnn.tensor(np.full((100, 100), 3.0), device=device), p).numpy()
    assert set(np.unique(y).tolist()) == {0, 3 / (1 - p)}
    assert abs((y == 0).mean() - p) < 0.02  # four standard deviations of 10,000 draws


def test_gradient_by_hand(device):
    x = tinycnn.tensor([[1.0, 2, 3, 4, 5, 6, 7, 8]], np.float64, device, requires_grad=True)
    y = F.dropout(x, 0.5)
    y.backward(tinycnn.tensor([[10.0] * 8], np.float64, device))
    assert set(x.grad.numpy().ravel().tolist()) == {0, 20}  # 0 where x was dropped, 10 / (1 - p) elsewhere
    assert np.array_equal(x.grad.numpy() == 0, y.numpy() == 0)


def test_nothing_and_everything(rng, device):
    x = leaf(rng, 3, 4, device=device)
    assert np.array_equal(F.dropout(x, 0).numpy(), x.numpy())
    assert np.array_equal(F.dropout(x, 1).numpy(), np.zeros((3, 4)))
    F.dropout(x, 1).sum().backward()
    assert np.array_equal(x.grad.numpy(), np.zeros((3, 4)))


def test_outside_of_training_x_passes_as_it_is(rng):
    x = leaf(rng, 3, 4)
    assert F.dropout(x, 0.5, training=False) is x


# 2. The definition


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_definition(shape, dtype, rng, device):
    x, p = leaf(rng, *shape, dtype=dtype, device=device), 0.3
    state = random.get_state()
    y = F.dropout(x, p)
    assert y.dtype == dtype
    with random.at(state, 0):
        numbers = random.rows(shape[0], int(np.prod(shape[1:]))).reshape(shape)
    expected = [0 if r / 2**32 < p else v / (1 - p) for r, v in zip(numbers.ravel(), x.numpy().ravel(), strict=True)]
    np.testing.assert_allclose(y.numpy().ravel(), expected, rtol=1e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_batch_in_pieces_drops_the_same(cut, rng, device):
    x = leaf(rng, 7, 3, 2, 2, device=device)
    state = random.get_state()
    whole = F.dropout(x).numpy()
    for first in reversed(range(0, 7, cut)):  # in any order
        with random.at(state, first):
            assert np.array_equal(F.dropout(x[first : first + cut]).numpy(), whole[first : first + cut])


def test_each_call_drops_others(rng):
    x = leaf(rng, 8, 8)
    assert not np.array_equal(F.dropout(x).numpy(), F.dropout(x).numpy())


def test_any_memory_order_gives_the_same_and_is_kept(rng):
    x = leaf(rng, 3, 2, 4, 3)
    state = random.get_state()
    again = tinycnn.Tensor(batch_last(x.numpy()))
    y = F.dropout(x)
    random.set_state(state)
    same = F.dropout(again)
    assert np.array_equal(y.numpy(), same.numpy())
    assert same.numpy().strides == again.numpy().strides


# 3. Gradients


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradcheck(shape, rng, device):
    state = random.get_state()

    def the_same_each_time(x):
        random.set_state(state)
        return F.dropout(x, 0.4)

    assert gradcheck(the_same_each_time, [leaf(rng, *shape, device=device)])


# 4. Errors


@pytest.mark.parametrize(
    ("p", "error", "text"),
    [
        (-0.1, ValueError, "dropout: p must be between 0 and 1, got -0.1"),
        (1.5, ValueError, "dropout: p must be between 0 and 1, got 1.5"),
        (float("nan"), ValueError, "dropout: p must be finite, got nan"),
        ("half", TypeError, "dropout: p must be a number, got 'half'"),
        (True, TypeError, "dropout: p must be a number, got True"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_errors(p, error, text, training):
    with pytest.raises(error, match=text):
        F.dropout(tinycnn.tensor([1.0]), p, training)


def test_error_for_a_number_and_for_integers():
    with pytest.raises(ValueError, match=r"dropout: x must have at least 1 axis \(N, ...\), got shape \(\)"):
        F.dropout(tinycnn.tensor(1.0))
    with pytest.raises(TypeError, match="dropout: x must be floating point, got int64"):
        F.dropout(tinycnn.tensor([1]))


# 5. PyTorch


@pytest.mark.parametrize("options", [{"p": 0.0}, {"p": 1.0}, {"p": 0.5, "training": False}], ids=str)
def test_agrees_with_torch_where_nothing_is_random(options, rng):
    torch = pytest.importorskip("torch")
    x = leaf(rng, 3, 4)
    assert_agrees_with_torch(
        lambda x: F.dropout(x, **options) * 1, lambda x: torch.nn.functional.dropout(x, **options) * 1, [x], rng
    )
