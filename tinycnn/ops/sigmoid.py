"""sigmoid: y = 1 / (1 + exp(-x)), element by element.

It is computed as tanh(x / 2) / 2 + 1 / 2, the same function: NumPy's tanh takes three quarters of the time of exp and a
division, and nothing overflows for x of any size.  The price: the error is 6e-8 (1e-16 in float64) however small y
is, so that a y below that is 0.

Arrays of any shape and memory order; the result has x's order.

Read in this order: SigmoidOp.forward, SigmoidOp.backward.
"""

from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["sigmoid"]


class SigmoidOp(Op, name="sigmoid"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        xp = array_module(x)
        y: Array = xp.multiply(x, 0.5, out=xp.empty_like(x))  # (...)   the one new array; the rest happens in it
        xp.tanh(y, out=y)
        y *= 0.5
        y += 0.5
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        y = ctx.y
        dx: Array = array_module(y).subtract(1, y, out=array_module(y).empty_like(y))  # (...)
        dx *= y  # the slope, y * (1 - y)
        dx *= dy
        return dx


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)) of each element of x (any shape), between 0 and 1; as torch.sigmoid.

    Never overflows.  TypeError for integers.
    """
    _checks.tensors("sigmoid", x=x)
    return SigmoidOp.apply(x)
