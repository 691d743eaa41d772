"""Checks of tensors that several operations share.  Each message says: function, fact, expectation, shapes."""

import math
from typing import Any

import numpy as np

from tinycnn.autograd.arguments import axes, integer
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array, device_of, type_name


def tensors(function: str, **named: Tensor | None) -> None:
    """All are Tensors (or None), floating, on one device and of one dtype."""
    given = {name: t for name, t in named.items() if t is not None}
    for name, t in given.items():
        if not isinstance(t, Tensor):
            raise TypeError(
                f"{function}: {name} must be a tinycnn.Tensor, got {type_name(t)}; wrap it with tinycnn.tensor(...)"
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


def no_empty(function: str, name: str, t: Tensor, since: int = 0) -> None:
    """No axis of `t` has length 0, from axis `since` on: a batch may have no examples, but an example has numbers."""
    if math.prod(t.shape[since:]) == 0:
        which = "every axis but the first" if since else "every axis"
        raise ValueError(f"{function}: {name} is empty, got shape {t.shape}; {which} must be at least 1 long")


def axis(function: str, name: str, value: Any, t: Tensor) -> int:
    """`value` as the number of one axis of t, counted from the front."""
    return axes(function, integer(function, name, value), t.shape)[0]


def labels(function: str, target: Any, shape: tuple[int, ...], classes: int, ignored: int, logits: Tensor) -> Array:
    """`target`, or what it wraps, as an array of labels: integers of `shape`, on the device of the logits, each
    0 ... classes - 1 or `ignored`.

    The values are only looked at in main memory: to look at a GPU's would mean to wait for it at every step.
    """
    t = _unwrapped(target)
    dtype = getattr(t, "dtype", None)
    if getattr(dtype, "kind", "") not in ("i", "u"):
        got = type_name(target) + (f" of {dtype}" if dtype is not None else "")
        raise TypeError(f"{function}: target must be a Tensor or an array of integers, the labels, got {got}")
    if t.shape != shape:
        raise ValueError(
            f"{function}: target must have shape {shape}, one label for each example, got {t.shape} "
            f"(logits {logits.shape})"
        )
    _beside(function, t, logits)
    if device_of(t) == "cpu" and t.size and (t.min() < 0 or t.max() >= classes):
        wrong = np.argwhere(((t < 0) | (t >= classes)) & (t != ignored))
        if len(wrong):
            where = tuple(wrong[0].tolist())
            raise ValueError(
                f"{function}: target has the label {t[where]} at {where}, expected 0 to {classes - 1} "
                f"(logits {logits.shape} have {classes} classes) or ignore_index {ignored}"
            )
    array: Array = t
    return array


def probabilities(function: str, target: Any, shape: tuple[int, ...], logits: Tensor) -> Array | None:
    """`target`, or what it wraps, where it is a probability for each class: floats of the logits' shape; else None."""
    array = _unwrapped(target)
    if getattr(getattr(array, "dtype", None), "kind", "") != "f" or array.shape != shape:
        return None
    if isinstance(target, Tensor) and target.requires_grad:
        raise ValueError(f"{function}: target gets no gradient but requires one; pass target.detach()")
    _beside(function, array, logits)
    found: Array = array
    return found


def _unwrapped(target: Any) -> Any:
    """The array in a Tensor, of a list, or of another library; what is none of these as it is."""
    t: Any = target.data if isinstance(target, Tensor) else target
    if isinstance(t, (list, tuple)):
        return np.asarray(t)
    return as_array(t) if hasattr(t, "__array__") else t  # pandas', PyTorch's, JAX's


def _beside(function: str, target: Array, logits: Tensor) -> None:
    if device_of(target) != logits.device:
        raise ValueError(
            f"{function}: logits and target must be on the same device, got logits {logits.device}, "
            f"target {device_of(target)}; convert with .to(...)"
        )
