"""dropout: while training, each number is set to 0 with probability p and otherwise divided by 1 - p.

    y[n, ...] = x[n, ...] * m[n, ...]          m = 0 with probability p, else 1 / (1 - p)

so that the mean of y is x, and nothing need be scaled when the net is used.

Row n of the mask depends on the example's place in the batch and not on what is computed beside it (see random.py),
so a batch gets the same mask whole or in parts.

Read in this order: mask, DropoutOp.forward, DropoutOp.backward.
"""

import math

from tinycnn import random
from tinycnn.autograd.arguments import number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, device_of, to_device
from tinycnn.ops import _checks

__all__ = ["dropout"]


def mask(x: Array, p: float) -> Array:
    """0 with probability p, else 1 / (1 - p): a new array of x's shape (N, ...), dtype and memory order."""
    numbers = random.rows(len(x), math.prod(x.shape[1:]))  # (N, F)   on the host, uniform from 0 to 2**32 - 1
    kept = (numbers >= min(round(p * 2**32), 2**32 - 1)).astype(x.dtype)  # (N, F)
    kept *= 1 / (1 - p) if p < 1 else 0
    m: Array = array_module(x).empty_like(x)  # (N, ...)
    m[...] = to_device(kept, device_of(x)).reshape(x.shape)
    return m


class DropoutOp(Op, name="dropout"):
    @staticmethod
    def forward(ctx: Context, x: Array, p: float) -> Array:
        m, xp = mask(x, p), array_module(x)  # (N, ...)
        y: Array = xp.multiply(x, m, out=xp.empty_like(x))  # (N, ...)
        ctx.save(m=m)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy * ctx.m  # (N, ...)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """While training, x (N, ...) with each number zeroed with probability p, else times 1 / (1 - p); otherwise x.

    As torch.nn.functional.dropout; the random numbers come from tinycnn.random.  ValueError for p outside [0, 1].
    """
    _checks.tensors("dropout", x=x)
    if x.ndim == 0:
        raise ValueError("dropout: x must have at least 1 axis (N, ...), got shape ()")
    p = number("dropout", "p", p, 0, 1)
    return DropoutOp.apply(x, p=p) if training else x
