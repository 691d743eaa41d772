"""relu: y = max(x, 0), element by element.

The slope is 0 where x <= 0, also at 0, where any number between would do, and else 1.

Arrays of any shape and memory order; the result has x's order.

Read in this order: ReluOp.forward, slopes, ReluOp.backward.
"""

from types import ModuleType

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, bits, fused
from tinycnn.ops import _checks

__all__ = ["relu"]


@fused
def slopes(xp: ModuleType, y: Array, dy: Array, dx: Array) -> None:
    """dy times the slope, which is 0 where y <= 0 and else 1, into dx; both as integers, see `bits`."""
    xp.multiply(dy, xp.logical_not(xp.less_equal(y, 0)), out=dx)


class ReluOp(Op, name="relu"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        xp = array_module(x)
        y: Array = xp.zeros_like(x)  # (...)
        xp.maximum(x, y, out=y)  # with an array of zeros: NumPy compares with a single 0 at half the speed
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = array_module(dy).empty_like(ctx.y)  # (...)
        slopes(ctx.y, bits(dy), bits(dx))  # y <= 0 just where x <= 0
        return dx


def relu(x: Tensor) -> Tensor:
    """max(x, 0) of each element of x (any shape); as torch.relu.  TypeError for integers."""
    _checks.tensors("relu", x=x)
    return ReluOp.apply(x)
