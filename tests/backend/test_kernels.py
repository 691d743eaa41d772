"""The CUDA kernels' own text, run on the CPU, against the ops that they must equal.

Each kernel runs alone, on inputs that the ops computed, so that a failure names the kernel.
"""

import cuda_shim
import numpy as np
import pytest
from plan_on_cpu import PlanOnCpu, Reference

from tinycnn import nn
from tinycnn.execution.graph_plan import Plan
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
    "rows": ([nn.Linear(7, 5, bias=False), nn.ReLU(), nn.Linear(5, 2)], (7,), 3),
}
LR = 0.5


class Bench:
    """A model's plan on the CPU, with one kernel run at a time on what the reference says its inputs are."""

    def __init__(self, name, rng, smoothing=0.1, **options):
        layers, image, self.images = MODELS[name]
        self.model = nn.Sequential(*layers)
        for p in self.model.parameters():
            p.data[...] = rng.uniform(-1, 1, p.shape) / np.prod(p.shape[1:]) ** 0.5
        self.plan = Plan(self.model, image, self.images, smoothing, **options)
        self.bytes = rng.integers(0, 256, (self.images, *image), dtype=np.uint8)
        self.labels = rng.integers(0, self.plan.classes, self.images)
        x = self.bytes / np.float32(255)
        self.reference = Reference(self.plan, x, self.labels, smoothing)
        self.cpu = PlanOnCpu(self.plan)
        self.cpu.begin(self.bytes, self.labels, lr=LR)
        self.cpu.run(self.plan.evaluate)  # for the winners of max pooling, which are checked with the forward kernels
        for array, expected in self.reference.arrays.items():
            if array in self.cpu.arrays:
                self.cpu.arrays[array][...] = expected

    def launches(self, kernel):
        """The launches of a kernel, each with the number of its stage."""
        found = [launch for launch in self.plan.train if launch.kernel.startswith(kernel + "<")]
        return [(int(launch.kernel.split("Stage")[1][0]), launch) for launch in found]

    def run(self, launch, *outputs):
        """Run one launch; its outputs start as NaN, but dz of a stage that averages as the activations."""
        for name in outputs:
            activations = self.reference.arrays.get("a" + name[2:]) if name.startswith("dz") else None
            averages = activations is not None and self.plan.stages[int(name[2:])].pooling == "AVERAGE"
            self.cpu.arrays[name][...] = activations if averages else 0 if name.startswith("dz") else np.nan
        self.cpu.run([launch])

    def check(self, name, expected=None, actual=None):
        expected = self.reference.arrays[name] if expected is None else expected
        actual = self.cpu.arrays[name] if actual is None else actual
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max(), err_msg=name)


@pytest.fixture(params=MODELS)
def bench(request, rng):
    return Bench(request.param, rng)


def test_gather(bench, rng):
    bytes_, labels = rng.integers(0, 256, (20, *bench.bytes.shape[1:]), dtype=np.uint8), rng.integers(0, 9, 20)
    order, cpu = rng.permutation(20), bench.cpu
    size = -(-bench.images // 2)
    cpu.begin(bytes_, labels, order, size=size, total=size + 1, batch=1)  # the second batch, of one image
    cpu.run(bench.plan.train[:1])
    bench.check("x", expected=np.moveaxis(bytes_[order[size]] / np.float32(255), 0, 0).reshape(bench.plan.image + (1,)),
                actual=cpu.arrays["x"][..., :1])
    assert not cpu.arrays["x"][..., 1:].any() and cpu.arrays["labels"][0] == labels[order[size]]
    cpu.begin(bytes_, labels)  # in the order in which they lie
    cpu.run(bench.plan.train[:1])
    n = min(bench.images, 20)
    assert np.array_equal(cpu.arrays["labels"][:n], labels[:n])
    assert np.array_equal(cpu.arrays["x"][..., :n].transpose(3, 0, 1, 2).reshape(bytes_[:n].shape), bytes_[:n] / np.float32(255))
