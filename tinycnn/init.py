"""init: first values for parameters.  Each function fills a tensor in place and returns it.

Names and formulas are torch.nn.init's.  A weight is (out, in) or (out, in/groups, KH, KW); fan_in is how many numbers
meet in one output, fan_out how many outputs one number goes to.

    Xavier    keep the variance of activations and of gradients about 1     (Glorot and Bengio 2010)
    Kaiming   the same for ReLU, which lets half of it through             (He et al. 2015)

Numbers are drawn in float32 on the host, so that one seed gives one net on every device and in every dtype.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

from tinycnn import random
from tinycnn.autograd.arguments import choice
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, device_of, to_device

__all__ = [
    "calculate_gain", "constant_", "fans", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "paused",
    "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

T = TypeVar("T", bound=Tensor)
_paused = ContextVar("paused", default=False)  # per thread

GAINS = {  # activations enter theirs (see nn/activations.py)
    "linear": 1.0,
    "conv2d": 1.0,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before this activation should grow; `param` is leaky_relu's slope (0.01 if None)."""
    choice("calculate_gain", "nonlinearity", nonlinearity, GAINS)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else float(param)
        return math.sqrt(2 / (1 + slope**2))
    return GAINS[nonlinearity]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of this shape: (out, in, *window)."""
    if len(shape) < 2:
        raise ValueError(f"init: fans need a weight of shape (out, in, ...), got {shape}; use uniform_ or zeros_")
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """Evenly between a and b."""
    if not (math.isfinite(a) and math.isfinite(b) and a <= b):
        raise ValueError(f"uniform_: bounds must be finite and in order, got a={a}, b={b}")
    if _paused.get():
        return tensor
    source = random.generator() if generator is None else generator
    return _fill(tensor, source.random(tensor.shape, dtype=np.float32) * (float(b) - float(a)) + float(a))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """Normally distributed."""
    if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
        raise ValueError(f"normal_: mean and std must be finite and std not negative, got mean={mean}, std={std}")
    if _paused.get():
        return tensor
    source = random.generator() if generator is None else generator
    return _fill(tensor, source.standard_normal(tensor.shape, dtype=np.float32) * float(std) + float(mean))


def constant_(tensor: T, val: float) -> T:
    """The same number everywhere."""
    tensor.data[...] = float(val)
    return tensor


def zeros_(tensor: T) -> T:
    """Zero everywhere."""
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """One everywhere."""
    return constant_(tensor, 1.0)


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out))."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: np.random.Generator | None = None) -> T:
    """Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor.shape))), generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> T:
    """Uniform in +-gain * sqrt(3 / fan); `a` is leaky_relu's slope, mode picks "fan_in" or "fan_out"."""
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> T:
    """Normal with standard deviation gain / sqrt(fan); arguments as of kaiming_uniform_."""
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def _kaiming_std(asker: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    choice(asker, "mode", mode, ("fan_in", "fan_out"))
    fan = fans(tensor.shape)[0 if mode == "fan_in" else 1]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@contextmanager
def paused() -> Iterator[None]:
    """Within this block nothing is drawn, and tensors stay as they are: for a net that is about to be loaded."""
    token = _paused.set(True)
    try:
        yield
    finally:
        _paused.reset(token)


def _fill(tensor: T, values: Array) -> T:
    """Copy float32 values into the tensor's own memory, wherever and in whatever dtype that is."""
    tensor.data[...] = to_device(values.astype(tensor.dtype, copy=False), device_of(tensor.data))
    return tensor
