"""operators: the arithmetic behind Tensor's operators and methods, each forward directly above its backward.

Shapes follow NumPy's broadcasting.  Broadcasting copies a number to many places, so its gradient is the sum
over those places: that is `unbroadcast`, and every two-sided operation ends with it.
"""

import math

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op
from tinycnn.backend import Array, array_module, gemm, wide

Axes = tuple[int, ...]


def unbroadcast(dy: Array, shape: tuple[int, ...]) -> Array:
    """Sum dy over the axes along which an input of `shape` was repeated; the adjoint of broadcasting."""
    if dy.shape == shape:
        return dy
    new = dy.ndim - len(shape)  # axes that broadcasting put in front
    stretched = tuple(new + i for i, n in enumerate(shape) if n == 1)
    summed: Array = dy.sum(axis=(*range(new), *stretched), keepdims=True)
    return summed.reshape(shape)


class AddOp(Op, name="add"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a_shape=a.shape, b_shape=b.shape)
        return a + b

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        da = unbroadcast(dy, ctx.a_shape) if ctx.needs[0] else None
        db = unbroadcast(dy, ctx.b_shape) if ctx.needs[1] else None
        return da, db


class SubOp(Op, name="sub"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a_shape=a.shape, b_shape=b.shape)
        return a - b

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        da = unbroadcast(dy, ctx.a_shape) if ctx.needs[0] else None
        db = unbroadcast(-dy, ctx.b_shape) if ctx.needs[1] else None
        return da, db


class MulOp(Op, name="mul"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a=a, b=b)
        return a * b

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        a, b = ctx.a, ctx.b
        da = unbroadcast(dy * b, a.shape) if ctx.needs[0] else None
        db = unbroadcast(dy * a, b.shape) if ctx.needs[1] else None
        return da, db


class DivOp(Op, name="div"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        y = a / b
        ctx.save(a_shape=a.shape, b=b, y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        b, y = ctx.b, ctx.y
        da = unbroadcast(dy / b, ctx.a_shape) if ctx.needs[0] else None
        db = unbroadcast(-dy * y / b, b.shape) if ctx.needs[1] else None
        return da, db


class PowOp(Op, name="pow"):
    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        y = a**b
        ctx.save(a=a, b=b, y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        a, b, xp = ctx.a, ctx.b, array_module(dy)
        da = db = None
        if ctx.needs[0]:  # b * a**(b - 1); where b is 0 the power is constant, also at a = 0
            slope = b * a ** xp.where(b == 0, xp.ones_like(b), b - 1)
            da = unbroadcast(dy * slope, a.shape)
        if ctx.needs[1]:  # y * log(a); where a is 0, the limit from above: 0, or -inf where y is infinite
            db = unbroadcast(dy * ctx.y * xp.log(xp.where((a == 0) & (b >= 0), xp.ones_like(a), a)), b.shape)
        return da, db


class NegOp(Op, name="neg"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        return -x

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return -dy


class MatmulOp(Op, name="matmul"):
    """a @ b for (..., M, K) and (..., K, N), and for vectors as NumPy has it."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        ctx.save(a=a, b=b)
        if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
            raise ValueError(
                f"matmul: shapes {a.shape} and {b.shape} do not fit; the last axis of the first must equal "
                "the last but one of the second"
            )
        return gemm(a, b)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        a, b = ctx.a, ctx.b
        A = a[None, :] if a.ndim == 1 else a  # (..., M, K)   a vector on the left is a row
        B = b[:, None] if b.ndim == 1 else b  # (..., K, N)   a vector on the right is a column
        dY = dy[..., None, :] if a.ndim == 1 and b.ndim > 1 else dy
        dY = dY[..., None] if b.ndim == 1 else dY
        dY = dY[None] if a.ndim == 1 and b.ndim == 1 else dY  # (..., M, N)
        da = unbroadcast(gemm(dY, B.swapaxes(-1, -2)), A.shape) if ctx.needs[0] else None
        db = unbroadcast(gemm(A.swapaxes(-1, -2), dY), B.shape) if ctx.needs[1] else None
        return (None if da is None else da.reshape(a.shape)), (None if db is None else db.reshape(b.shape))


class ExpOp(Op, name="exp"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y: Array = array_module(x).exp(x)
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = dy * ctx.y
        return dx


class LogOp(Op, name="log"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        ctx.save(x=x)
        y: Array = array_module(x).log(x)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = dy / ctx.x
        return dx


class SqrtOp(Op, name="sqrt"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        y: Array = array_module(x).sqrt(x)
        ctx.save(y=y)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx: Array = dy / (2 * ctx.y)
        return dx


def _expand(dy: Array, axis: Axes, shape: tuple[int, ...]) -> Array:
    """Repeat a reduced array along the axes that the reduction summed over; a view, nothing is copied."""
    kept = tuple(1 if i in axis else n for i, n in enumerate(shape))
    view: Array = array_module(dy).broadcast_to(dy.reshape(kept), shape)
    return view


class SumOp(Op, name="sum"):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axes, keepdims: bool) -> Array:
        ctx.save(axis=axis, shape=x.shape)
        y: Array = x.sum(axis=axis, keepdims=keepdims)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return _expand(dy, ctx.axis, ctx.shape)


class MeanOp(Op, name="mean"):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axes, keepdims: bool) -> Array:
        ctx.save(axis=axis, shape=x.shape, count=math.prod(x.shape[i] for i in axis))
        y: Array = x.mean(axis=axis, keepdims=keepdims)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return _expand((wide(dy) / ctx.count).astype(dy.dtype, copy=False), ctx.axis, ctx.shape)


class AmaxOp(Op, name="amax"):
    @staticmethod
    def forward(ctx: Context, x: Array, axis: Axes, keepdims: bool) -> Array:
        if any(x.shape[i] == 0 for i in axis):
            raise ValueError(f"amax: no greatest element along an axis of length 0 (axis {axis} of shape {x.shape})")
        top = x.max(axis=axis, keepdims=True)
        ctx.save(axis=axis, winners=x == top)
        y: Array = top if keepdims else top.squeeze(axis)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        winners = ctx.winners  # bool, of x's shape
        ties = winners.sum(axis=ctx.axis, keepdims=True).astype(dy.dtype)
        dx: Array = winners * (_expand(dy, ctx.axis, winners.shape) / ties)
        return dx
