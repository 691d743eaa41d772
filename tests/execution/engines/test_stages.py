"""The engine of stages computes what the ops compute: each stage on awkward shapes, whole runs, and every change."""

import copy

import numpy as np
import pytest
from helpers import assert_close

from tinycnn import nn, optim, random
from tinycnn.execution import UnsupportedModel, make_step
from tinycnn.execution.engines.engine import note_type
from tinycnn.execution.engines.stages import StagesEngine
from tinycnn.execution.engines.tape import TapeEngine
from tinycnn.functional import cross_entropy
from tinycnn.models import LeNet

pytest.importorskip("threadpoolctl", reason="micro-batches on workers need threadpoolctl")


def outcome(engine, x, y, share=1.0, edition=0):
    """Gradients, loss, right answers, random calls and reached parameters of one part; and of its evaluation."""
    gradients = [np.full(p.shape, 7.0, p.data.dtype) for p in engine.params]  # whatever was in them is gone
    notes = np.zeros(2, note_type(len(gradients)))
    state = random.get_state()
    engine.begin(edition)
    with random.at(state, 5):
        engine.train(x, y, share, gradients, notes[0])
        notes[0]["calls"] = random.get_state()[1] - state[1]
    with engine.model.evaluating():
        engine.begin(edition)
        engine.evaluate(x, y, share, notes[1])
    return gradients, notes


def assert_equal_to_the_tape(model, x, y, loss=None, share=1.0, rtol=None):
    """Both engines on one part, twice, so that the second finds the buffers as the first left them."""
    params, loss = list(model.parameters()), loss or nn.CrossEntropyLoss()
    engines = [kind(model, loss, params) for kind in (TapeEngine, StagesEngine)]
    rtol = rtol or (1e-12 if params[0].dtype == "float64" else 3e-5)
    for _ in range(2):
        (expected, wanted), (actual, found) = (outcome(engine, x, y, share) for engine in engines)
        for a, e in zip(actual, expected, strict=True):
            assert_close(a, e, rtol, rtol * max(1.0, float(abs(e).max())))
        assert_close(found["loss"], wanted["loss"], rtol, rtol)
        for name in ("correct", "calls", "reached"):
            assert found[name].tolist() == wanted[name].tolist(), name
        x = x[::-1]


def classifier(*layers, image, classes=5):
    """The layers, and a linear layer behind them that makes rows of logits."""
    random.manual_seed(4)
    body = nn.Sequential(*copy.deepcopy(layers), nn.Flatten())
    features = body(nn.Parameter(np.zeros((1, *image), np.float32))).shape[1]
    return nn.Sequential(body, nn.Linear(features, classes))


conv, linear, maximum, average = nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d
relu, sigmoid, tanh, residual = nn.ReLU, nn.Sigmoid, nn.Tanh, nn.Residual


def norm(channels, **how):
    """A normalisation of weights of both signs, whose running statistics stay where they are: two engines use it."""
    layer = nn.BatchNorm2d(channels, momentum=0.0, **how)
    numbers = np.random.default_rng(channels)
    if layer.weight is not None:
        layer.weight.data[...], layer.bias.data[...] = numbers.normal(size=(2, channels))
    if layer.running_var is not None:
        layer.running_mean.data[...], layer.running_var.data[...] = numbers.uniform(0.2, 2, (2, channels))
    return layer


LAYERS = {  # name: (image, layers); in each the gradient of an image is wanted too
    "LeNet's": ((1, 8, 9), [conv(1, 3, 5, padding=2), sigmoid(), average(2), conv(3, 4, 3)]),
    "bias as a row": ((2, 9, 7), [conv(2, 9, 3), sigmoid(), conv(9, 3, (2, 3)), tanh()]),
    "no bias": ((2, 7, 6), [conv(2, 3, 2, bias=False), relu(), conv(3, 2, 3, bias=False)]),
    "no bias, but a shift": ((2, 7, 6), [conv(2, 3, 2, bias=False), sigmoid(), conv(3, 2, 3, bias=False)]),
    "padding of sigmoids": ((2, 6, 5), [conv(2, 3, 2), sigmoid(), conv(3, 2, (3, 2), padding=(2, 1))]),
    "more padding than kernel": ((1, 4, 4), [conv(1, 2, 2), relu(), conv(2, 3, 2, padding=3)]),
    "strides": ((2, 11, 10), [conv(2, 3, 3, stride=(2, 1)), tanh(), conv(3, 4, (3, 2), stride=(2, 3))]),
    "a stride wider than the kernel": ((2, 9, 9), [conv(2, 3, 2), relu(), conv(3, 2, 2, stride=3)]),
    "dilation": ((2, 9, 8), [conv(2, 3, 2, dilation=(2, 1)), relu(), conv(3, 2, 3, dilation=(1, 2))]),
    "dilated rows": ((2, 9, 8), [conv(2, 3, 2), sigmoid(), conv(3, 2, 3, dilation=2, padding=1)]),
    "groups": ((4, 6, 7), [conv(4, 6, 3, groups=2), sigmoid(), maximum(2), conv(6, 6, 2, groups=3)]),
    "grouped rows": ((4, 6, 7), [conv(4, 24, 2), tanh(), conv(24, 4, 3, groups=2, padding=1)]),
    "depthwise": ((3, 6, 5), [conv(3, 3, 3, groups=3, padding=1), relu(), conv(3, 6, 2, groups=3)]),
    "1x1": ((3, 5, 4), [conv(3, 4, 1), sigmoid(), conv(4, 2, 1), relu(), conv(2, 3, 1)]),
    "1x1, padded or strided": ((3, 7, 6), [conv(3, 4, 1, padding=1), tanh(), conv(4, 2, 1, stride=(3, 2))]),
    "1x1 in strides of rows": ((3, 7, 6), [conv(3, 4, 1), tanh(), conv(4, 2, 1, stride=(2, 1))]),
    "many filters": ((2, 7, 7), [conv(2, 3, 2), sigmoid(), conv(3, 70, 4), relu()]),
    "maximum": ((2, 9, 9), [conv(2, 3, 2), relu(), maximum(2), conv(3, 2, 2), maximum(2)]),
    "maximum of 3x2": ((2, 12, 9), [conv(2, 3, 2), sigmoid(), maximum((3, 2)), conv(3, 2, 2)]),
    "maximum, something left over": ((2, 8, 10), [conv(2, 3, 2), tanh(), maximum((2, 4)), conv(3, 2, 1)]),
    "maximum before the activation": ((2, 9, 9), [conv(2, 3, 2), maximum(2), sigmoid(), conv(3, 2, 2)]),
    "maximum, padded behind": ((2, 9, 9), [conv(2, 3, 2), relu(), maximum(2), conv(3, 2, 3, padding=1)]),
    "average, something left over": ((2, 8, 10), [conv(2, 3, 2), relu(), average((2, 4)), conv(3, 2, 1)]),
    "average before the activation": ((2, 9, 9), [conv(2, 3, 2), average(2), sigmoid(), conv(3, 2, 2)]),
    "windows of one": ((2, 5, 5), [conv(2, 3, 2), maximum(1), relu(), conv(3, 2, 2), average(1)]),
    "overlapping pools": ((2, 9, 9), [conv(2, 3, 2), sigmoid(), average(3, 2, 1), maximum(3, 1, 1)]),
    "a pool first": ((2, 9, 9), [average(2), conv(2, 3, 2), relu(), relu()]),
    "linear layers": ((2, 3, 2), [nn.Flatten(), linear(12, 5), sigmoid(), linear(5, 4, bias=False), tanh()]),
    "linear, shifted, no bias": ((2, 3, 2), [nn.Flatten(), linear(12, 5), sigmoid(), linear(5, 4, bias=False)]),
    "normalised": ((2, 8, 9), [conv(2, 3, 3, bias=False), norm(3), relu(), maximum(2), conv(3, 4, 2), norm(4), tanh()]),
    "normalised sigmoids": ((2, 7, 8), [conv(2, 3, 2), sigmoid(), norm(3), sigmoid(), average((2, 3)), conv(3, 2, 2)]),
    "normalised, then padded": ((2, 6, 5), [norm(2), conv(2, 3, 2), norm(3, affine=False), conv(3, 2, 3, padding=1)]),
    "normalised, pooled first": (
        (2, 9, 9),
        [conv(2, 3, 2), norm(3), average(2), relu(), norm(3), maximum(2), sigmoid()],
    ),
    "normalised by the batch always": ((2, 6, 5), [conv(2, 3, 2), norm(3, track_running_stats=False), relu()]),
    "around": ((3, 6, 7), [residual(conv(3, 3, 3, padding=1), norm(3)), relu(), residual(conv(3, 3, 1)), tanh()]),
    "flat, then dropped": ((2, 4, 5), [conv(2, 3, 2), relu(), nn.Flatten(), nn.Dropout(0.4), linear(36, 5), tanh()]),
    "flat, then others": ((2, 4, 5), [conv(2, 3, 2), sigmoid(), nn.Flatten(), nn.GELU(), relu(), linear(36, 5)]),
    "flat, then around": ((2, 4, 5), [average(2), nn.Flatten(), residual(linear(8, 8), nn.Dropout(0.3)), tanh()]),
    "around, normalised first": (
        (2, 6, 5),
        [conv(2, 3, 2), residual(norm(3), relu(), conv(3, 3, 3, padding=1)), residual(norm(3), shortcut=norm(3))],
    ),
    "around, halved": (
        (2, 7, 6),
        [
            conv(2, 3, 2),
            residual(conv(3, 4, 3, 2, 1), norm(4), relu(), conv(4, 4, 3, padding=1), shortcut=conv(3, 4, 1, 2)),
            sigmoid(),
            maximum(2),
        ],
    ),
    "around sigmoids": (
        (2, 6, 5),
        [
            conv(2, 3, 2),
            sigmoid(),
            residual(conv(3, 3, (3, 1), padding=(1, 0)), sigmoid()),
            residual(conv(3, 2, 3, padding=1), tanh(), nn.Dropout(0.3), shortcut=conv(3, 2, (1, 5), padding=(0, 2))),
            average(2),
        ],
    ),
    "one way around another": (
        (2, 5, 6),
        [residual(norm(2), relu(), residual(conv(2, 2, 3, padding=1)), average(1), shortcut=norm(2)), sigmoid()],
    ),
    "ways without parameters": (
        (2, 5, 5),
        [conv(2, 3, 2), residual(nn.GELU(), conv(3, 3, 1)), residual(conv(3, 3, 1), shortcut=nn.SiLU()), sigmoid()],
    ),
    "nothing on either way": ((2, 4, 5), [residual(), sigmoid(), residual(shortcut=tanh()), nn.Identity(), relu()]),
    "rows around": ((2, 3, 2), [nn.Flatten(), residual(linear(12, 12), sigmoid()), residual(linear(12, 12)), tanh()]),
    "dropout": (
        (2, 6, 5),
        [conv(2, 3, 2), sigmoid(), nn.Dropout(0.4), conv(3, 2, 3, padding=1), nn.Dropout(0), relu()],
    ),
}


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("image", "layers"), LAYERS.values(), ids=LAYERS)
def test_stages_equal_their_ops(image, layers, dtype, n, rng):
    model = classifier(*layers, image=image).to(dtype)
    y = rng.integers(0, 5, n)
    assert_equal_to_the_tape(model, rng.standard_normal((n, *image)).astype(dtype), y, share=0.7)
    assert_equal_to_the_tape(model, rng.integers(0, 256, (n, *image), dtype=np.uint8), y)


def test_rows_are_normalised_too(rng):
    features = nn.BatchNorm1d(4, momentum=0.0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), features, nn.Sigmoid(), nn.Linear(4, 3)).double()
    assert_equal_to_the_tape(model, rng.standard_normal((5, 3, 4)), rng.integers(0, 3, 5))
    maps = [nn.Conv2d(2, 3, 2), nn.Sigmoid(), nn.Flatten(), nn.BatchNorm1d(36, momentum=0.0), nn.ReLU()]
    behind_maps = nn.Sequential(*maps, nn.Linear(36, 3)).double()
    assert_equal_to_the_tape(behind_maps, rng.standard_normal((5, 2, 4, 5)), rng.integers(0, 3, 5))
    with pytest.raises(ValueError, match="batch_norm: expected more than 1 number a channel in training"):
        outcome(StagesEngine(model, cross_entropy, list(model.parameters())), np.zeros((1, 12)), np.zeros(1, int))


def test_a_layer_that_stages_do_not_know_runs_on_the_tape(rng):
    class Shrink(nn.Module, per_example=True):
        def forward(self, x):
            return x.tanh() * 0.5 + x * 0.25

    layers = [nn.Conv2d(2, 3, 2), nn.Sigmoid(), Shrink(), nn.Conv2d(3, 2, 2, padding=1), Shrink()]
    model = nn.Sequential(classifier(*layers, image=(2, 5, 4)), Shrink(), nn.Linear(5, 3), Shrink()).double()
    assert_equal_to_the_tape(model, rng.standard_normal((4, 2, 5, 4)), rng.integers(0, 3, 4))


def test_the_first_of_equal_maxima_wins(rng):
    """As in the op, row by row: with few different numbers, most windows have several maxima."""
    layers = [nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1, bias=False), nn.MaxPool2d((2, 3)), nn.Tanh()]
    model = classifier(*layers, image=(1, 6, 6)).double()
    for layer in (model[0][0], model[0][2]):
        layer.weight.data[...] = rng.integers(1, 3, layer.weight.shape)
    x = rng.integers(0, 2, (6, 1, 6, 6)).astype(float)
    assert_equal_to_the_tape(model, x, rng.integers(0, 5, 6))


@pytest.mark.parametrize("image", [(12,), (3, 4), (2, 3, 2), (1, 2, 3, 2)])
def test_rows_of_any_shape_before_a_flatten(image, rng):
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Sigmoid(), nn.Linear(4, 3)).double()
    assert_equal_to_the_tape(model, rng.standard_normal((5, *image)), rng.integers(0, 3, 5))


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(label_smoothing=0.2),
        nn.CrossEntropyLoss(weight=np.array([1.0, 5.0, 0.25, 2.0, 0.0])),
        nn.CrossEntropyLoss(weight=np.array([1.0, 5.0, 0.25, 2.0, 3.0]), ignore_index=1, label_smoothing=0.1),
        nn.CrossEntropyLoss(ignore_index=2, reduction="sum"),
        cross_entropy,
    ],
    ids=["sum", "smoothed", "weighted", "weighted, smoothed, ignoring", "ignoring", "function"],
)
@pytest.mark.parametrize("last", [nn.ReLU, nn.Sigmoid, None])
def test_every_option_of_the_loss(loss, last, rng):
    layers = [] if last is None else [last()]
    model = nn.Sequential(nn.Linear(6, 5), *layers).double()
    y = rng.integers(0, 5, 9)
    y[:2] = getattr(loss, "ignore_index", 0) % 5  # some are ignored, where any are
    assert_equal_to_the_tape(model, rng.standard_normal((9, 6)) * 3, y, loss)


def test_a_part_whose_labels_are_all_ignored_counts_for_nothing(rng):
    model = nn.Sequential(nn.Linear(6, 5)).double()
    gradients, notes = outcome(
        StagesEngine(model, nn.CrossEntropyLoss(), list(model.parameters())),
        rng.standard_normal((4, 6)),
        np.full(4, -100),
        share=0.0,
    )
    assert not any(g.any() for g in gradients) and not notes["reached"].any() and notes["loss"].tolist() == [0, 0]


@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 1), (2,), (0, 1, 2, 3), (4, 5), (0, 1, 2, 3, 4)])
def test_frozen_parameters_get_no_gradient(frozen, rng):
    layers = [nn.Conv2d(2, 3, 2), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(3, 2, 2)]
    model = classifier(*layers, image=(2, 7, 7)).double()
    for i in frozen:
        list(model.parameters())[i].requires_grad = False
    assert_equal_to_the_tape(model, rng.standard_normal((3, 2, 7, 7)), rng.integers(0, 5, 3))


CHANGES = {
    "dropout's p": lambda model: setattr(model[3], "p", 0.9),
    "a layer replaced": lambda model: model.__setitem__(1, nn.Tanh()),
    "a stride": lambda model: setattr(model[2], "stride", (1, 1)),
    "a layer added": lambda model: model.append(nn.Sigmoid()),
    "a parameter frozen": lambda model: setattr(model[0].weight, "requires_grad", False),
    "a parameter's numbers": lambda model: model[0].weight.data.__imul__(2),
    "a parameter's array": lambda model: setattr(model[0].weight, "data", model[0].weight.data * 2),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_the_model_is_noticed(change, rng):
    random.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 2), nn.Sigmoid(), nn.Conv2d(3, 2, 1, stride=(2, 2)), nn.Dropout(0.3), nn.Flatten()
    ).double()
    loss, x, y = nn.CrossEntropyLoss(), rng.standard_normal((4, 2, 3, 3)), rng.integers(0, 2, 4)
    steps = on_both_engines(model, loss)
    before = [batch(step, x, y) for step in steps]
    change(model)
    after = [batch(step, x, y) for step in steps]
    for (results, gradients), (others, theirs) in (before, after):
        assert_close(np.array(results), np.array(others))
        for a, e in zip(gradients, theirs, strict=True):
            assert_close(a, e)
    assert any((a != b).any() for a, b in zip(after[0][1], before[0][1], strict=True)), "the change has to show"


def test_a_change_of_the_loss_is_noticed(rng):
    model, loss = nn.Sequential(nn.Linear(4, 3)).double(), nn.CrossEntropyLoss()
    steps, x, y = on_both_engines(model, loss), rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    first, _ = batch(steps[1], x, y)
    loss.label_smoothing = 0.3
    (expected, _), (found, _) = (batch(step, x, y) for step in steps)
    assert_close(np.array(found), np.array(expected))
    assert found[0] != first[0]


def on_both_engines(model, loss):
    """A step on each that learns nothing."""
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    return [make_step(model, loss, optimizer, "threads", 1, engine=engine) for engine in ("tape", "stages")]


def batch(step, x, y):
    """What it says of a batch in training and evaluation, and the gradients; zeros for those that are missing."""
    with random.at(random.get_state(), 5):
        results = [*step(x, y), *step.evaluate(x, y)]
    return results, [p.grad.numpy() * 1 if p.grad is not None else np.zeros(p.shape) for p in step.params]


def test_fifty_steps_in_float64_are_pytorchs(rng):
    torch = pytest.importorskip("torch")
    random.manual_seed(2)
    model = LeNet(activation="sigmoid", dropout=0.0).double()
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Sigmoid(), torch.nn.AvgPool2d(2),
        torch.nn.Conv2d(6, 16, 5), torch.nn.Sigmoid(), torch.nn.AvgPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(400, 120), torch.nn.Sigmoid(), torch.nn.Linear(120, 84), torch.nn.Sigmoid(),
        torch.nn.Linear(84, 10),
    ).double()  # fmt: skip
    for theirs, ours in zip(twin.parameters(), model.parameters(), strict=True):
        theirs.data = torch.tensor(ours.numpy().copy())
    theirs = torch.optim.SGD(twin.parameters(), lr=0.5, momentum=0.9)
    x, y = rng.integers(0, 256, (50, 12, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, (50, 12))
    with make_step(
        model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.5, momentum=0.9), "threads", 1, 5, "stages"
    ) as step:
        for images, labels in zip(x, y, strict=True):
            loss, _ = step(images, labels)
            expected = torch.nn.functional.cross_entropy(twin(torch.tensor(images / 255.0)), torch.tensor(labels))
            theirs.zero_grad()
            expected.backward()
            theirs.step()
            assert abs(loss / 12 - expected.item()) < 1e-9
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert_close(a.numpy(), b.detach().numpy(), 1e-9, 1e-9)


# What auto takes, and what is refused


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


class Gated(nn.Residual):
    def forward(self, x):
        return self.body(x) * self.shortcut(x)


def twice(layer):
    return nn.Sequential(nn.Residual(layer, shortcut=nn.Sequential(layer)))


REFUSED = {
    "layer 1 (Doubled()) has no fused kernel": nn.Sequential(nn.Linear(4, 3), Doubled()),
    "a Linear is not a Sequential": nn.Linear(4, 3),
    "the model ends in images, and the loss needs rows": nn.Sequential(nn.Conv2d(1, 2, 1)),
    "layer 1 (Linear(in_features=4": nn.Sequential(nn.Conv2d(1, 2, 1), nn.Linear(4, 3)),
    "layer 0 (Flatten(start_dim=2)) must have start_dim=1": nn.Sequential(nn.Flatten(2), nn.Linear(4, 3)),
    "layer 0.body.1 (Doubled()) has no fused kernel": nn.Sequential(nn.Residual(nn.Linear(4, 4), Doubled())),
    "layer 0 (Gated(": nn.Sequential(Gated(nn.Linear(4, 4))),
    "layer 0 (Residual) has a Flatten in it": nn.Sequential(nn.Residual(nn.Flatten(), nn.Linear(4, 4))),
    "layer 0.body.0 (Linear(in_features=4, out_features=4, bias=True)) shares its parameters": twice(nn.Linear(4, 4)),
}


@pytest.mark.parametrize(("text", "model"), REFUSED.items(), ids=REFUSED)
def test_refusals_name_the_layer_and_auto_takes_the_tape(text, model):
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(UnsupportedModel) as caught:
        make_step(model, nn.CrossEntropyLoss(), optimizer, "threads", 1, engine="stages")
    assert str(caught.value).startswith(f"stages: {text}") and 'engine "tape" runs any model' in str(caught.value)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, "threads", 1) as step:
        assert step.description.startswith(f"threads: tape, parts of 64 on 1 thread, not stages: {text}")


def test_two_ways_that_do_not_meet_are_refused(rng):
    model = nn.Sequential(nn.Residual(nn.Conv2d(1, 2, 3), shortcut=nn.Conv2d(1, 2, 1)), nn.Flatten(), nn.Linear(8, 3))
    with make_step(model, cross_entropy, optim.SGD(model.parameters(), 0.1), "threads", 1, engine="stages") as step:
        with pytest.raises(ValueError, match=r"layer 0 \(Residual\) gives \(2, 2, 2\), and its shortcut \(2, 4, 4\)"):
            step(rng.random((2, 1, 4, 4), np.float32), np.zeros(2, int))


def test_losses_of_ones_own_are_refused():
    model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(UnsupportedModel, match="stages: .*mine.* is not a loss of the engine's"):
        make_step(model, mine, optim.SGD(model.parameters(), 0.1), "threads", 1, engine="stages")
    with pytest.raises(UnsupportedModel, match="is not the mean or sum of cross-entropies"):
        loss = nn.CrossEntropyLoss(reduction="none")
        make_step(model, loss, optim.SGD(model.parameters(), 0.1), "threads", 1, engine="stages")


def mine(logits, y):
    return logits.sum()


def test_auto_takes_stages_and_says_so():
    model = LeNet(dropout=0.1)
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "threads", 2) as step:
        assert step.description == "threads: stages, parts of 64 on 2 threads"


@pytest.mark.parametrize(
    ("pixels", "images", "parts"), [(28, 256, 4), (28, 20, 2), (28, 7, 1), (90, 32, 4), (200, 32, 4), (200, 8, 2)]
)
def test_batches_are_cut_by_the_size_of_their_images(pixels, images, parts):
    model = LeNet(image_size=pixels, channels=(16, 32), hidden=(10,))
    x = np.zeros((images, 1, pixels, pixels), np.uint8)
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "threads", 1) as step:
        assert -(-images // step.part_size(x)) == parts


def test_batches_that_do_not_fit_are_refused(rng):
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(12, 3))
    engine = StagesEngine(model, nn.CrossEntropyLoss(), list(model.parameters()))
    x, y = rng.standard_normal((4, 2, 3, 3)), np.zeros(4, int)
    with pytest.raises(TypeError, match="images must be uint8 or the parameters' float32, got float64"):
        outcome(engine, x, y)
    with pytest.raises(ValueError, match=r"layer 2 \(Linear.*\) expects 12 features, got 27"):
        outcome(engine, np.zeros((4, 2, 4, 4), np.float32), y)
    with pytest.raises(ValueError, match="target has the label 3 at"):
        outcome(engine, x.astype(np.float32), y + 3)
    model.double()
    with pytest.raises(TypeError, match="images must be uint8 or the parameters' float64, got float32"):
        outcome(engine, x.astype(np.float32), y, edition=1)
    outcome(engine, x, y, edition=1)


def test_an_unknown_engine_is_refused():
    model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ValueError, match="engine must be one of auto, tape, stages, got 'fast'"):
        make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), engine="fast")


def test_stages_are_refused_where_nothing_would_compute_by_them():
    model, loss = nn.Sequential(nn.Linear(4, 3)), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(
        UnsupportedModel, match="stages: threads, processes and ranks compute by them, and this is plain$"
    ):
        make_step(model, loss, optimizer, "plain", engine="stages")
    with pytest.raises(UnsupportedModel, match="this is plain, not in parts: .*mine"):
        make_step(model, mine, optimizer, "auto", engine="stages")
