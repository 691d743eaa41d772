"""abs: y = |x|, element by element.  The slope is the sign of x, and 0 at 0 and, as in torch, at NaN.

Arrays of any shape and memory order; the result has x's order.

Read in this order: AbsOp.forward, AbsOp.backward.
"""

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks

__all__ = ["abs"]


class AbsOp(Op, name="abs"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(x=x)
        return array_module(x).abs(x)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy * ((ctx.x > 0).astype(dy.dtype) - (ctx.x < 0))


def abs(x: Tensor) -> Tensor:
    """|x| of each element of x (any shape); as torch.abs.  TypeError where x is no Tensor of floats."""
    _checks.tensors("abs", x=x)
    return AbsOp.apply(x)
