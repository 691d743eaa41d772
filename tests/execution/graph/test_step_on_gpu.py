"""The strategy "graph" on a GPU, or on tests/emulator: skipped, with the reason, where there is neither.

    python -m pytest -m gpu                          all tests that need a GPU; ops and layers have theirs as well
    python -m pytest -m "gpu and not slow"           without the ten epochs

Numbers of images are as small as still proves the point, for an emulated GPU is a million times slower than a real one.

Memory errors, races between threads and reads of memory that nobody wrote are looked for by NVIDIA's tool:

    compute-sanitizer --tool memcheck  python -m pytest -m "gpu and not slow" tests/execution/graph/test_step_on_gpu.py
    compute-sanitizer --tool racecheck python -m pytest -m "gpu and not slow" tests/execution/graph/test_step_on_gpu.py
    compute-sanitizer --tool initcheck python -m pytest -m "gpu and not slow" tests/execution/graph/test_step_on_gpu.py
"""

import re
import warnings

import numpy as np
import pytest

import tinycnn
from tinycnn import data, nn
from tinycnn.backend import to_device
from tinycnn.execution import make_step
from tinycnn.execution.graph.replay import LONGEST
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.random import manual_seed

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("a_gpu")]


IMAGES = 2_000  # batches of 100 make 20 of them: a graph of the longest kind, and a shorter one
SIZE = 100


@pytest.fixture(scope="module")
def pictures(a_gpu):
    """Images that can be learnt, the same at every run, and their labels, on the GPU."""
    assert LONGEST < IMAGES // SIZE
    train = data.Silhouettes(train=True, size=IMAGES)
    return to_device(train.images, "gpu"), to_device(train.labels, "gpu")


MODELS = {
    "lenet": lambda: LeNet(),
    "relu, max, wider": lambda: LeNet(channels=(16, 32), activation="relu", pool="max"),
    "tanh, three convolutions": lambda: LeNet(channels=(4, 8, 12), kernel_size=3, activation="tanh", same_padding=True),
    "strides and overlapping pools": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(8, 12, (3, 5), padding=(0, 2), dilation=(2, 1)),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(12 * 3 * 7, 200),
        nn.ReLU(),
        nn.Linear(200, 150),
        nn.Sigmoid(),
        nn.Linear(150, 10),
    ),
}


def trainer(strategy, make=LeNet, lr=0.2, loss=None, **options):
    manual_seed(7)
    model = make()
    model.to("gpu")
    return make_step(model, loss or nn.CrossEntropyLoss(), SGD(model.parameters(), lr, **options), strategy)


def parameters(step):
    return {name: p.numpy() for name, p in step.model.named_parameters()}


def assert_near(ours, theirs, rel=1e-4):
    for name, expected in theirs.items():
        distance = np.linalg.norm(ours[name] - expected) / np.linalg.norm(expected)
        assert distance < rel, f"{name} is off by {distance:.1e} of its size"


# The same numbers as eager


@pytest.mark.parametrize("steps", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_many_steps_follow_eager(steps, pictures, rng):
    images, labels = pictures
    plain, graph = trainer("plain"), trainer("graph")
    for _ in range(steps):
        chosen = to_device(rng.integers(0, len(images), 32), "gpu")
        x, y = images.take(chosen, axis=0), labels.take(chosen)
        ours, theirs = graph(x, y), plain(x, y)
        assert float(ours[0]) == pytest.approx(float(theirs[0]), rel=1e-4)
        assert abs(int(ours[1]) - int(theirs[1])) <= 1  # two logits may be equal but for rounding
    assert_near(parameters(graph), parameters(plain))


NESTEROV = dict(momentum=0.9, weight_decay=1e-3, nesterov=True)
BY_DAY = [*((name, {}) for name in MODELS), ("lenet", NESTEROV)]
BY_NIGHT = [pytest.param(name, NESTEROV, marks=pytest.mark.slow) for name in MODELS if name != "lenet"]


@pytest.mark.parametrize(("name", "options"), [*BY_DAY, *BY_NIGHT], ids=str)  # many kernels to compile
def test_models_and_rules_follow_eager(name, options, pictures):
    images, labels = pictures
    options = dict(make=MODELS[name], lr=0.05, loss=nn.CrossEntropyLoss(label_smoothing=0.1), **options)
    plain, graph = trainer("plain", **options), trainer("graph", **options)
    for n in (100, 100, 33, 1, 100):
        x, y = images[:n], labels[:n]
        assert float(graph(x, y)[0]) == pytest.approx(float(plain(x, y)[0]), rel=1e-4)
    assert_near(parameters(graph), parameters(plain))
    images, labels = images[:230], labels[:230]  # two full batches and a part of one
    ours, theirs = graph.evaluate(images, labels), plain.evaluate(images, labels)
    assert float(ours[0]) == pytest.approx(float(theirs[0]), rel=1e-4) and abs(int(ours[1]) - int(theirs[1])) <= 3
    expected = plain.model(tinycnn.Tensor(data.scale(images))).numpy()
    np.testing.assert_allclose(to_device(graph.predict(images), "cpu"), expected, rtol=1e-3, atol=1e-3)


def test_run_equals_step_after_step(pictures, rng):
    images, labels = pictures
    order, n = rng.permutation(len(images)), 50
    order = order[: n * (LONGEST + 4)]
    one, many = trainer("graph"), trainer("graph")
    losses, corrects = many.run(images, labels, order, batch_size=n)
    assert len(losses) == LONGEST + 4
    for k in range(len(losses)):
        chosen = to_device(order[n * k : n * k + n], "gpu")
        loss, correct = one(images.take(chosen, axis=0), labels.take(chosen))
        assert float(loss) == float(losses[k]) and int(correct) == int(corrects[k])
    ours, theirs = parameters(many), parameters(one)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


# Replays


def test_the_same_bits_at_every_run(pictures):
    runs = []
    for _ in range(2):
        step = trainer("graph", momentum=0.9, lr=0.05)
        losses, _ = step.run(*pictures, batch_size=SIZE)
        runs.append((to_device(losses, "cpu"), parameters(step)))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert all(np.array_equal(runs[0][1][name], runs[1][1][name]) for name in runs[0][1])


def test_arrays_allocated_between_replays_change_nothing(pictures):
    import cupy

    quiet, disturbed = trainer("graph"), trainer("graph")
    quiet.run(*pictures, batch_size=SIZE)
    for k in range(IMAGES // SIZE):
        held = [cupy.full(size, np.nan, np.float32) for size in (1, 100, 10_000, 1_000_000)]
        disturbed.run(*pictures, batch_size=SIZE, first_batch=k, count=1)
        del held
        if k % 5 == 0:
            cupy.get_default_memory_pool().free_all_blocks()
    ours, theirs = parameters(disturbed), parameters(quiet)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_nothing_waits_for_the_gpu(pictures):
    import cupyx

    step, floats = trainer("graph"), pictures[0][:SIZE].astype(np.float32)
    step.run(*pictures, batch_size=SIZE, count=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the switch is deprecated, and there is no other
        with cupyx.allow_synchronize(False):
            step.run(*pictures, batch_size=SIZE)
            step(pictures[0][:SIZE], pictures[1][:SIZE])
            step(floats, pictures[1][:SIZE])
            step.evaluate(*pictures)
            step.predict(pictures[0])


def test_a_captured_step_of_lenet_is_twelve_kernels(pictures):
    step = trainer("graph")
    step.run(*pictures, batch_size=256, count=2)
    nodes = re.findall(
        r"^\s*\"?graph_\w*node_\d+\"?\s*\[", step._replay._graphs["train", 2].debug_dot_str(), re.MULTILINE
    )
    assert len(nodes) == 2 * 12


def test_no_kernel_keeps_numbers_in_slow_local_memory(pictures):
    step = trainer("graph")
    step(pictures[0][:256], pictures[1][:256])
    for name, kernel in step._replay.kernels.items():
        if not name.startswith("head<"):  # whose table of pointers may lie there
            assert kernel.local_size_bytes == 0, name


def test_a_label_that_names_no_class_makes_the_loss_nan(pictures):
    images, labels = pictures[0][:10], pictures[1][:10].copy()
    labels[3] = 10
    assert np.isnan(float(trainer("graph")(images, labels)[0]))


# Learning


@pytest.mark.slow
def test_ten_epochs_of_the_chapter():
    """Fashion-MNIST, batch 256, learning rate 0.9: the band into which the chapter's own published runs fall."""
    try:
        train, test = data.load("fashion", download=False)
    except data.DatasetError as error:
        pytest.skip(str(error).splitlines()[0])
    step, batches = trainer("graph", lr=0.9), data.Batches(train.images, train.labels, 256)
    images, labels = to_device(train.images, "gpu"), to_device(train.labels, "gpu")
    for epoch in range(10):
        losses, corrects = step.run(images, labels, batches.order(epoch), batch_size=256)
    _, correct = step.evaluate(to_device(test.images, "gpu"), to_device(test.labels, "gpu"))
    assert float(losses.sum()) / len(train) <= 0.53
    assert int(corrects.sum()) / len(train) >= 0.79
    assert int(correct) / len(test) >= 0.77
