"""linear: a fully connected layer, y = x @ w.T + b.

    y[n, o] = b[o] + sum over i of  x[n, i] * w[o, i]

Sizes   N examples   I in-features   O out-features

Arrays are (N, I) to the user and (I, N) in memory, so below everything is turned over: Y = w @ X + b with
X (I, N) and Y (O, N), and no product needs a copy.  Further leading axes of x count as examples.

Read in this order: linear_loops (the definition), LinearOp.forward, LinearOp.backward.
"""

import math

import numpy as np

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, gemm
from tinycnn.ops import _checks

__all__ = ["linear"]


def linear_loops(x: Array, w: Array, b: Array) -> Array:
    """The definition for x (N, I), one output number at a time.  Slow on purpose; the tests hold linear to it."""
    (N, _), O = x.shape, len(w)
    y = np.empty((N, O), x.dtype)
    for n in range(N):
        for o in range(O):
            y[n, o] = b[o] + (x[n] * w[o]).sum()
    return y


class LinearOp(Op, name="linear"):
    @staticmethod
    def forward(ctx: Context, x: Array, w: Array, b: Array | None) -> Array:
        O, I = w.shape
        X = x.reshape(math.prod(x.shape[:-1]), I).T  # (I, N)
        Y = gemm(w, X)  # (O, N)
        if b is not None:
            Y += b[:, None]
        ctx.save(X=X, w=w, x_shape=x.shape)
        return Y.T.reshape(*x.shape[:-1], O)  # (N, O)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
        X, w = ctx.X, ctx.w
        dx = dw = db = None
        dY = dy.reshape(X.shape[1], len(w)).T  # (O, N)
        if ctx.needs[2]:
            db = dY.sum(axis=1)  # (O,)          b was added to every example's product
        if ctx.needs[1]:
            dw = gemm(dY, X.T)  # (O, I)         from Y = w @ X
        if ctx.needs[0]:
            dx = gemm(w.T, dY).T.reshape(ctx.x_shape)  # (N, I)
        return dx, dw, db


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply x (..., I) by weight (O, I) and add bias (O,) -> (..., O); as torch.nn.functional.linear.

    TypeError or ValueError where features, dtypes or devices do not fit.
    """
    _checks.tensors("linear", x=x, weight=weight, bias=bias)
    _checks.rank("linear", "weight", weight, "(out, in)")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: the last axis of x must be the {weight.shape[1]} in-features of weight "
            f"(x {x.shape}, weight {weight.shape})"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"linear: bias must have shape ({weight.shape[0]},), one number per out-feature, got {bias.shape} "
            f"(x {x.shape}, weight {weight.shape})"
        )
    return LinearOp.apply(x, weight, bias)
