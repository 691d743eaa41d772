"""sigmoid: y = 1 / (1 + exp(-x)), element by element.

It is computed as tanh(x / 2) / 2 + 1 / 2, the same function: NumPy's tanh takes three quarters of the time of exp and a
division, and nothing overflows for x of any size.  The price: the error is 6e-8 (1e-16 in float64) however small y
is, so that a y below that is 0.

Arrays of any shape and memory order; the result has x's order.

Read in this order: values, slopes, SigmoidOp.
"""

from types import ModuleType

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, fused
from tinycnn.ops import _checks

__all__ = ["sigmoid"]


@fused
def values(xp: ModuleType, x: Array, y: Array) -> None:
    """The sigmoid of x, into y."""
    xp.multiply(x, 0.5, out=y)
    xp.tanh(y, out=y)
    y *= 0.5
    y += 0.5


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
