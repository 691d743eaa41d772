"""arguments: what arguments mean (numbers, sizes, axes, dtypes), or why they mean nothing.

Each check takes the name of the function that asks, returns the value as that function can use it, and raises
TypeError or ValueError, which say: function, fact, expectation.
"""

import math
import numbers
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike

NUMERIC = "biuf"  # the dtype kinds of tensors: bool, signed and unsigned integers, floats
Two = tuple[int, int]  # (height, width)
Pair = int | Two  # one number for both directions, or (height, width)


def integer(function: str, name: str, value: Any) -> int:
    """`value` as an int."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{function}: {name} must be an int, got {value!r}")
    return value.__index__()


def count(function: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    if (whole := integer(function, name, value)) < least:
        raise ValueError(f"{function}: {name} must be at least {least}, got {whole}")
    return whole


def number(function: str, name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """`value` as a finite Python float from `least` to `most`, so that it never widens a float32 array."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{function}: {name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{function}: {name} must be finite, got {value!r}")
    if not least <= float(value) <= most:
        bounds = f"between {least} and {most}" if most < math.inf else f"at least {least}"
        raise ValueError(f"{function}: {name} must be {bounds}, got {value!r}")
    return float(value)


def choice(function: str, name: str, value: Any, allowed: Iterable[str]) -> str:
    """`value`, one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{function}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def pair(function: str, name: str, value: Pair, least: int) -> Two:
    """`value` as (height, width), each at least `least`."""
    if type(value) is int and value >= least:
        return value, value
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2 or not all(hasattr(v, "__index__") and not isinstance(v, bool) for v in both):
        raise TypeError(f"{function}: {name} must be an int or a pair (height, width) of ints, got {value!r}")
    if min(both) < least:
        raise ValueError(f"{function}: {name} must be at least {least}, got {value!r}")
    return int(both[0]), int(both[1])


def pool_padding(function: str, value: Pair, kernel: Two) -> Two:
    """The padding of a pooling as (height, width), each at most half the kernel."""
    padding = pair(function, "padding", value, 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(
            f"{function}: padding must be at most half the kernel, or windows would see padding alone; "
            f"got padding {padding}, kernel_size {kernel}"
        )
    return padding


def conv_padding(function: str, value: Any, kernel: Two, stride: Two, dilation: Two) -> tuple[Two, Two]:
    """The zeros on every side of the image, and those that come after it besides, each as (height, width).

    `value` is a number, a pair, "valid" for none, or, with stride 1, "same" for as many as keep the image's size: an
    odd one comes after the image, as in torch.
    """
    if not isinstance(value, str):
        return pair(function, "padding", value, 0), (0, 0)
    if choice(function, "padding", value, ("valid", "same")) == "valid":
        return (0, 0), (0, 0)
    if stride != (1, 1):
        raise ValueError(f'{function}: padding="same" needs stride 1, got stride {stride}; give the padding in numbers')
    H, W = (d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return (H // 2, W // 2), (H % 2, W % 2)


def groups(function: str, value: Any, channels: int, filters: int) -> int:
    """The groups of a convolution as an int that divides both its channels and its filters."""
    parts = count(function, "groups", value)
    if channels % parts or filters % parts:
        raise ValueError(
            f"{function}: groups must divide the {channels} channels that come in and the {filters} that go out, "
            f"got {parts}"
        )
    return parts


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
    return own  # an array of integers keeps its width: it may hold more than `like` can


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
