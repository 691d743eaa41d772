"""where: the numbers of one tensor where a condition holds, and of another elsewhere.

    y[i] = a[i] if condition[i] else b[i]

Shapes are broadcast to one; each gradient goes where the number came from, summed over where it was repeated.

Read in this order: WhereOp.forward, WhereOp.backward, where.
"""

from typing import Any

import numpy as np

from tinycnn.autograd.arguments import common_dtype
from tinycnn.autograd.operators import unbroadcast
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Operand, Tensor, as_operand
from tinycnn.backend import Array, array_module, device_of

__all__ = ["where"]


class WhereOp(Op, name="where"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array, condition: Array) -> Array:
        ctx.save(condition=condition, a_shape=a.shape, b_shape=b.shape)
        return array_module(a).where(condition, a, b)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, Array | None]:
        da = unbroadcast(dy * ctx.condition, ctx.a_shape) if ctx.needs[0] else None
        db = unbroadcast(dy * ~ctx.condition, ctx.b_shape) if ctx.needs[1] else None
        return da, db


def where(condition: Tensor | Array, a: Operand, b: Operand) -> Tensor:
    """a where condition holds and b elsewhere, of the shape to which all three are broadcast; as torch.where.

    condition is a Tensor or an array of bools; of a and b at least one is a Tensor, the other may be a number.
    TypeError or ValueError where these, devices or shapes do not fit.
    """
    chosen: Any = condition.data if isinstance(condition, Tensor) else condition
    if getattr(chosen, "dtype", None) != np.bool_:
        got = getattr(chosen, "dtype", type(condition).__name__)
        raise TypeError(f"where: condition must be a Tensor or an array of bools, such as x > 0, got {got}")
    like = next((t for t in (a, b) if isinstance(t, Tensor)), None)
    if like is None:
        raise TypeError(f"where: a or b must be a Tensor, got {type(a).__name__} and {type(b).__name__}")
    x, y = as_operand("where", a, like), as_operand("where", b, like)
    if len({device_of(chosen), x.device, y.device}) > 1:
        raise ValueError("where: condition, a and b must be on the same device; move them with .to(...)")
    common = common_dtype("where", x, y)
    try:
        return WhereOp.apply(x.to(common), y.to(common), condition=chosen)
    except ValueError as error:
        shapes = f"condition {chosen.shape}, a {x.shape}, b {y.shape}"
        raise ValueError(f"where: shapes do not broadcast to one ({shapes})") from error
