"""silu: y = x * s(x), where s(x) = 1 / (1 + exp(-x)) is the sigmoid; element by element; also called swish.

The slope is s + x * s * (1 - s) = s * (1 + x * (1 - s)); it needs the input, so that is what forward keeps.

Arrays of any shape and memory order; the result has x's order.

Read in this order: values, slopes, SiluOp.
"""

from types import ModuleType

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, fused
from tinycnn.ops import _checks

__all__ = ["silu"]


@fused
def values(xp: ModuleType, x: Array, y: Array) -> None:
    """x times its sigmoid, computed as (tanh(x/2) + 1) / 2, into y."""
    xp.multiply((xp.tanh(x * 0.5) + 1) * 0.5, x, out=y)


@fused
def slopes(xp: ModuleType, x: Array, dy: Array, dx: Array) -> None:
    """dy times the slope, into dx."""
    s = (xp.tanh(x * 0.5) + 1) * 0.5
    xp.multiply(((1 - s) * x + 1) * s, dy, out=dx)


class SiluOp(Op, name="silu"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y = array_module(x).empty_like(x)  # (...)
        values(x, y)
        ctx.save(x=x)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx = array_module(dy).empty_like(ctx.x)  # (...)
        slopes(ctx.x, dy, dx)
        return dx


def silu(x: Tensor) -> Tensor:
    """x / (1 + exp(-x)) of each element of x (any shape); as torch's silu.  TypeError for integers."""
    _checks.tensors("silu", x=x)
    return SiluOp.apply(x)
