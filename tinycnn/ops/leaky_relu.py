"""leaky_relu: y = x where x > 0 and slope * x elsewhere, element by element: a relu through which something leaks.

Arrays of any shape and memory order; the result has x's order.

Read in this order: LeakyReluOp.forward, LeakyReluOp.backward.
"""

from tinycnn.autograd.arguments import number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks

__all__ = ["leaky_relu"]


class LeakyReluOp(Op, name="leaky_relu"):
    @staticmethod
    def forward(ctx: Context, x: Array, slope: float) -> Array:
        slopes = array_module(x).where(x > 0, x.dtype.type(1), x.dtype.type(slope))  # (...)
        ctx.save(slopes=slopes)
        return x * slopes

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy * ctx.slopes


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x or, where x is not above 0, negative_slope * x, of each element of x (any shape); as torch's leaky_relu.

    TypeError for integers.
    """
    _checks.tensors("leaky_relu", x=x)
    return LeakyReluOp.apply(x, slope=number("leaky_relu", "negative_slope", negative_slope))
