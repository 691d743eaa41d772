"""flatten: the axes from start_dim on become one; between convolutions and linear layers.

    y[n, (c*H + h)*W + w] = x[n, c, h, w]                                      for start_dim = 1

Nothing is copied: a batch-last x, (C, H, W, N) in memory, is a batch-last y, (C*H*W, N) in memory.

Read in this order: FlattenOp.forward, FlattenOp.backward.
"""

import math

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array
from tinycnn.ops import _checks

__all__ = ["flatten"]


class FlattenOp(Op, name="flatten"):
    @staticmethod
    def forward(ctx: Context, x: Array, start_dim: int) -> Array:
        ctx.save(x_shape=x.shape)
        return x.reshape(*x.shape[:start_dim], math.prod(x.shape[start_dim:]))  # (N, F)   for start_dim = 1

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy.reshape(ctx.x_shape)


def flatten(x: Tensor, start_dim: int = 1) -> Tensor:
    """x (N, C, H, W) -> (N, C*H*W): all axes from start_dim on in one; as torch.flatten.

    start_dim counts from the end where it is negative.  ValueError where x has no such axis.
    """
    _checks.tensors("flatten", x=x)
    return FlattenOp.apply(x, start_dim=_checks.axis("flatten", "start_dim", start_dim, x))
