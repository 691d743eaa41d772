"""Whole steps of a plan, run on the CPU from the kernels' own text, against the plain strategy."""

import dataclasses
import itertools
import re

import cuda_shim
import numpy as np
import pytest
from plan_on_cpu import PlanOnCpu

from tinycnn import nn
from tinycnn.execution import make_step
from tinycnn.execution.graph.compile import kernel_text
from tinycnn.execution.graph.plan import BOOKS, MAIN, STATE_BYTES, WEIGHTS, Plan
from tinycnn.models import LeNet
from tinycnn.optim import SGD

shim = pytest.mark.shim
needs_compiler = cuda_shim.needs_compiler


def three_steps(rng, model, images, batch, last, plan_options, **rule):
    """Three batches, the last of `last` images: by the plan on the CPU and by the plain strategy."""
    plan = Plan(model, images.shape[1:], batch, **plan_options)
    labels, order = rng.integers(0, plan.classes, len(images)), rng.permutation(len(images))
    cpu = PlanOnCpu(plan)
    total = 2 * batch + last
    cpu.begin(images, labels, order, total=total, **rule)
    for step in plan.steps(3):
        cpu.run(step)
    smoothing = plan_options.get("smoothing", 0.0)
    options = dict(momentum=rule.get("momentum", 0), weight_decay=rule.get("decay", 0))
    optimizer = SGD(model.parameters(), rule["lr"], nesterov=plan_options.get("nesterov", False), **options)
    with make_step(model, nn.CrossEntropyLoss(label_smoothing=smoothing), optimizer, "plain") as step:
        for k in range(3):
            chosen = order[k * batch : min((k + 1) * batch, total)]
            loss, correct = step(images[chosen], labels[chosen])
            assert cpu.losses[k] == pytest.approx(loss, rel=1e-5) and cpu.corrects[k] == correct
    for name, p in plan.parameters.items():
        np.testing.assert_allclose(cpu.arrays[name], p.data, rtol=1e-4, atol=1e-5 * np.abs(p.data).max(), err_msg=name)


@shim
@needs_compiler
def test_three_steps_of_lenet_equal_the_plain_strategy(rng):
    images = rng.integers(0, 256, (20, 1, 28, 28), dtype=np.uint8)
    three_steps(rng, LeNet(), images, batch=5, last=3, plan_options={}, lr=0.9)


@shim
@needs_compiler
def test_three_steps_with_momentum_decay_and_smoothing(rng):
    images = rng.integers(0, 256, (30, 1, 28, 28), dtype=np.uint8)
    model = LeNet(activation="relu", pool="max", channels=(3, 5), hidden=(17,))
    options = dict(momentum=True, nesterov=True, smoothing=0.1)
    three_steps(rng, model, images, batch=9, last=1, plan_options=options, lr=0.05, momentum=0.9, decay=1e-2)


@shim
@needs_compiler
@pytest.mark.parametrize("model", [LeNet(channels=(3, 4)), LeNet(activation="tanh", pool="max", channels=(2, 3))])
def test_no_order_of_threads_or_branches_changes_a_bit(model, rng):
    """Threads between two barriers backwards, and the side branch as late as allowed: a race would show."""
    plan = Plan(model, (1, 28, 28), 6, momentum=True)
    images, labels = rng.integers(0, 256, (6, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, 6)
    runs = [PlanOnCpu(plan), PlanOnCpu(plan, backwards=True), *(PlanOnCpu(plan, late=late) for late in (1, -1))]
    for cpu in runs:
        cpu.begin(images, labels, size=3, lr=0.5, momentum=0.9)
        for step in plan.steps(2):
            cpu.run(step)
    assert all(np.isfinite(array).all() for name, array in runs[0].arrays.items() if name != "state")
    for name, array in runs[0].arrays.items():
        if name != "state":  # which holds addresses
            for other in runs[1:]:
                assert np.array_equal(array, other.arrays[name]), name


@shim
@needs_compiler
def test_a_missing_barrier_is_noticed(rng):
    plan = Plan(nn.Sequential(nn.Flatten(), nn.Linear(12, 200), nn.Linear(200, 300)), (3, 2, 2), 4)
    images, labels = rng.integers(0, 256, (4, 3, 2, 2), dtype=np.uint8), rng.integers(0, 10, 4)
    start = plan.source.index("product(const float*")
    barrier = plan.source.rindex("__syncthreads();", start, plan.source.index("float v[BATCH][NT];", start))
    plan.source = plan.source[:barrier] + plan.source[barrier + len("__syncthreads();") :]
    losses = []
    for backwards in (False, True):
        cpu = PlanOnCpu(plan, backwards)
        cpu.begin(images, labels)
        cpu.run(plan.evaluate)
        losses.append(cpu.losses[0])
    assert not losses[0] == losses[1]


@shim
@needs_compiler
def test_an_idle_thread_that_skips_a_barrier_is_noticed(rng):
    plan = Plan(LeNet(channels=(3, 4)), (1, 28, 28), 33)
    plan.source = plan.source.replace("    float z[OT][TH][TW];", "    if (!there) return;\n    float z[OT][TH][TW];")
    cpu = PlanOnCpu(plan)
    cpu.begin(rng.integers(0, 256, (33, 1, 28, 28), dtype=np.uint8), np.zeros(33, np.int64))
    idle = [launch for launch in plan.evaluate if launch.kernel.startswith("conv_forward")]
    tiles = [plan.convs[i].Forward for i in (0, 1)]
    assert any(33 % t.LANES for t in tiles), "the model leaves no thread idle, so this test tests nothing"
    with pytest.raises(RuntimeError, match="not all threads of a block reached the barrier"):
        cpu.run(idle)


# What needs no compiler


def launches(plan):
    return [*plan.train, *plan.evaluate]


PLANS = [
    Plan(LeNet(), (1, 28, 28), 256),
    Plan(
        LeNet(activation="relu", pool="max", channels=(32, 64, 64), same_padding=True), (1, 28, 28), 100, momentum=True
    ),
    Plan(nn.Sequential(nn.MaxPool2d(3, 1), nn.Conv2d(2, 3, 3), nn.AvgPool2d(3, 2), nn.Flatten()), (2, 12, 12), 7),
    Plan(nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10, bias=False)), (1, 28, 28), 33),
]


@pytest.mark.parametrize("plan", PLANS)
def test_launches_are_within_the_limits_of_a_gpu(plan):
    for launch in launches(plan):
        x, y, z = launch.block
        assert 1 <= x * y * z <= 1024 and z <= 64, launch
        assert all(1 <= n <= limit for n, limit in zip(launch.grid, (2**31 - 1, 65535, 65535), strict=True)), launch


@pytest.mark.parametrize("plan", PLANS)
def test_arguments_are_buffers_or_numbers(plan):
    known = {*plan.buffers, *plan.parameters}
    for launch in launches(plan):
        assert all(a is None or isinstance(a, int) or a in known for a in launch.arguments), launch
        assert launch.kernel in plan.kernels


def written(launch):
    """(buffers that a launch may read, those that it may write), from the kernel's own declaration."""
    name, _, types = launch.kernel.partition("<")
    declared = re.search(rf"\b{name}\((.*?)\) {{", kernel_text(), re.DOTALL)[1].replace("\n", " ").split(",")
    kinds = [d for d in declared if "Pointer..." not in d] + [t for t in types.split(",") if "*" in t]
    writes = {a for a, kind in zip(launch.arguments, kinds, strict=True) if isinstance(a, str) and "const" not in kind}
    return {a for a in launch.arguments if isinstance(a, str)}, writes


def clashes(launches):
    """What two launches touch of which neither waits for the other, and one writes."""
    for k, first in enumerate(launches):
        for second in itertools.takewhile(lambda launch: not launch.joined, launches[k + 1 :]):
            if first.branch not in (MAIN, second.branch):  # the sides wait for what is before them on the main branch
                (reads, writes), (others_reads, others_writes) = written(first), written(second)
                if clash := (writes & others_reads) | (reads & others_writes):
                    yield f"{first.kernel} beside {second.kernel}: both touch {clash}"


@pytest.mark.parametrize("plan", PLANS)
def test_branches_do_not_write_what_the_others_touch(plan):
    """A launch on the side may run at any time after those before it: what follows on other branches must not care."""
    for step in plan.steps(3):
        assert any(launch.branch != MAIN for launch in step)
        assert not list(clashes(step))


def test_the_check_of_branches_can_fail():
    plan = Plan(LeNet(), (1, 28, 28), 256)
    k = next(k for k, launch in enumerate(plan.train) if launch.kernel.startswith("conv_data_gradient"))
    update = plan.train.pop()
    assert update.kernel.startswith("conv_updates<Layers<Stage0, Stage1>")
    plan.train.insert(k, dataclasses.replace(update, branch=WEIGHTS, joined=False))  # weights that are still to be read
    clash = next(clashes(plan.train))
    assert re.match(r"conv_updates<.* beside conv_data_gradient<.*: both touch \{'w1'\}", clash)


def test_steps_in_a_row_gather_ahead_and_swap_their_batches():
    plan = Plan(LeNet(), (1, 28, 28), 256)
    first, second, last = plan.steps(3)
    assert first[0].arguments == ("state", "x", "labels") and first[0].branch == MAIN
    ahead = [launch for step in (first, second, last) for launch in step if launch.kernel.startswith("gather")][1:]
    assert [(a.arguments[1], a.branch) for a in ahead] == [("x_next", BOOKS), ("x", BOOKS)]
    for step in (first, second):
        names = [launch.kernel.split("<")[0] for launch in step]
        assert names.index("gather", 1) == names.index("finish") + 1  # which moves on to the next batch
    reads = [
        {a for launch in step if launch.kernel[:4] == "conv" for a in launch.arguments} for step in (first, second)
    ]
    assert "x" in reads[0] - reads[1] and "x_next" in reads[1] - reads[0]
    assert list(plan.steps(1)) == [plan.train]


def test_a_lenet_step_is_twelve_kernels_nine_of_them_in_a_row():
    plan = Plan(LeNet(), (1, 28, 28), 256)
    assert len(plan.train) == 12 and sum(launch.branch == MAIN for launch in plan.train) == 9
    assert len(plan.evaluate) == 6


def test_the_state_has_the_size_that_the_kernels_give_it():
    fields = re.search(r"struct State \{(.*?)\n\};", kernel_text(), re.DOTALL)[1]
    names = re.findall(r"^\s+(const )?([\w ]+?)(\*?) (\w+(?:, \w+)*);", fields, re.MULTILINE)
    size = sum((8 if star else 4) * (1 + more.count(",")) for _, _, star, more in names)
    assert -(-size // 8) * 8 == STATE_BYTES
