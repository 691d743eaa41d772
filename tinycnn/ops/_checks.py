"""Argument checks that several operations share.  Each message says: function, fact, expectation, shapes."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tinycnn import geometry
from tinycnn.autograd.arguments import axes
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import device_of

Pair = int | tuple[int, int]  # one number for both directions, or (height, width)


def pair(function: str, name: str, value: Pair, least: int) -> tuple[int, int]:
    """`value` as (height, width), each at least `least`."""
    if type(value) is int and value >= least:
        return value, value
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2 or not all(hasattr(v, "__index__") and not isinstance(v, bool) for v in both):
        raise TypeError(f"{function}: {name} must be an int or a pair (height, width) of ints, got {value!r}")
    if min(both) < least:
        raise ValueError(f"{function}: {name} must be at least {least}, got {value!r}")
    return int(both[0]), int(both[1])


def tensors(function: str, **named: Tensor | None) -> None:
    """All are Tensors (or None), floating, on one device and of one dtype."""
    given = {name: t for name, t in named.items() if t is not None}
    for name, t in given.items():
        if not isinstance(t, Tensor):
            raise TypeError(
                f"{function}: {name} must be a Tensor, got {type(t).__name__}; wrap it with tinycnn.tensor(...)"
            )
        if t.data.dtype.kind != "f":
            raise TypeError(f"{function}: {name} must be floating point, got {t.dtype}; convert it with .float()")
    if len({(type(t.data), t.data.dtype) for t in given.values()}) == 1:
        return
    for what in ("device", "dtype"):
        if len({getattr(t, what) for t in given.values()}) > 1:
            facts = ", ".join(f"{name} {getattr(t, what)}" for name, t in given.items())
            raise (ValueError if what == "device" else TypeError)(
                f"{function}: all tensors must have the same {what}, got {facts}; convert with .to(...)"
            )


def rank(function: str, name: str, t: Tensor, axes: str) -> None:
    """`t` has exactly the axes that are written out, as in "(N, C, H, W)"; more than one."""
    expected = axes.count(",") + 1
    if t.ndim != expected:
        raise ValueError(f"{function}: {name} must have {expected} axes {axes}, got shape {t.shape}")


def no_empty(function: str, name: str, t: Tensor) -> None:
    """No axis of `t` has length 0."""
    if math.prod(t.shape) == 0:
        raise ValueError(f"{function}: {name} is empty, got shape {t.shape}; every axis must be at least 1 long")


def axis(function: str, name: str, value: Any, t: Tensor) -> int:
    """`value` as the number of one axis of t, counted from the front."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"{function}: {name} must be an int, got {value!r}")
    return axes(function, value, t.shape)[0]


@lru_cache(maxsize=256)
def output_size(
    function: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    ceil_mode: bool = False,
) -> tuple[int, int]:
    """(OH, OW): how many windows fit in each direction, as geometry.output_size counts them.

    ValueError where not even one window fits.
    """
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(span > n + 2 * p for span, n, p in zip(spans, size, padding, strict=True)):
        raise ValueError(
            f"{function}: the kernel covers {spans[0]} x {spans[1]} pixels but the padded input has only "
            f"{size[0] + 2 * padding[0]} x {size[1] + 2 * padding[1]} "
            f"(input {size}, padding {padding}, kernel {kernel}, dilation {dilation}); "
            "use a smaller kernel or more padding"
        )
    axes = zip(size, kernel, stride, padding, dilation, strict=True)
    OH, OW = (geometry.output_size(n, k, s, p, d, ceil_mode) for n, k, s, p, d in axes)
    return OH, OW


def choice(function: str, name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """`value` is one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{function}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def number(function: str, name: str, value: Any, least: float, most: float) -> None:
    """`value` is a number from `least` to `most`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{function}: {name} must be a number from {least} to {most}, got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{function}: {name} must be from {least} to {most}, got {value}")


def labels(function: str, t: Any, shape: tuple[int, ...], classes: int, ignored: int, logits: Tensor) -> None:
    """The array t holds labels: integers of `shape`, on the device of the logits, each 0 ... classes - 1 or `ignored`.

    The values are only looked at in main memory: to look at a GPU's would mean to wait for it at every step.
    """
    if not hasattr(t, "dtype") or t.dtype.kind not in "iu":
        got = t.dtype if hasattr(t, "dtype") else type(t).__name__
        raise TypeError(f"{function}: target must be a Tensor or an array of integers, the labels, got {got}")
    if t.shape != shape:
        raise ValueError(
            f"{function}: target must have shape {shape}, one label for each example, got {t.shape} "
            f"(logits {logits.shape})"
        )
    if device_of(t) != logits.device:
        raise ValueError(
            f"{function}: logits and target must be on the same device, got logits {logits.device}, "
            f"target {device_of(t)}; convert with .to(...)"
        )
    if device_of(t) == "cpu" and (t.min() < 0 or t.max() >= classes):
        wrong = np.argwhere(((t < 0) | (t >= classes)) & (t != ignored))
        if len(wrong):
            where = tuple(wrong[0].tolist())
            raise ValueError(
                f"{function}: target has the label {t[where]} at {where}, expected 0 to {classes - 1} "
                f"(logits {logits.shape} have {classes} classes) or ignore_index {ignored}"
            )
