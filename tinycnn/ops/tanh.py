"""tanh: y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), element by element.

Arrays of any shape and memory order; the result has x's order.

Read in this order: TanhOp.forward, slopes, TanhOp.backward.
"""

from types import ModuleType

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, fused
from tinycnn.ops import _checks

__all__ = ["tanh"]


@fused
def slopes(xp: ModuleType, y: Array, dy: Array, dx: Array) -> None:
    """dy times the slope, which is 1 - y * y, into dx."""
    xp.multiply(y, y, out=dx)
    xp.subtract(1, dx, out=dx)
    dx *= dy


class TanhOp(Op, name="tanh"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        xp = array_module(x)
        y: Array = xp.tanh(x, out=xp.empty_like(x))  # (...)
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = array_module(dy).empty_like(ctx.y)  # (...)
        slopes(ctx.y, dy, dx)
        return dx


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent of each element of x (any shape), between -1 and 1; as torch.tanh.

    TypeError for integers.
    """
    _checks.tensors("tanh", x=x)
    return TanhOp.apply(x)
