"""tanh: y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), element by element.

Arrays of any shape and memory order; the result has x's order.

Read in this order: TanhOp.forward, TanhOp.backward.
"""

from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["tanh"]


class TanhOp(Op, name="tanh"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        xp = array_module(x)
        y: Array = xp.tanh(x, out=xp.empty_like(x))  # (...)
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        y, xp = ctx.y, array_module(dy)
        dx: Array = xp.multiply(y, y, out=xp.empty_like(y))  # (...)
        xp.subtract(1, dx, out=dx)  # the slope, 1 - y * y
        dx *= dy
        return dx


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent of each element of x (any shape), between -1 and 1; as torch.tanh.

    TypeError for integers.
    """
    _checks.tensors("tanh", x=x)
    return TanhOp.apply(x)
