"""softmax: positive numbers that sum to 1 along one axis, from numbers of any size.

    y[i] = exp(x[i]) / sum over j of exp(x[j])

Adding a constant to all x changes nothing, so the largest is made 0 first: no exp overflows.

Arrays of any shape and memory order; the result has x's order.

Read in this order: SoftmaxOp.forward, SoftmaxOp.backward.
"""

import numpy as np

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks

__all__ = ["softmax"]


class SoftmaxOp(Op, name="softmax"):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        xp = array_module(x)
        with np.errstate(over="ignore", invalid="ignore"):  # -inf has its place here; inf gives NaN, as in torch
            y: Array = x - x.max(axis=axis, keepdims=True)  # (...)
            xp.exp(y, out=y)
            y /= y.sum(axis=axis, keepdims=True)
        ctx.save(y=y, axis=axis)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        y, axis = ctx.y, ctx.axis
        dx: Array = dy - (dy * y).sum(axis=axis, keepdims=True)  # (...)   raising all x alike changes no y
        dx *= y
        return dx


def softmax(x: Tensor, dim: int = -1) -> Tensor:
    """exp(x) / sum of exp(x) along axis `dim`, of x's shape; as torch.softmax.

    Never overflows.  TypeError for integers, ValueError where x has no such axis.
    """
    _checks.tensors("softmax", x=x)
    axis = _checks.axis("softmax", "dim", dim, x)
    if x.numel() == 0:
        return x.reshape(x.shape)  # nothing to compute, and no largest number to make 0
    return SoftmaxOp.apply(x, axis=axis)
