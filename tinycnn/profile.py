"""profile: where the time of a training step goes, layer by layer, forward and backward.

    python -m tinycnn.profile                  LeNet, parts of 32 images, one core
    python -m tinycnn.profile --batch 256      the whole batch on one tape

A convolution's multiply-adds count twice in backward, once for the gradient of the weights and once for that of the
input; the first layer's input needs no gradient.  GFLOP/s is what the layer reaches, multiplication and addition
counted apart; MB is what forward reads and writes: its input, its output, and what it saved for backward.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, batch_first
from tinycnn.backend.memory import keep_freed_memory
from tinycnn.execution.blas import can_limit_blas, single_threaded_blas
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss, Sequential
from tinycnn.nn.summary import summary


class Row(NamedTuple):
    """One layer: median microseconds of forward and backward, multiply-adds of both, bytes of forward."""

    name: str
    forward: float
    backward: float
    forward_multiply_adds: int
    backward_multiply_adds: int
    bytes: int


@dataclass
class Profile:
    """The rows of a profile; printing it gives the table."""

    examples: int
    rows: list[Row] = field(default_factory=list)

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
        return "\n".join(lines)


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
        medians = np.median(forward) * 1e6, np.median(backward or [0.0]) * 1e6
        result.rows.append(Row(name, float(medians[0]), float(medians[1]), work, both, sizes[name]))
    return result


def _timed(times: dict[str, Any], name: str, run: Callable[[], Tensor]) -> Tensor:
    """Run a layer, note the time, and let the tape note the time of its backward."""
    forward, backward = times.setdefault(name, ([], []))
    start = time.perf_counter()
    y = run()
    forward.append(time.perf_counter() - start)
    if (node := y.grad_fn) is not None:
        played = node.backward

        def play(ctx: Any, dy: Array) -> Any:
            start = time.perf_counter()
            gradients = played(ctx, dy)
            backward.append(time.perf_counter() - start)
            return gradients

        node.backward = play
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
    options = parser.parse_args(arguments)
    if options.batch < 1 or options.repeats < 1:
        parser.error("--batch and --repeats must be at least 1")
    model = LeNet(channels=options.channels, activation=options.activation, pool=options.pool)
    rng = np.random.default_rng(0)
    x = batch_first(rng.random((1, 28, 28, options.batch), np.float32))
    keep_freed_memory()
    give_back = single_threaded_blas(model) if can_limit_blas() else None
    try:
        print(profile(model, x, rng.integers(0, 10, options.batch), options.repeats))
    finally:
        if give_back is not None:
            give_back()


if __name__ == "__main__":
    main()
