"""cases: the shapes on which a student's convolution is run, from easy to awkward, and the engine's answers to them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.ops.conv2d import conv2d

Student = Callable[..., Any]  # (x, w, b, stride, padding) -> y, or (y, backward)


class Case(NamedTuple):
    """One problem: the arguments, and the slope dy (N, O, OH, OW) that is sent back; float64."""

    x: Array  # (N, C, H, W)
    w: Array  # (O, C, KH, KW)
    b: Array  # (O,)
    stride: int
    padding: int
    dy: Array

    def __str__(self) -> str:
        return f"x {self.x.shape}, w {self.w.shape}, stride {self.stride}, padding {self.padding}"

    @property
    def arguments(self) -> tuple[Array, Array, Array, int, int]:
        """What the student's function is called with: copies, which it may spoil."""
        return self.x.copy(), self.w.copy(), self.b.copy(), self.stride, self.padding


SHAPES = [  # x, w, stride, padding
    ((1, 1, 4, 4), (1, 1, 2, 2), 1, 0),  # small enough to do by hand
    ((1, 1, 5, 7), (1, 1, 3, 2), 1, 0),  # nothing is square
    ((1, 3, 5, 6), (1, 3, 2, 3), 1, 0),  # several channels
    ((3, 1, 6, 5), (4, 1, 3, 3), 1, 0),  # several images, several filters
    ((1, 2, 8, 6), (2, 2, 3, 3), 2, 0),  # a stride that divides along neither axis
    ((2, 2, 5, 6), (3, 2, 3, 2), 1, 1),  # padding
    ((2, 3, 4, 5), (2, 3, 1, 1), 2, 0),  # 1x1 kernels
    ((3, 2, 8, 7), (4, 2, 3, 4), 3, 2),  # all of it
]


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """A Case of random numbers for each of SHAPES; always the same ones."""
    rng, found = np.random.default_rng(2024), []
    for x, w, stride, padding in SHAPES:
        size = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x[2:], w[2:], strict=True)]
        shapes = x, w, w[:1], (x[0], w[0], *size)
        images, kernels, bias, dy = (rng.uniform(0.5, 2, s) * rng.choice([-1, 1], s) for s in shapes)
        found.append(Case(images, kernels, bias, stride, padding, dy))
    return tuple(found)


class Answer(NamedTuple):
    """What is right: y, and the gradients with respect to x, w and b."""

    y: Array
    dx: Array
    dw: Array
    db: Array


def right(case: Case) -> Answer:
    """The engine's answer."""
    x, w, b = (Tensor(t.copy(), requires_grad=True) for t in case[:3])
    y = conv2d(x, w, b, case.stride, case.padding)
    y.backward(case.dy)
    gradients = [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in (x, w, b)]
    return Answer(y.numpy(), *gradients)


def equal(a: Array, b: Array | None) -> bool:
    """Same shape, and the same numbers to the rounding of the less precise one."""
    if b is None or a.shape != b.shape:
        return False
    digits = max(np.finfo(x.dtype).eps if x.dtype.kind == "f" else 0.0 for x in (a, b))
    return np.allclose(a, b, rtol=max(1e-9, 100 * digits), atol=max(1e-9, 100 * digits))
