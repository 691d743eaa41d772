"""log_softmax: the logarithm of softmax, computed without ever taking the logarithm of a rounded 0.

    y[i] = x[i] - log(sum over j of exp(x[j]))

Adding a constant to all x changes nothing, so the largest is made 0 first: no exp overflows.

Arrays of any shape and memory order; the result has x's order.

Read in this order: LogSoftmaxOp.forward, LogSoftmaxOp.backward.
"""

import numpy as np

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks

__all__ = ["log_softmax"]


class LogSoftmaxOp(Op, name="log_softmax"):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: int) -> Array:
        xp = array_module(x)
        with np.errstate(over="ignore", invalid="ignore"):  # -inf has its place here; inf gives NaN, as in torch
            y: Array = x - x.max(axis=axis, keepdims=True)  # (...)
            y -= xp.log(xp.exp(y).sum(axis=axis, keepdims=True))
        ctx.save(y=y, axis=axis)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = array_module(dy).exp(ctx.y)  # (...)   softmax
        dx *= -dy.sum(axis=ctx.axis, keepdims=True)  # what the common logarithm takes away from each
        dx += dy
        return dx


def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """log(softmax(x)) along axis `dim`, of x's shape; as torch.log_softmax.

    Exact also where softmax rounds to 0.  TypeError for integers, ValueError where x has no such axis.
    """
    _checks.tensors("log_softmax", x=x)
    axis = _checks.axis("log_softmax", "dim", dim, x)
    if x.numel() == 0:
        return x.reshape(x.shape)  # nothing to compute, and no largest number to make 0
    return LogSoftmaxOp.apply(x, axis=axis)
