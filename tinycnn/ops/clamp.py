"""clamp: each number brought between two bounds; y = min(max(x, low), high), element by element.

The slope is 1 where x is within the bounds, these included, and 0 elsewhere.

Arrays of any shape and memory order; the result has x's order.

Read in this order: ClampOp.forward, ClampOp.backward.
"""

from tinycnn.autograd.arguments import number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module
from tinycnn.ops import _checks

__all__ = ["clamp"]


class ClampOp(Op, name="clamp"):
    @staticmethod
    def forward(ctx: Context, x: Array, low: float | None, high: float | None) -> Array:
        y, within, xp = x, x == x, array_module(x)  # (...)   not a number is within no bounds
        if low is not None:
            y, within = xp.maximum(y, x.dtype.type(low)), within & (x >= low)
        if high is not None:
            y, within = xp.minimum(y, x.dtype.type(high)), within & (x <= high)
        ctx.save(within=within)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy * ctx.within


def clamp(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Each element of x (any shape) brought between the numbers min and max, of which one may be None; as torch.clamp.

    TypeError for bounds that are no numbers, ValueError where there is none; where min is above max all become max.
    """
    _checks.tensors("clamp", x=x)
    if min is None and max is None:
        raise ValueError("clamp: min or max must be given, got None for both")
    low = None if min is None else number("clamp", "min", min)
    high = None if max is None else number("clamp", "max", max)
    return ClampOp.apply(x, low=low, high=high)
