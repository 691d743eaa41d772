"""profile: where the time of a training step goes, layer by layer or stage by stage, forward and backward.

    python -m tinycnn.profile                  LeNet, parts of 32 images, one core
    python -m tinycnn.profile --batch 256      the whole batch on one tape
    python -m tinycnn.profile --engine stages  as the engine of stages computes it, and how fast its products are

A convolution's multiply-adds count twice in backward, once for the gradient of the weights and once for that of the
input; the first layer's input needs no gradient.  GFLOP/s is what the layer reaches, multiplication and addition
counted apart; MB is what forward reads and writes: its input, its output, and, by the tape, what it saved for backward.
The products of stages are timed by themselves as well, and held against a large square one, which is as fast as the
library can be; the rest of a stage are passes over arrays.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, Product, SumOfProducts, batch_first, batch_last
from tinycnn.backend.memory import keep_freed_memory
from tinycnn.execution.blas import can_limit_blas, single_threaded_blas
from tinycnn.execution.engines.stages.conv import Conv
from tinycnn.execution.engines.stages.head import Head
from tinycnn.execution.engines.stages.net import PartNet
from tinycnn.execution.reading import read_stages
from tinycnn.execution.stages import STAGES, Stage, each
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss, Sequential
from tinycnn.nn.summary import summary

SQUARE = 512  # rows and columns of the product that stands for the peak


class Row(NamedTuple):
    """One layer: median microseconds of forward and backward, multiply-adds of both, bytes of forward."""

    name: str
    forward: float
    backward: float
    forward_multiply_adds: int
    backward_multiply_adds: int
    bytes: int


class ProductRow(NamedTuple):
    """One matrix product of a stage: median microseconds, and multiply-adds."""

    name: str
    time: float
    multiply_adds: int


@dataclass
class Profile:
    """The rows of a profile; printing it gives the table, and a second one where products were timed."""

    examples: int
    rows: list[Row] = field(default_factory=list)
    products: list[ProductRow] = field(default_factory=list)
    peak: float = 0.0  # GFLOP/s of a large square product

    @property
    def total(self) -> float:
        """Microseconds of one step, forward and backward, without the update."""
        return sum(row.forward + row.backward for row in self.rows)

    def __str__(self) -> str:
        heads = "layer", "forward us", "backward us", "share", "GFLOP/s", "MB"
        lines = ["{:34s} {:>10s} {:>11s} {:>6s} {:>13s} {:>6s}".format(*heads)]
        for row in self.rows:
            forward, backward, share = row.forward, row.backward, (row.forward + row.backward) / self.total
            speeds = _speed(row.forward_multiply_adds, forward) + " " + _speed(row.backward_multiply_adds, backward)
            times = f"{forward:10.0f} {backward:11.0f} {share:6.1%}"
            lines.append(f"{row.name:34s} {times} {speeds} {row.bytes / 1e6:6.2f}")
        forward = sum(row.forward for row in self.rows)
        flops = 2 * sum(row.forward_multiply_adds + row.backward_multiply_adds for row in self.rows)
        rates = f"{self.examples / self.total * 1e6:,.0f} examples/s, {flops / self.total / 1e3:.1f} GFLOP/s"
        lines.append(f"{'total':34s} {forward:10.0f} {self.total - forward:11.0f}")
        lines.append(f"{self.examples} examples in {self.total / 1e3:.2f} ms: {rates}")
        return "\n".join(lines + self._products())

    def _products(self) -> list[str]:
        """The lines of the second table."""
        if not self.products:
            return []
        lines = ["", "{:34s} {:>10s} {:>11s} {:>8s}".format("product", "us", "GFLOP/s", "of peak")]
        for name, time_, multiply_adds in self.products:
            speed = 2 * multiply_adds / time_ / 1e3
            lines.append(f"{name:34s} {time_:10.0f} {speed:11.1f} {speed / self.peak:8.0%}")
        return [*lines, f"peak: {self.peak:.1f} GFLOP/s, of a product of {SQUARE} x {SQUARE}"]


def _speed(multiply_adds: int, microseconds: float) -> str:
    return f"{2 * multiply_adds / microseconds / 1e3:6.1f}" if multiply_adds else "      "


def profile(model: Sequential, x: Array, y: Array, repeats: int = 100) -> Profile:
    """Time `repeats` forward and backward passes of `model` on x (N, C, H, W) and labels y (N,), in this thread.

    The model's gradients are lost.  The times are medians; of a GPU they are the times of launching.
    """
    loss = CrossEntropyLoss()
    times: dict[str, tuple[list[float], list[float]]] = {}
    sizes: dict[str, int] = {}
    for _ in range(repeats):
        model.zero_grad()
        h = Tensor(x)
        for i, layer in enumerate(model):
            before, h = h, _timed(times, f"{i} {_short(layer)}", partial(layer, h))
            sizes[f"{i} {_short(layer)}"] = _touched(before, h)
        before, h = h, _timed(times, "loss", partial(loss, h, y))
        sizes["loss"] = _touched(before, h)
        h.backward()
    costs = [row.multiply_adds or 0 for row in summary(model, (1, *x.shape[1:])).rows]
    result = Profile(len(x))
    for i, (name, (forward, backward)) in enumerate(times.items()):
        work = len(x) * costs[i] if i < len(costs) else 0
        both = work if i == 0 else 2 * work
        result.rows.append(Row(name, _median(forward), _median(backward), work, both, sizes[name]))
    return result


def profile_stages(model: Sequential, x: Array, y: Array, repeats: int = 100) -> Profile:
    """The same by the engine of stages, for one part x (N, C, H, W) with labels y (N,).

    UnsupportedModel, naming the layer, for a model that stages cannot compute.  The model and its gradients stay as
    they are.
    """
    params = list(model.parameters())
    stages = read_stages(model, x.shape[1:], STAGES)
    net = PartNet(stages, x.shape[1:], len(x), x.dtype, params[0].data.dtype)
    parts = net.chain.stages
    head, gradients = Head(CrossEntropyLoss(), net.out), {id(p): np.empty_like(p.data) for p in params}
    names = [f"{i} {_title(stage)}" for i, stage in enumerate(stages)]
    first = next(i for i, stage in enumerate(parts) if stage.owns)
    forward: dict[str, list[float]] = {name: [] for name in (*names, "loss")}
    backward: dict[str, list[float]] = {name: [] for name in (*names, "loss")}
    for _ in range(repeats):
        net.fold()
        net.input[...] = batch_last(x)
        for name, stage in zip(names, parts, strict=True):
            _clocked(forward[name], partial(stage.forward, True))
        _clocked(forward["loss"], partial(head.forward, y))
        d = _clocked(backward["loss"], partial(head.backward, 1.0)).reshape(net.out.y.shape)
        for i in reversed(range(first, len(stages))):
            d = _clocked(backward[names[i]], partial(parts[i].backward, d, gradients, i > first))
    result = Profile(len(x), peak=_peak())
    for i, name in enumerate((*names, "loss")):
        work = len(x) * _multiply_adds(stages[i]) if i < len(stages) else 0
        buffers = parts[i].x.y.nbytes + parts[i].out.y.nbytes if i < len(stages) else net.out.y.nbytes
        times = _median(forward[name]), _median(backward[name])
        result.rows.append(Row(name, *times, work, work * (1 if i == first else 2), buffers))
    for i, (name, stage) in enumerate(zip(names, parts, strict=True)):
        if isinstance(stage, Conv):
            result.products += _products(name, stage, i > first, repeats)
    return result


def _title(stage: Stage) -> str:
    """As "Conv2d, sigmoid, average"."""
    kind = stage.place.split("(", 1)[1].split("(")[0].rstrip(")")
    words = [word.lower() for word in (stage.activation, stage.pooling) if word not in ("IDENTITY", "NO_POOL")]
    return ", ".join([kind, *words])


def _multiply_adds(stage: Stage) -> int:
    """Of one image, forward; a normalisation's are not counted."""
    return sum(
        part.parameters["weight"].numel() * part.sums[1] * part.sums[2]
        for part in each([stage])
        if part.kind in ("conv", "linear")
    )


def _products(name: str, conv: Conv, passes_on: bool, repeats: int) -> list[ProductRow]:
    """The products of a convolution, each by itself, on what its buffers hold."""
    products: dict[str, Product | SumOfProducts] = {"forward": conv.product, "weights": conv.weights_from[passes_on]}
    if passes_on:
        products["image"] = conv.back.product
    rows = []
    for of, product in products.items():
        times: list[float] = []
        for _ in range(repeats):
            _clocked(times, product)
        rows.append(ProductRow(f"{name.split(',')[0]}: {of}", _median(times), product.multiply_adds))
    return rows


def _peak() -> float:
    """GFLOP/s of a large square product, in float32."""
    a = np.ones((SQUARE, SQUARE), np.float32)
    times: list[float] = []
    for _ in range(40):
        _clocked(times, partial(np.matmul, a, a))
    return 2 * SQUARE**3 / min(times) / 1e9


def _clocked(times: list[float], run: Callable[[], Any]) -> Any:
    """Run something and note the seconds."""
    start = time.perf_counter()
    found = run()
    times.append(time.perf_counter() - start)
    return found


def _median(times: list[float]) -> float:
    """In microseconds; of nothing, none."""
    return float(np.median(times or [0.0])) * 1e6


def _timed(times: dict[str, Any], name: str, run: Callable[[], Tensor]) -> Tensor:
    """Run a layer, note the time, and let the tape note the time of its backward."""
    forward, backward = times.setdefault(name, ([], []))
    y: Tensor = _clocked(forward, run)
    if (node := y.grad_fn) is not None:
        played = node.backward

        node.backward = lambda ctx, dy: _clocked(backward, partial(played, ctx, dy))
    return y


def _touched(before: Tensor, after: Tensor) -> int:
    """Bytes that forward read, wrote and saved; arrays that share memory count once."""
    saved = vars(after.grad_fn.ctx).values() if after.grad_fn is not None else ()
    bases = {}
    for a in (before.data, after.data, *saved):
        if isinstance(a, np.ndarray):
            owner = a
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            bases[id(owner)] = owner.nbytes
    return sum(bases.values())


def _short(layer: object) -> str:
    text = repr(layer).split("\n")[0]
    return text if len(text) <= 31 else text[:28] + "..."


PROFILES = {"tape": profile, "stages": profile_stages}


def main(arguments: list[str] | None = None) -> None:
    """The command line; prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tinycnn.profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=32, help="images at once")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--channels", type=int, nargs="+", default=[6, 16])
    parser.add_argument("--activation", default="sigmoid")
    parser.add_argument("--pool", default="avg")
    parser.add_argument("--engine", default="tape", choices=PROFILES)
    options = parser.parse_args(arguments)
    if options.batch < 1 or options.repeats < 1:
        parser.error("--batch and --repeats must be at least 1")
    model = LeNet(channels=options.channels, activation=options.activation, pool=options.pool)
    rng = np.random.default_rng(0)
    x = batch_first(rng.random((1, 28, 28, options.batch), np.float32))
    keep_freed_memory()
    give_back = single_threaded_blas(model) if can_limit_blas() else None
    try:
        print(PROFILES[options.engine](model, x, rng.integers(0, 10, options.batch), options.repeats))
    finally:
        if give_back is not None:
            give_back()


if __name__ == "__main__":
    main()
