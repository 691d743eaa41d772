"""thorough: what `doctor --device gpu --thorough` does besides: each doubt about a new machine turned into a check.

In the order in which they help: whether CuPy imports without a warning; how long the kernels take to compile; whether a
captured graph holds the launches that were planned; a hundred steps of the fused kernels beside eager ones; memory; and
what each launch and the whole step cost on this card.  The last are measured by the host's clock over many replays.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinycnn import nn
from tinycnn.backend import array_module, to_device
from tinycnn.data import Silhouettes
from tinycnn.execution import make_step
from tinycnn.execution.graph.step import GraphStep
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.random import manual_seed

BATCH, STEPS, COPIES = 256, 100, 50
NEAR = 1e-3  # by which a loss may differ after so many steps: sums are taken in another order


class Check(NamedTuple):
    """One line of the report, and the numbers behind it for the file."""

    name: str
    works: bool
    finding: str
    numbers: Mapping[str, Any]


def thorough(images: int = BATCH, steps: int = STEPS, copies: int = COPIES) -> Iterator[Check]:
    """The checks, one after the other; it needs a GPU.  images per batch, steps beside eager, launches per timing."""
    yield _imports()
    train = Silhouettes(train=True, size=images * 4)
    x, y = to_device(train.images, "gpu"), to_device(train.labels, "gpu")
    start = time.perf_counter()
    graph = _step("graph")
    assert isinstance(graph, GraphStep)
    graph.run(x, y, batch_size=images, count=1)
    yield Check("compile", True, f"kernels ready after {time.perf_counter() - start:.1f} s", {})
    yield _beside_eager(x, y, images, steps)
    xp = array_module(x)
    free, total = xp.cuda.runtime.memGetInfo()
    used = xp.get_default_memory_pool().total_bytes()
    numbers = {"pool": used, "free": free, "total": total}
    yield Check("memory", True, f"{used / 2**20:.0f} MiB taken by CuPy; {free / 2**30:.1f} GiB free", numbers)
    yield from _times(graph, x, y, images, copies)


def report(checks: Iterator[Check], path: Path, facts: Mapping[str, str], show: Callable[[str, str], None]) -> bool:
    """Show every check as it ends and write all to `path`; returns whether all work."""
    found: list[Check] = []
    try:
        for check in checks:
            found.append(check)
            show(check.name, check.finding)
    except Exception as error:  # a doctor must survive whatever is wrong
        found.append(Check("failure", False, f"{type(error).__name__}: {error}", {}))
        show("failure", found[-1].finding)
    lines = [check._asdict() for check in found]
    path.write_text(json.dumps({"facts": dict(facts), "checks": lines}, indent=1) + "\n", encoding="utf-8")
    return all(check.works for check in found)


def _imports() -> Check:
    """CuPy in a process of its own, where every warning is an error."""
    program = "import cupy, numpy; print(int(cupy.arange(3).sum()), cupy.__version__, numpy.__version__)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=120)
    works = done.returncode == 0 and done.stdout.startswith("3 ")
    last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
    return Check("imports", works, "CuPy imports without a warning" if works else last, {})


def _step(strategy: str) -> Any:
    manual_seed(0)
    model = LeNet()
    model.to("gpu")
    return make_step(model, nn.CrossEntropyLoss(), SGD(model.parameters(), 0.1), strategy)


def _beside_eager(x: Any, y: Any, images: int, steps: int) -> Check:
    """As many steps by eager operations and by the fused kernels, from the same weights, on the same batches."""
    rng, graph, plain = np.random.default_rng(0), _step("graph"), _step("plain")
    furthest = 0.0
    for _ in range(steps):
        chosen = to_device(rng.integers(0, len(x), images), "gpu")
        batch = x.take(chosen, axis=0), y.take(chosen)
        ours, theirs = (float(step(*batch)[0]) for step in (graph, plain))
        furthest = max(furthest, abs(ours - theirs) / abs(theirs))
    finding = f"{steps} steps of the fused kernels follow eager ones: losses differ by {furthest:.0e} at most"
    return Check("beside eager", furthest < NEAR, finding, {"furthest": furthest})


def _times(graph: GraphStep, x: Any, y: Any, images: int, copies: int) -> Iterator[Check]:
    """Microseconds of each launch, in a chain of its own, and of a step."""
    numbers = {f"{k + 1} {name}": us for k, (name, us) in enumerate(graph.launch_times(x, y, images, copies))}
    longest = sorted(numbers.items(), key=lambda item: -item[1])[:3]
    slow = ", ".join(f"{name.split(' ', 1)[1]} {us:.1f}" for name, us in longest)
    yield Check("launches", True, f"{len(numbers)} a step, {sum(numbers.values()):.1f} us in all; {slow}", numbers)
    count = len(x) // images
    graph.run(x, y, batch_size=images)  # captures
    us = statistics.median(_seconds(graph, x, y, images, copies) for _ in range(5)) / (copies * count) * 1e6
    finding = f"{us:.1f} us for {images} images of LeNet: {images / us:.2f} million images per second"
    yield Check("step", True, finding, {"us": us})


def _seconds(graph: GraphStep, x: Any, y: Any, images: int, epochs: int) -> float:
    """How long so many epochs take, with an idle GPU at both ends."""
    device = array_module(x).cuda.Device()
    device.synchronize()
    start = time.perf_counter()
    for _ in range(epochs):
        graph.run(x, y, batch_size=images)
    device.synchronize()
    return time.perf_counter() - start
