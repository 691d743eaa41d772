"""The strategy "graph" beside "plain" on the CPU: what it computes, what may change between steps, and what it refuses.

Needs a GPU, or tests/emulator; see test_step_on_gpu as well.
"""

import gc
import weakref

import numpy as np
import pytest

import tinycnn
import tinycnn.functional as F
from tinycnn import data, nn
from tinycnn.backend import to_device
from tinycnn.execution import make_step
from tinycnn.execution.graph import replay
from tinycnn.execution.graph.plan import Plan
from tinycnn.execution.graph.replay import LONGEST
from tinycnn.execution.graph.sizes import MOST_CLASSES
from tinycnn.execution.graph.step import GraphStep
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.training import train

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("a_gpu")]


@pytest.fixture
def begun(monkeypatch):
    """A list that grows when the kernel `begin` is launched: before each run of replays, and to warm up."""
    launches = []

    def load(source, names):
        kernels = load_kernels(source, names)
        begin = kernels["begin"]
        return kernels | {"begin": lambda *launch: (launches.append(launch), begin(*launch))}

    load_kernels = replay.load_kernels
    monkeypatch.setattr(replay, "load_kernels", load)
    return launches


def there(x):
    return to_device(x, "gpu")


def small_net():
    return LeNet(channels=(2, 3), hidden=(12,))


class Pair:
    """The same model twice: trained by graph on the GPU, and by plain on the CPU."""

    def __init__(self, make=small_net, loss=None, **options):
        options = {"lr": 0.5, **options}
        loss = loss or nn.CrossEntropyLoss()
        self.cpu, self.gpu = make(), make()
        self.gpu.load_state_dict(self.cpu.state_dict())
        self.gpu.to("gpu")
        self.optimizers = [SGD(model.parameters(), **options) for model in (self.cpu, self.gpu)]
        self.plain = make_step(self.cpu, loss, self.optimizers[0], "plain")
        self.graph = GraphStep(self.gpu, loss, self.optimizers[1])

    def set(self, **options):
        for optimizer in self.optimizers:
            for name, value in options.items():
                setattr(optimizer, name, value)

    def both(self, x, y):
        """One step of each on the same batch; losses and counts must agree."""
        self.agree(self.graph(there(x), there(y)), self.plain(x, y))

    def agree(self, ours, theirs):
        assert float(ours[0]) == pytest.approx(theirs[0], rel=1e-5) and int(ours[1]) == theirs[1]

    def check(self):
        """All parameters agree."""
        for (name, p), q in zip(self.cpu.named_parameters(), self.gpu.parameters(), strict=True):
            atol = 1e-5 * np.abs(p.data).max()
            np.testing.assert_allclose(q.numpy(), p.data, rtol=1e-4, atol=atol, err_msg=name)


def batch(rng, n):
    return rng.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, n)


# What it computes


def test_steps_equal_the_plain_strategy(rng):
    pair = Pair()
    for n in (6, 6, 4, 1, 6):
        pair.both(*batch(rng, n))
    pair.check()


def test_floats_are_taken_as_they_are(rng):
    pair = Pair()
    for n in (5, 3):
        pair.both(rng.standard_normal((n, 1, 28, 28)).astype(np.float32), rng.integers(0, 10, n))
    pair.both(*batch(rng, 5))
    pair.check()


def test_rows_of_floats(rng):
    pair = Pair(lambda: nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3)))
    for _ in range(2):
        pair.both(rng.standard_normal((4, 7)).astype(np.float32), rng.integers(0, 3, 4))
    pair.check()


@pytest.mark.parametrize(
    "options", [dict(momentum=0.9), dict(momentum=0.9, weight_decay=0.1, nesterov=True), dict(weight_decay=0.1)]
)
def test_every_rule_of_sgd(options, rng):
    pair = Pair(loss=nn.CrossEntropyLoss(label_smoothing=0.2), lr=0.1, **options)
    for _ in range(3):
        pair.both(*batch(rng, 5))
    pair.check()


def test_the_functional_loss_is_known_too(rng):
    pair = Pair(loss=F.cross_entropy)
    pair.both(*batch(rng, 3))
    pair.check()


def test_run_goes_through_an_epoch(rng):
    pair, (images, labels), order = Pair(), batch(rng, 20), rng.permutation(20)
    data = there(images), there(labels)
    losses, corrects = pair.graph.run(*data, order, batch_size=6, first_batch=1, count=2)
    more = pair.graph.run(*data, there(order), batch_size=6, first_batch=3)  # the last batch, of 2
    losses, corrects = [*losses.get(), *more[0].get()], [*corrects.get(), *more[1].get()]
    for k in (1, 2, 3):
        chosen = order[6 * k : 6 * k + 6]
        pair.agree((losses[k - 1], corrects[k - 1]), pair.plain(images[chosen], labels[chosen]))
    pair.check()


def test_long_runs_are_cut_into_graphs(rng):
    pair, (images, labels) = Pair(lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), lr=0.01), batch(rng, 40)
    losses, _ = pair.graph.run(there(images), there(labels), batch_size=1)
    assert len(losses.get()) == 40 > 2 * LONGEST
    for k in range(40):
        assert losses.get()[k] == pytest.approx(pair.plain(images[k : k + 1], labels[k : k + 1])[0], rel=1e-4)
    pair.check()


def test_evaluation_takes_any_number_of_images(rng):
    pair = Pair()
    pair.both(*batch(rng, 4))
    x, y = batch(rng, 11)
    pair.agree(pair.graph.evaluate(there(x), there(y)), pair.plain.evaluate(x, y))
    x = x.astype(np.float32) / 255
    pair.agree(pair.graph.evaluate(there(x), there(y)), pair.plain.evaluate(x, y))
    pair.check()


def test_prediction(rng):
    pair, (x, _) = Pair(), batch(rng, 7)
    pair.both(*batch(rng, 4))
    scaled = x.astype(np.float32) / 255
    expected = pair.cpu(tinycnn.Tensor(scaled)).numpy()
    for given in (x, scaled):
        np.testing.assert_allclose(pair.graph.predict(there(given)).get(), expected, rtol=1e-4, atol=1e-5)


def test_training_goes_from_measurement_to_measurement(rng, begun):
    """The training loop runs 13 batches in 7 strides, and finds what plain finds batch by batch."""
    pair, (images, labels) = Pair(momentum=0.5), batch(rng, 25)
    here = [data.Batches(images, labels, 2, shuffle) for shuffle in (True, False)]
    images, labels = there(images), there(labels)
    on_gpu = [data.Batches(images, labels, 2, shuffle) for shuffle in (True, False)]
    expected, found = train(pair.plain, *here, epochs=2), train(pair.graph, *on_gpu, epochs=2)
    for ours, theirs in zip(found.history, expected.history, strict=True):
        assert vars(ours) == pytest.approx(vars(theirs), rel=1e-4)
    pair.check()
    warming_up, evaluations = 1, 2
    assert len(begun) == warming_up + 2 * 7 + evaluations


# What may change between steps


def test_schedules_need_no_new_graph(rng):
    pair = Pair(momentum=0.5)
    pair.both(*batch(rng, 4))
    graphs = pair.graph._replay
    for options in (dict(lr=0.1), dict(lr=0.0), dict(weight_decay=0.3, lr=0.2), dict(momentum=0.9)):
        pair.set(**options)
        pair.both(*batch(rng, 4))
    pair.check()
    assert pair.graph._replay is graphs


@pytest.mark.parametrize("options", [dict(momentum=0.9), dict(momentum=0.0)])
def test_momentum_may_be_switched_on_and_off(options, rng):
    pair = Pair(momentum=0.9 - options["momentum"])
    pair.both(*batch(rng, 4))
    pair.set(**options)
    for _ in range(2):
        pair.both(*batch(rng, 4))
    pair.check()


def test_a_larger_batch_is_compiled_for(rng):
    pair = Pair(momentum=0.9)
    for n in (3, 5, 4):
        pair.both(*batch(rng, n))
        assert f"compiled for batches of {max(n, 5) if n > 3 else 3}" in pair.graph.description
    pair.check()


def test_momentum_is_the_optimizers_own(rng):
    """Saved, restored and carried on: what a checkpoint does."""
    pair = Pair(momentum=0.9)
    pair.both(*batch(rng, 4))
    saved = [optimizer.state_dict() for optimizer in pair.optimizers]
    for name in saved[0]:
        np.testing.assert_allclose(saved[1][name], saved[0][name], rtol=1e-4, atol=1e-6, err_msg=name)
    pair.both(*batch(rng, 4))
    for optimizer, state in zip(pair.optimizers, saved, strict=True):
        optimizer.load_state_dict(state)
    for _ in range(2):
        pair.both(*batch(rng, 4))
    pair.check()


def test_parameters_may_be_loaded_in_place_or_replaced(rng):
    pair, other = Pair(), small_net().state_dict()
    pair.both(*batch(rng, 4))
    for model in (pair.cpu, pair.gpu):
        model.load_state_dict(other)
    pair.both(*batch(rng, 4))
    for p in pair.gpu.parameters():
        p.data = p.data.copy()
    pair.both(*batch(rng, 4))
    pair.check()


# That it can be captured


def test_an_allocation_during_capture_is_refused(rng, monkeypatch):
    pair = Pair()
    pair.both(*batch(rng, 4))
    replay = pair.graph._replay
    issue, allocate = replay._issue, replay.xp.empty
    monkeypatch.setattr(replay, "_issue", lambda launches: (allocate(3), issue(launches)))
    with pytest.raises(RuntimeError, match="a captured step tried to allocate"):
        pair.graph.run(there(batch(rng, 8)[0]), there(np.zeros(8, int)), batch_size=4)


def test_warming_up_changes_nothing(rng):
    model = small_net()
    before = model.state_dict()
    model.to("gpu")
    optimizer = SGD(model.parameters(), 0.5, momentum=0.9, weight_decay=0.1)
    x, y = batch(rng, 3)
    GraphStep(model, nn.CrossEntropyLoss(), optimizer).evaluate(there(x), there(y))
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(v.get().any() for v in optimizer.momentum_buffers)


def test_close_gives_the_memory_back(rng):
    pair = Pair()
    pair.both(*batch(rng, 3))
    held = weakref.ref(pair.graph._replay)
    pair.graph.close()
    gc.collect()
    assert held() is None
    pair.both(*batch(rng, 3))  # a new start
    pair.check()


# Refusals


def on_gpu(model):
    model.to("gpu")
    return model


def refusal(model=None, loss=None, optimizer=SGD, **options):
    model = model or on_gpu(small_net())
    with pytest.raises(UnsupportedModel) as caught:
        GraphStep(model, loss or nn.CrossEntropyLoss(), optimizer(model.parameters(), 0.1, **options))
    return str(caught.value)


class OwnSGD(SGD):
    pass


def test_refusals():
    assert refusal(on_gpu(LeNet(dropout=0.5))).startswith("graph: layer 9 (Dropout(p=0.5)) has no fused kernel")
    assert refusal(small_net()) == 'graph: the model is on the CPU; move it with model.to("gpu")'
    assert "CrossEntropyLoss with class weights has no kernel" in refusal(loss=nn.CrossEntropyLoss(np.ones(10)))
    assert "CrossEntropyLoss with reduction='sum' has no kernel" in refusal(loss=nn.CrossEntropyLoss(reduction="sum"))
    assert "with ignore_index=2, which may be a class, has no" in refusal(loss=nn.CrossEntropyLoss(ignore_index=2))
    assert "has no kernel, only CrossEntropyLoss" in refusal(loss=lambda logits, y: logits.sum())
    assert "SGD with dampening has no kernel" in refusal(momentum=0.9, dampening=0.5)
    assert "OwnSGD has no kernel, only SGD" in refusal(optimizer=OwnSGD)


def test_more_classes_than_the_loss_takes_are_refused(rng):
    many = nn.Sequential(nn.Flatten(), nn.Linear(4, MOST_CLASSES + 1))
    assert f"{MOST_CLASSES + 1} classes, and the kernel of the loss takes {MOST_CLASSES} at most" in refusal(
        on_gpu(many)
    )
    with make_step(many, nn.CrossEntropyLoss(), SGD(many.parameters(), 0.1)) as step:
        assert step.description.startswith("plain: ") and f"not graph: {MOST_CLASSES + 1} classes" in step.description
    images = nn.Sequential(nn.Conv2d(1, MOST_CLASSES + 1, 1), nn.Flatten())  # known with the first image
    with pytest.raises(UnsupportedModel, match=f"{MOST_CLASSES + 1} classes"):
        Plan(images, (1, 1, 1), 4)
    assert Plan(nn.Sequential(nn.Conv2d(1, MOST_CLASSES, 1), nn.Flatten()), (1, 1, 1), 4).classes == MOST_CLASSES


def test_a_frozen_parameter_is_refused():
    model = on_gpu(small_net())
    next(model.parameters()).requires_grad_(False)
    assert "graph: 0.weight is frozen" in refusal(model)
    with pytest.raises(UnsupportedModel, match="0.weight is frozen"):
        GraphStep(model, nn.CrossEntropyLoss(), SGD(list(model.parameters())[1:], 0.1))


def test_what_the_optimizer_became_is_refused_at_the_next_step(rng):
    pair = Pair(momentum=0.9)
    pair.both(*batch(rng, 3))
    pair.set(dampening=0.1)
    with pytest.raises(UnsupportedModel, match="dampening"):
        pair.graph(*map(there, batch(rng, 3)))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (dict(batch_size=0), "run: 0 batches of 0 from number 0 on, but there are 0"),
        (dict(first_batch=4), r"run: 0 batches of 5 from number 4 on, but there are 4 \(20 images\)"),
        (dict(first_batch=-1), "run: 5 batches of 5 from number -1 on"),
        (dict(count=5), "run: 5 batches of 5 from number 0 on, but there are 4"),
        (dict(order=np.arange(21)), "run: order goes from 0 to 20, but there are 20 images"),
        (dict(order=np.ones(20)), r"run: order is float64 \(20,\), expected integers"),
        (dict(labels=np.zeros(19, int)), r"images uint8 \(20, 1, 28, 28\) and labels int64 \(19,\)"),
        (dict(labels=np.zeros(20)), "labels float64"),
        (dict(images=np.zeros((20, 1, 28, 28), np.float32)), "images float32"),
        (dict(images=np.zeros((20, 1, 28, 28))), "got a batch float64"),
    ],
)
def test_arguments_of_run(change, text):
    given = dict(images=np.zeros((20, 1, 28, 28), np.uint8), labels=np.zeros(20, int), batch_size=5) | change
    given["images"], given["labels"] = there(given["images"]), there(given["labels"])
    with pytest.raises(ValueError, match=text):
        Pair().graph.run(**given)


def test_a_batch_without_images_is_refused():
    with pytest.raises(ValueError, match="got 0 examples"):
        Pair().graph(there(np.zeros((0, 1, 28, 28), np.uint8)), there(np.zeros(0, np.int64)))


# How it is chosen


def test_auto_on_a_gpu_is_graph_where_the_model_allows_it(rng):
    model = on_gpu(small_net())
    with make_step(model, nn.CrossEntropyLoss(), SGD(model.parameters(), 0.1)) as step:
        assert isinstance(step, GraphStep)
        step(*map(there, batch(rng, 3)))
        assert step.description.startswith("graph: 10 fused kernels in a CUDA graph")


def test_auto_on_a_gpu_is_plain_where_it_does_not_and_says_why(rng):
    model = on_gpu(LeNet(dropout=0.5, channels=(2, 3)))
    with make_step(model, nn.CrossEntropyLoss(), SGD(model.parameters(), 0.1)) as step:
        reason = "not graph: layer 9 (Dropout(p=0.5)) has no fused kernel"
        assert step.description == f"plain: the whole batch on one tape, {reason}"
        loss, _ = step(*map(there, batch(rng, 3)))
        assert np.isfinite(float(loss))


def test_asked_for_by_name_graph_refuses_instead():
    model = on_gpu(LeNet(dropout=0.5))
    with pytest.raises(UnsupportedModel, match="layer 9"):
        make_step(model, nn.CrossEntropyLoss(), SGD(model.parameters(), 0.1), "graph")
