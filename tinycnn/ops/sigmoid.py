"""sigmoid: y = 1 / (1 + exp(-x)), element by element.

Computed as it stands, y has all its digits however small it is, so that the logarithm of it has a slope.  Where exp(-x)
is too large for its type, y is 0.  (tanh(x / 2) / 2 + 1 / 2 is the same function in three quarters of the time, but its
y is wrong by 6e-8, and 0 from x = -17 on.)

Arrays of any shape and memory order; the result has x's order.

Read in this order: values, slopes, SigmoidOp.
"""

from types import ModuleType

import numpy as np

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, fused
from tinycnn.ops import _checks

__all__ = ["sigmoid"]


@fused
def values(xp: ModuleType, x: Array, y: Array) -> None:
    """The sigmoid of x, into y."""
    xp.negative(x, out=y)
    xp.exp(y, out=y)
    y += 1
    xp.divide(1, y, out=y)


@fused
def slopes(xp: ModuleType, y: Array, dy: Array, dx: Array) -> None:
    """dy times the slope, which is y * (1 - y), into dx."""
    xp.subtract(1, y, out=dx)
    dx *= y
    dx *= dy


class SigmoidOp(Op, name="sigmoid"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y: Array = array_module(x).empty_like(x)  # (...)
        with np.errstate(over="ignore"):  # 1 / (1 + inf) is 0, as it should be
            values(x, y)
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = array_module(dy).empty_like(ctx.y)  # (...)
        slopes(ctx.y, dy, dx)
        return dx


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) of each element of x (any shape), between 0 and 1; as torch.sigmoid.

    Never overflows.  TypeError for integers.
    """
    _checks.tensors("sigmoid", x=x)
    return SigmoidOp.apply(x)
