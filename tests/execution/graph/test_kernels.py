"""The CUDA kernels' own text, run on the CPU, against the ops that they must equal.

Each kernel runs alone, on inputs that the ops computed, so that a failure names the kernel.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cuda_shim
import numpy as np
import pytest
from plan_on_cpu import PlanOnCpu, Reference

from tinycnn import nn
from tinycnn.execution.graph import compile as compiler
from tinycnn.execution.graph import tiles
from tinycnn.execution.graph.plan import Plan
from tinycnn.models import LeNet

pytestmark = [pytest.mark.shim, cuda_shim.needs_compiler]

MODELS = {  # name: layers, image, number of images
    "lenet": ([*LeNet()], (1, 28, 28), 5),
    "relu, max": ([*LeNet(activation="relu", pool="max")], (1, 28, 28), 2),
    "strides": (
        [
            nn.Conv2d(1, 3, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0)),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(60, 7),
        ],
        (1, 9, 10),
        1,
    ),
    "pools apart": (
        [
            nn.Conv2d(2, 3, 3, padding=2),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(3, 7, 5, stride=3, padding=2),
            nn.Sigmoid(),
            nn.AvgPool2d((1, 2)),
            nn.Flatten(),
            nn.Linear(14, 13),
            nn.Sigmoid(),
            nn.Linear(13, 4),
        ],
        (2, 7, 9),
        4,
    ),
    "overlapping pools": (
        [
            nn.Conv2d(3, 4, 3, dilation=2, bias=False),
            nn.Tanh(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(4, 9, 2, stride=(2, 3), padding=(0, 1)),
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
            nn.ReLU(),
            nn.AvgPool2d(2, stride=1, padding=1),
            nn.Flatten(),
            nn.Linear(81, 5, bias=False),
        ],
        (3, 12, 13),
        3,
    ),
    "pools that round up": (
        [
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.AvgPool2d(2, ceil_mode=True),
            nn.MaxPool2d(2, ceil_mode=True, dilation=2),
            nn.Conv2d(4, 6, 2),
            nn.Flatten(),
        ],
        (1, 13, 12),
        2,
    ),
    "no linear": (
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 10, 3), nn.MaxPool2d(3), nn.Flatten()],
        (1, 8, 7),
        6,
    ),
    "perceptron": (
        [nn.Flatten(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 3)],
        (1, 5, 6),
        9,
    ),
    "wide perceptron": (
        [
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(18, 200),
            nn.Sigmoid(),
            nn.Linear(200, 150),
            nn.ReLU(),
            nn.Linear(150, 12),
            nn.Tanh(),
        ],
        (2, 6, 6),
        37,
    ),
    "large kernels": (
        [
            nn.Conv2d(1, 2, 11, padding=5),
            nn.Sigmoid(),
            nn.AvgPool2d(2),
            nn.Conv2d(2, 3, 7, padding=3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48, 10),
        ],
        (1, 16, 16),
        3,
    ),
    "many filters": (
        [
            nn.Sigmoid(),
            nn.Conv2d(2, 17, 1),
            nn.Tanh(),
            nn.Sigmoid(),
            nn.Conv2d(17, 11, 2),
            nn.AvgPool2d(3),
            nn.Flatten(),
            nn.ReLU(),
            nn.Linear(11, 600),
            nn.Linear(600, 11),
        ],
        (2, 5, 6),
        33,
    ),
    "dilation": (
        [
            nn.Conv2d(1, 3, 2),
            nn.Tanh(),
            nn.Conv2d(3, 5, (3, 2), dilation=(2, 3), padding=(2, 1), stride=(1, 2)),
            nn.Sigmoid(),
            nn.AvgPool2d((3, 1)),
            nn.Flatten(),
            nn.Linear(75, 9),
        ],
        (1, 11, 12),
        3,
    ),
    "many splits": (
        [nn.Conv2d(1, 2, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2 * 11 * 11, 3)],
        (1, 24, 24),
        25,
    ),
    "many blocks": ([nn.Linear(3, 2)], (3,), 301),
    "rows": ([nn.Linear(7, 5, bias=False), nn.ReLU(), nn.Linear(5, 2)], (7,), 3),
}
LR = 0.5


def seen(stage):
    """The part of a (O, OH, OW, N) array that the windows of the fused pooling look at."""
    return np.s_[:, : stage.gives[1] * stage.window[0], : stage.gives[2] * stage.window[1]]


class Bench:
    """A model's plan on the CPU, every buffer holding what the ops in float64 say, to run kernels one by one."""

    def __init__(self, name, rng, **options):
        layers, image, self.images = MODELS[name]
        self.model = nn.Sequential(*layers)
        for p in self.model.parameters():
            p.data[...] = rng.uniform(-1, 1, p.shape) / np.prod(p.shape[1:]) ** 0.5
        self.plan = Plan(self.model, image, self.images, smoothing=0.1, **options)
        self.bytes = rng.integers(0, 256, (self.images, *image), dtype=np.uint8)
        self.labels = rng.integers(0, self.plan.classes, self.images)
        self.reference = Reference(self.plan, self.bytes / np.float32(255), self.labels, smoothing=0.1)
        self.cpu = PlanOnCpu(self.plan)
        self.arrays = self.cpu.arrays
        self.cpu.begin(self.bytes, self.labels, lr=LR)
        self.cpu.run(self.plan.evaluate)  # for the winners of max pooling; the forward tests check them
        self.cpu.begin(self.bytes, self.labels, lr=LR)  # again, for `finish` moved on
        for array, expected in self.reference.arrays.items():
            if array in self.arrays:
                self.arrays[array][...] = expected

    def launches(self, kernel):
        """(stage, launch) for each launch of a kernel."""
        found = [launch for launch in self.plan.train if launch.kernel.startswith(kernel + "<")]
        return [(int(launch.kernel.split("Stage")[1][0]), launch) for launch in found]

    def run(self, launch, *outputs):
        """Run one launch; first wipe its outputs, but a dz whose stage averages, which holds the activations."""
        for name in outputs:
            self.arrays[name][...] = 0
            if name.startswith("dz") and f"a{name[2:]}" in self.reference.arrays:
                if (stage := self.plan.stages[int(name[2:])]).pooling == "AVERAGE":
                    self.arrays[name][seen(stage)] = self.reference.arrays[f"a{name[2:]}"][seen(stage)]
        self.cpu.run([launch])

    def check(self, name, expected=None, actual=None):
        expected = self.reference.arrays[name] if expected is None else expected
        actual = self.arrays[name] if actual is None else actual
        atol = 2e-6 * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=atol, err_msg=name)


@pytest.fixture(params=MODELS)
def bench(request, rng):
    return Bench(request.param, rng)


def test_gather_takes_the_batch_from_the_shuffled_bytes(bench, rng):
    N, image = bench.images, bench.plan.image
    images, labels = rng.integers(0, 256, (2 * N + 3, *image), dtype=np.uint8), rng.integers(0, 99, 2 * N + 3)
    order, expected = rng.permutation(2 * N + 3), images / np.float32(255)
    for batch, chosen in enumerate((order[:N], order[N : 2 * N], order[2 * N :][:N])):
        bench.cpu.begin(images, labels, order, batch=batch)
        bench.cpu.run(bench.plan.train[:1])
        n = len(chosen)
        assert np.array_equal(bench.arrays["x"][..., :n].transpose(3, 0, 1, 2), expected[chosen])
        assert np.array_equal(bench.arrays["labels"][:n], labels[chosen])
        assert not bench.arrays["x"][..., n:].any()  # the lanes beyond a short batch


def test_gather_without_an_order_takes_images_as_they_lie(bench):
    bench.cpu.begin(bench.bytes, bench.labels)
    bench.cpu.run(bench.plan.train[:1])
    bench.check("x")
    assert np.array_equal(bench.arrays["labels"], bench.labels)


def test_conv_forward_equals_conv2d_activation_and_pooling(bench):
    for i, launch in bench.launches("conv_forward"):
        bench.arrays[f"dz{i}"][...] = 0
        bench.run(launch, f"y{i}")
        bench.check(f"y{i}")
        if (stage := bench.plan.stages[i]).pooling == "AVERAGE":  # dz holds the activations until backward
            bench.check(f"a{i}", bench.reference.arrays[f"a{i}"][seen(stage)], bench.arrays[f"dz{i}"][seen(stage)])
            bench.arrays[f"dz{i}"][seen(stage)] = 0
        assert not bench.arrays[f"dz{i}"].any()  # what no window looks at stays 0, so it needs no gradient


def test_linear_forward_equals_linear_and_activation(bench):
    for i, launch in bench.launches("linear_forward"):
        bench.run(launch, f"y{i}")
        bench.check(f"y{i}")


def test_pool_forward_equals_pooling_and_activation(bench):
    for i, launch in bench.launches("pool_forward"):
        bench.run(launch, f"y{i}")
        bench.check(f"y{i}")


def test_head_equals_linears_cross_entropy_and_their_backward(bench):
    (launch,) = [launch for launch in bench.plan.train if launch.kernel.startswith("head<")]
    tail = range(bench.plan.tail, len(bench.plan.stages))
    below = bench.plan.tail - 1
    outputs = [f"{kind}{i}" for i in tail for kind in ("y", "dz")]
    outputs += [f"dz{below}"] if below >= bench.plan.first else []
    bench.run(launch, *outputs)
    for name in outputs:
        bench.check(name)
    assert bench.arrays["losses"].sum() == pytest.approx(bench.reference.loss, rel=1e-5)
    assert bench.arrays["corrects"].sum() == bench.reference.correct


def test_head_stops_at_the_loss_in_evaluation(bench):
    (launch,) = [launch for launch in bench.plan.evaluate if launch.kernel.startswith("head<")]
    before = {name: array.copy() for name, array in bench.arrays.items() if name.startswith("dz")}
    bench.run(launch)
    assert bench.arrays["losses"].sum() == pytest.approx(bench.reference.loss, rel=1e-5)
    assert all(np.array_equal(bench.arrays[name], array) for name, array in before.items())


@pytest.mark.parametrize("kernel", ["conv_data_gradient", "linear_data_gradient", "pool_backward"])
def test_data_gradients_equal_backward_through_the_stage_below(kernel, bench):
    for i, launch in bench.launches(kernel):
        bench.run(launch, f"dz{i - 1}")
        bench.check(f"dz{i - 1}")


def test_conv_weight_gradient_equals_backward_of_conv2d(bench):
    for i, launch in bench.launches("conv_weight_gradient"):
        bench.arrays[f"partial{i}"][...] = np.nan
        bench.run(launch)
        dw, bias = bench.reference.arrays[f"dw{i}"], bench.plan.stages[i].parameters.get("bias")
        total = bench.arrays[f"partial{i}"].sum(axis=0)
        bench.check(f"dw{i}", actual=total[: dw.size].reshape(dw.shape))
        bench.check(f"db{i}", bench.reference.arrays[f"dz{i}"].sum(axis=(1, 2, 3)), total[dw.size :])
        if bias is not None:
            bench.check(f"db{i}", actual=total[dw.size :])


@pytest.mark.parametrize("rule", ["plain", "decay", "momentum", "nesterov"])
@pytest.mark.parametrize("name", ["overlapping pools", "many splits", "wide perceptron", "rows"])
def test_updates_equal_sgd(name, rule, rng):
    momentum, decay = 0.9 * (rule in ("momentum", "nesterov")), 0.25 * (rule != "plain")
    bench = Bench(name, rng, momentum=bool(momentum), nesterov=rule == "nesterov")
    bench.cpu.begin(None, None, lr=LR, momentum=momentum, decay=decay)
    updates = [x for x in bench.plan.train if x.kernel.startswith(("conv_updates<", "linear_weight_gradients<"))]
    updated = {a for launch in updates for a in launch.arguments if a in bench.plan.parameters}
    assert updated == set(bench.plan.parameters)
    expected, velocities = {}, {}
    for name, p in bench.plan.parameters.items():
        w = bench.arrays[name].astype(float)
        g = bench.reference.arrays[f"d{name}"] + decay * w
        if momentum:
            bench.arrays[f"v{name}"][...] = v = rng.standard_normal(p.shape)
            velocities[f"v{name}"] = momentum * v + g
            g = g + momentum * velocities[f"v{name}"] if rule == "nesterov" else velocities[f"v{name}"]
        expected[name] = w - LR * g
    for i in bench.plan.convs:
        shares = rng.dirichlet(np.ones(len(bench.arrays[f"partial{i}"])))  # of the blocks in the gradient
        gradient = [bench.reference.arrays[f"d{kind}{i}"].ravel() for kind in "wb" if f"{kind}{i}" in expected]
        if len(gradient) == 1:
            gradient.append(np.full(bench.plan.stages[i].sums[0], np.nan))  # of a bias that is not there
        bench.arrays[f"partial{i}"][...] = shares[:, None] * np.concatenate(gradient)
    for launch in updates:
        bench.run(launch)
    for name, value in (expected | velocities).items():
        bench.check(name, expected=value)


def test_finish_writes_the_history_and_moves_on(bench):
    (launch,) = [launch for launch in bench.plan.evaluate if launch.kernel == "finish<Head>"]
    bench.cpu.losses[...], bench.cpu.corrects[...] = np.nan, -1
    bench.arrays["losses"][...] = np.arange(bench.arrays["losses"].size) + 0.5
    bench.arrays["corrects"][...] = 2
    bench.run(launch)
    bench.arrays["corrects"][...] = 3
    bench.run(launch)
    blocks = bench.arrays["losses"].size
    assert bench.cpu.losses[:2] == pytest.approx([bench.arrays["losses"].sum()] * 2)
    assert bench.cpu.corrects[:3].tolist() == [2 * blocks, 3 * blocks, -1]


def test_the_bench_has_sums_over_many_blocks(rng):
    splits = Bench("many splits", rng).plan.convs[0].WeightGradient.SPLITS
    assert splits > 8 and splits % 8  # rows of threads in conv_updates
    assert Bench("many blocks", rng).arrays["losses"].size > 2 * 32  # threads of finish


def test_the_bench_has_every_kernel():
    used = {launch.kernel.split("<")[0] for layers, image, n in MODELS.values() for launch in plan_of(layers, image, n)}
    assert used == {
        "gather", "conv_forward", "linear_forward", "pool_forward", "head", "finish", "pool_backward",
        "conv_data_gradient", "conv_weight_gradient", "conv_updates", "linear_data_gradient", "linear_weight_gradients",
    }  # fmt: skip


def plan_of(layers, image, images):
    return Plan(nn.Sequential(*layers), image, images).train


# Cuts.  For models this small the cheapest cut is often the plainest, so others must be tried as well.


@pytest.mark.parametrize("draw", [0, *(pytest.param(draw, marks=pytest.mark.slow) for draw in (1, 2, 3))])
@pytest.mark.parametrize(
    "name", ["relu, max", "strides", "pools apart", "no linear", "wide perceptron", "many filters", "dilation"]
)
def test_any_cut_gives_the_same_numbers(name, draw, rng, monkeypatch):
    """Tiles that overrun the image, filters that do not divide, several groups, slices and splits."""
    monkeypatch.setattr(tiles, "_cheapest", lambda offers: (found := list(offers))[rng.integers(len(found))][1])
    layers, image, images = MODELS[name]
    plan = Plan(nn.Sequential(*layers), image, images)
    data, labels = rng.integers(0, 256, (images, *image), dtype=np.uint8), rng.integers(0, plan.classes, images)
    reference, cpu = Reference(plan, data / np.float32(255), labels), PlanOnCpu(plan, backwards=bool(draw % 2))
    cpu.begin(data, labels, lr=1e4)  # so large that the parameters' own digits do not hide the gradient's
    cpu.run(plan.train)
    for array, expected in reference.arrays.items():
        if array.startswith(("y", "dz")):
            assert_near(array, cpu.arrays[array], expected)
        elif array.startswith(("dw", "db")):
            assert_near(array, (plan.parameters[array[1:]].data - cpu.arrays[array[1:]]) / 1e4, expected)


def assert_near(name, actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max(), err_msg=name)


# Memory.  That nothing is written outside an array is checked after every run above.


FENCED = """
import numpy as np, sys
from plan_on_cpu import PlanOnCpu
from tinycnn.execution.graph import compile as compiler
from tinycnn.execution.graph import tiles
from tinycnn.execution.graph.plan import Plan
from tests.execution.graph.test_kernels import MODELS, nn
text = compiler.kernel_text().replace(*{swap!r})
compiler.kernel_text = lambda: text
for name in {names!r}:
    tiles._cheapest = lambda offers: list(offers)[-1][1]  # large tiles, which reach beyond every edge
    layers, image, images = MODELS[name]
    plan = Plan(nn.Sequential(*layers), image, images, momentum=True)
    data, labels = np.zeros((images, *image), np.uint8), np.zeros(images, np.int64)
    for fence in ("start", "end"):
        cpu = PlanOnCpu(plan, fence=fence)
        cpu.begin(data, labels)
        cpu.run(plan.train)
print("done")
"""


def run_fenced(names, swap=("", "")):
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)])}
    program = FENCED.format(names=names, swap=swap)
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)


BY_DAY = ["strides", "overlapping pools", "no linear", "many filters"]
BY_NIGHT = ["pools apart", "pools that round up", "dilation"]


@pytest.mark.parametrize("names", [BY_DAY, pytest.param(BY_NIGHT, marks=pytest.mark.slow)], ids=", ".join)
def test_nothing_is_read_outside_an_array(names):
    done = run_fenced(names)
    assert done.stdout == "done\n", (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("right", "careless"),
    [
        ("inside ? x[", "true ? x["),
        ("bottom = min(h0 + RH, H)", "bottom = h0 + RH"),
        ("bottom = min(i0 + RH, OH)", "bottom = i0 + RH"),
        ("min(first + o, O - 1)", "(first + o)"),
        ("min(t, (C - first) * TAPS - 1)", "t"),
        ("k0 + q > K ? 0.0f", "k0 + q > K + 1 ? 0.0f"),
    ],
)
def test_a_read_outside_an_array_would_be_noticed(right, careless):
    assert right in compiler.kernel_text()
    assert (
        run_fenced(["strides", "no linear", "many filters", "perceptron"], (right, careless)).returncode
        == -signal.SIGSEGV
    )


# Ties, and numbers that are not


POOLED = {  # a max pooling that rides on a convolution, and one that does not
    "rides": [nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Flatten()],
    "apart": [nn.Conv2d(1, 1, 1), nn.Sigmoid(), nn.MaxPool2d(3, stride=1, padding=1), nn.Flatten()],
}


@pytest.mark.parametrize("name", POOLED)
def test_of_equal_numbers_the_first_gets_the_gradient(name, rng):
    plan = Plan(nn.Sequential(*POOLED[name]), (1, 4, 4), 3)
    x, labels = np.full((3, 1, 4, 4), 0.5, np.float32), rng.integers(0, plan.classes, 3)
    cpu, reference = PlanOnCpu(plan), Reference(plan, x, labels)
    cpu.begin(None, labels)
    cpu.arrays["x"][...], cpu.arrays["labels"][...] = 0.5, labels
    cpu.run(plan.train[1:])
    np.testing.assert_allclose(cpu.arrays["dz0"], reference.arrays["dz0"], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("label", "right"), [(0, 37), (1, 0), (8, 0)])
def test_of_equal_logits_the_first_is_the_guess(label, right, rng):
    bench = Bench("wide perceptron", rng)  # of 12 classes, so some share a thread
    last = len(bench.plan.stages) - 1
    bench.arrays[f"w{last}"][...], bench.arrays[f"b{last}"][...], bench.arrays["labels"][...] = 0, 0, label
    (launch,) = [launch for launch in bench.plan.evaluate if launch.kernel.startswith("head<")]
    bench.run(launch)
    assert bench.arrays["corrects"].sum() == right


@pytest.mark.parametrize("name", POOLED)
def test_the_last_nan_wins_in_its_window(name):
    plan = Plan(nn.Sequential(*POOLED[name]), (1, 4, 4), 1)
    cpu = PlanOnCpu(plan)
    cpu.arrays["x"][0, 1, :2] = np.nan
    cpu.begin(None, np.zeros(1, int))
    cpu.run(plan.evaluate[1:])
    nan = np.isnan(cpu.arrays[plan.logits][0, ..., 0])
    assert nan.sum() == (1 if name == "rides" else 9) and nan[0, 0]
    assert cpu.arrays["arg0" if name == "rides" else "arg1"][0, 0, 0, 0] == (3 if name == "rides" else 8)


def test_a_label_that_names_no_class_makes_the_loss_nan(rng):
    bench = Bench("perceptron", rng)
    bench.arrays["labels"][0] = 3
    (launch,) = [launch for launch in bench.plan.evaluate if launch.kernel.startswith("head<")]
    bench.run(launch)
    assert np.isnan(bench.arrays["losses"][0]) and np.isfinite(bench.arrays["losses"][1:]).all()


@pytest.mark.parametrize("name", ["lenet", "relu, max"])
def test_nan_is_not_hidden_by_activations_or_pooling(name, rng):
    bench = Bench(name, rng)
    bench.arrays["w0"][0, 0, 0, 0] = np.nan
    bench.cpu.run(bench.plan.evaluate)
    assert np.isnan(bench.cpu.losses[0])


def test_large_logits_do_not_overflow(rng):
    bench = Bench("perceptron", rng)
    (launch,) = [launch for launch in bench.plan.train if launch.kernel.startswith("head<")]
    bench.arrays["w2"][...], bench.arrays["b2"][...], bench.arrays["labels"][...] = 0, [1e4, -1e4, 3e4], 2
    bench.run(launch)
    assert bench.arrays["losses"].sum() == pytest.approx(9 * 0.1 / 3 * (2e4 + 4e4), rel=1e-5)
    assert np.isfinite(bench.arrays["dz2"]).all()
