"""arguments: what the arguments of Tensor's methods mean (axes, sizes, dtypes), or why they mean nothing."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

NUMERIC = "biuf"  # the dtype kinds of tensors: bool, signed and unsigned integers, floats


def numeric(asker: str, dtype: DTypeLike) -> "np.dtype[Any]":
    """`dtype` as a NumPy dtype; TypeError where it is none of floats, integers and bool."""
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.kind not in NUMERIC:
        expected = '"cpu", "gpu", or a dtype' if asker == "to" else "a dtype"
        raise TypeError(f"{asker}: got {dtype!r}, expected {expected} of floats, integers or bool such as np.float32")
    return found


def operand_dtype(asker: str, value: Any, like: "np.dtype[Any]") -> "np.dtype[Any]":
    """The dtype in which a Python number or an array takes part in an operation with a tensor of dtype `like`.

    A tensor of floats keeps its own: float32 * 0.1 and float32 * float64 array are float32.  Where `like` is a
    lesser kind of number the value's kind wins: a float meeting integers is float32, an int meeting bools int64.
    """
    number = isinstance(value, (bool, int, float))
    own = np.dtype(type(value)) if number else value.dtype
    if own.kind not in NUMERIC:
        raise TypeError(f"{asker}: expected numbers, got an array of dtype {own}")
    if like.kind == "f" or (number and own.kind in "bi" and like.kind != "b"):
        return like
    if own.kind == "f":
        return np.dtype(np.float32)
    found: np.dtype[Any] = own  # an array of integers keeps its width: it may hold more than `like` can
    return found


def common_dtype(asker: str, *operands: Any) -> "np.dtype[Any]":
    """The dtype in which tensors of different dtypes meet: the one float among them, or the widest integer.

    TypeError for two different floats, which must be brought together by hand.
    """
    floating = {t.dtype for t in operands if t.dtype.kind == "f"}
    if len(floating) > 1:
        facts = ", ".join(f"{t.dtype} {t.shape}" for t in operands)
        raise TypeError(f"{asker}: operands have different dtypes ({facts}); convert one with .to(dtype)")
    return floating.pop() if floating else np.result_type(*[t.dtype for t in operands])


def ints(values: tuple[Any, ...]) -> tuple[int, ...]:
    """(2, 3) from either f(2, 3) or f((2, 3))."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], (tuple, list)) else tuple(values)


def axes(asker: str, axis: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One or several axes of a tensor of `shape`, counted from the front; None means all of them."""
    if axis is None:
        return tuple(range(len(shape)))
    several = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in several:
        if not hasattr(a, "__index__"):
            raise TypeError(f"{asker}: an axis must be an int, got {a!r}")
        if not -len(shape) <= int(a) < len(shape):
            raise ValueError(f"{asker}: axis {a!r} does not exist in a tensor of shape {shape}")
    found = tuple(int(a) % len(shape) for a in several)
    if len(set(found)) != len(found):
        raise ValueError(f"{asker}: axes {several} name one axis twice (shape {shape})")
    return found
