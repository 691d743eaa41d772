"""Models and losses that are not the engine's own: in parts they give what the whole batch gives, or are refused."""

import sys
from functools import partial

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import functional as F
from tinycnn import nn, optim, random
from tinycnn.execution import make_step
from tinycnn.execution.parts import additions

pytest.importorskip("threadpoolctl", reason="parts on workers need threadpoolctl")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's fork")
TEAMS = ["threads", pytest.param("processes", marks=LINUX)]


class BatchNorm(nn.Module):
    """Somebody's own, without running statistics."""

    def forward(self, x):
        centred = x - x.mean(0, keepdims=True)
        return centred / ((centred * centred).mean(0, keepdims=True) + 1e-3) ** 0.5


class Remembering(nn.Module):
    def forward(self, x):
        self.seen = len(x)
        return x


def net(*layers, seed=3):
    random.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), *layers, nn.Tanh(), nn.Linear(8, 3)).double()


def batch(rng, n=24):
    return rng.standard_normal((n, 3, 2, 2)), rng.integers(0, 3, n)


def steps(strategy, model, loss, batches, between=lambda k, model, loss: None, **options):
    """Parameters after a step on each batch; `between` may change things before each."""
    optimizer = optim.SGD(model.parameters(), 0.1, **options)
    with make_step(model, loss, optimizer, strategy, *(() if strategy in ("auto", "plain") else (2, 4))) as step:
        for k, (x, y) in enumerate(batches):
            between(k, model, loss)
            step(x, y)
        return [p.numpy().copy() for p in model.parameters()], step.description


LOSSES = {
    "sum": partial(F.cross_entropy, reduction="sum"),
    "weighted": lambda z, t: F.cross_entropy(z, t, weight=tinycnn.tensor([1.0, 5.0, 0.2]).double()),
    "ignoring": lambda z, t: F.cross_entropy(z, t, ignore_index=2),
    "square of the mean": lambda z, t: z.mean() ** 2 + F.cross_entropy(z, t),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_auto_computes_a_loss_of_ones_own_in_one_piece(loss, rng):
    batches = [batch(rng) for _ in range(3)]
    found, said = steps("auto", net(), LOSSES[loss], batches)
    expected, _ = steps("plain", net(), LOSSES[loss], batches)
    assert said.startswith("plain") and "is not a loss of the engine's" in said
    for a, b in zip(found, expected, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("strategy", TEAMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_asked_for_by_name_it_is_refused_before_anything_is_learnt(strategy, loss, rng):
    model = net()
    before = model.state_dict()
    with pytest.raises(RuntimeError, match='differs from the whole batch\'s by .* use strategy "plain"'):
        steps(strategy, model, LOSSES[loss], [batch(rng)])
    assert all(np.array_equal(a, model.state_dict()[name]) for name, a in before.items())


@pytest.mark.parametrize("strategy", TEAMS)
def test_a_loss_that_is_not_separable_in_later_batches_only_is_found_out_later(strategy, rng):
    batches = [batch(rng) for _ in range(4)]
    for _, y in batches[:3]:
        y[y == 2] = 0
    with pytest.raises(RuntimeError, match="differs from the whole batch's"):
        steps(strategy, net(), LOSSES["ignoring"], batches)


@pytest.mark.parametrize("strategy", ["auto", *TEAMS])
def test_a_layer_that_looks_at_the_whole_batch(strategy, rng):
    batches = [batch(rng) for _ in range(3)]
    if strategy == "auto":
        found, said = steps("auto", net(BatchNorm()), nn.CrossEntropyLoss(), batches)
        expected, _ = steps("plain", net(BatchNorm()), nn.CrossEntropyLoss(), batches)
        assert said.startswith("plain") and "BatchNorm does not declare per_example" in said
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    else:
        with pytest.raises(RuntimeError, match="differs from the whole batch's"):
            steps(strategy, net(BatchNorm()), nn.CrossEntropyLoss(), batches)


@pytest.mark.parametrize("strategy", TEAMS)
def test_a_forward_that_leaves_something_behind_is_refused(strategy, rng):
    with pytest.raises(RuntimeError, match=r"forward changes seen of layer 2 \(Remembering\)"):
        steps(strategy, net(Remembering()), nn.CrossEntropyLoss(), [batch(rng)])


@pytest.mark.parametrize("strategy", TEAMS)
def test_a_layer_of_ones_own_that_is_per_example_goes_on(strategy, rng):
    class Square(nn.Module):
        def forward(self, x):
            return x * x

    batches = [batch(rng) for _ in range(5)]
    found, _ = steps(strategy, net(Square()), nn.CrossEntropyLoss(), batches)
    expected, _ = steps("plain", net(Square()), nn.CrossEntropyLoss(), batches)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, 1e-9)


def freeze(k, model, loss):
    model[1].weight.requires_grad = model[1].bias.requires_grad = k == 0


def change_p(k, model, loss):
    model[2].p = (0.0, 0.5, 0.9)[k]


def smooth(k, model, loss):
    loss.label_smoothing = 0.3 * k


def replace(k, model, loss):
    if k == 1:
        model[3] = nn.Sigmoid()


def weigh(k, model, loss):
    loss.weight.data[0] = 1 + k


@pytest.mark.parametrize("strategy", ["auto", *TEAMS])
@pytest.mark.parametrize("between", [freeze, change_p, smooth, replace, weigh])
def test_what_changes_between_steps_reaches_every_part(strategy, between, rng):
    batches = [batch(rng) for _ in range(3)]
    runs = [
        steps(how, net(nn.Dropout(0.2)), nn.CrossEntropyLoss(weight=np.ones(3)), batches, between)[0]
        for how in (strategy, "plain")
    ]
    for a, b in zip(*runs, strict=True):
        assert_close(a, b, 1e-9)


@pytest.mark.parametrize("strategy", TEAMS)
def test_a_loss_of_ones_own_is_evaluated_in_one_piece(strategy, rng):
    x, y = batch(rng)
    found = []
    for how in (strategy, "plain"):
        model, parts = net(), () if how == "plain" else (2, 4)
        with make_step(model, LOSSES["sum"], optim.SGD(model.parameters(), 0.1), how, *parts) as step:
            found.append(step.evaluate(x, y))
    assert found[0] == found[1]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 13, 64])
def test_the_rows_of_a_batch_are_added_in_a_tree(rows):
    """Every row once; what is added has all rows up to the next that counts, so that neighbours may add ahead."""
    table = [[k] for k in range(rows)]
    for into, row in additions(rows):
        assert table[into][-1] + 1 == table[row][0] and len(table[row]) <= len(table[into])
        assert table[into] + table[row] == list(range(into, min(2 * row - into, rows)))
        table[into] += table[row]
    assert table[0] == list(range(rows))


class Centred(nn.Module):
    """Subtracts the mean over the batch: not separable, and says so by not declaring anything."""

    def forward(self, x):
        return x - x.mean(0, keepdims=True)


class Square(nn.Module):
    def forward(self, x):
        return x * x


class Cubed(nn.Module, per_example=True):
    def forward(self, x):
        return x * x * x


OWN_LAYERS = (Centred, Square, Cubed, Remembering, BatchNorm)
KNOWN_LAYERS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, lambda: nn.Dropout(0.3), lambda: nn.Linear(8, 8))
OWN_LOSSES = (LOSSES["sum"], LOSSES["weighted"], LOSSES["square of the mean"], lambda z, t: (z * z).mean())


def random_model_and_loss(seed):
    """Three layers between two linear ones, some of them of one's own, and a loss that may be so too."""
    draw = np.random.default_rng(seed)
    kinds = [draw.choice(OWN_LAYERS if draw.random() < 0.25 else KNOWN_LAYERS) for _ in range(3)]
    random.manual_seed(seed)
    model = net(*(kind() for kind in kinds), seed=seed)
    return model, draw.choice(OWN_LOSSES) if draw.random() < 0.25 else nn.CrossEntropyLoss()


@pytest.mark.parametrize("strategy", ["auto", *TEAMS])
def test_fifty_random_models_learn_what_plain_learns_or_are_refused_with_the_reason(strategy, rng):
    same = refused = 0
    for seed in range(50):
        batches = [batch(rng) for _ in range(3)]
        expected, _ = steps("plain", *random_model_and_loss(seed), batches)
        try:
            found, _ = steps(strategy, *random_model_and_loss(seed), batches)
        except RuntimeError as error:
            assert strategy != "auto" and (
                "forward changes seen" in str(error) or "differs from the whole" in str(error)
            )
            refused += 1
            continue
        same += 1
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, 1e-8, 1e-10)
    assert same >= 20 and (refused == 0 if strategy == "auto" else refused >= 8)
