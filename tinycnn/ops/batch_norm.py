"""batch_norm: each channel moved and stretched to mean 0 and variance 1, then to a mean and a spread that are learnt.

    y[n, c, ...] = (x[n, c, ...] - mean[c]) / sqrt(var[c] + eps) * w[c] + b[c]

In training, mean and var are those of the batch: over all images and pixels, M numbers a channel (var divides by M).
The running mean and variance move towards them by `momentum`, with M - 1 in place of M; evaluation uses these.

The batch's own mean and variance depend on x, so in training a number's gradient has three parts: through itself,
through the mean, and through the variance.  With z = (x - mean) / sqrt(var + eps) and dz = dy * w,

    dx = (dz - mean of dz - z * mean of (dz * z)) / sqrt(var + eps)

Ioffe and Szegedy, Batch Normalization (2015).  Arrays are (N, C, ...) to the user and (C, ..., N) in memory, so a
channel is one row of a matrix (C, M).  Where a batch is computed in parts, the sums are those of all parts (whole.py).

Read in this order: batch_norm_loops (the definition), BatchNormOp.forward, BatchNormOp.backward.
"""

import math

import numpy as np

from tinycnn import whole
from tinycnn.autograd.arguments import number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last
from tinycnn.ops import _checks

__all__ = ["batch_norm"]


def batch_norm_loops(x: Array, w: Array, b: Array, eps: float) -> Array:
    """The definition in training, for x (N, C, H, W), one output number at a time.  The tests hold batch_norm to it."""
    N, C, H, W = x.shape
    y = np.empty_like(x)
    for c in range(C):
        mean = sum(x[n, c, i, j] for n in range(N) for i in range(H) for j in range(W)) / (N * H * W)
        var = sum((x[n, c, i, j] - mean) ** 2 for n in range(N) for i in range(H) for j in range(W)) / (N * H * W)
        for n in range(N):
            for i in range(H):
                for j in range(W):
                    y[n, c, i, j] = (x[n, c, i, j] - mean) / math.sqrt(var + eps) * w[c] + b[c]
    return y


class BatchNormOp(Op, name="batch_norm"):
    @staticmethod
    def forward(
        ctx: Context,
        x: Array,
        w: Array | None,
        b: Array | None,
        running: tuple[Array, Array] | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Array:
        shape = batch_last(x).shape  # (C, ..., N)
        X = batch_last(x).reshape(shape[0], math.prod(shape[1:]))  # (C, M), or less where this is a part of the batch
        M = math.prod(shape[1:-1]) * whole.examples(shape[-1])
        if running is not None and not training:
            mean, var = running  # (C,)
            z = X - mean[:, None]  # (C, M)
        else:
            mean = whole.total(X.sum(axis=1)) / M  # (C,)
            z = X - mean[:, None]  # (C, M)
            var = whole.total((z * z).sum(axis=1)) / M  # (C,)
            if running is not None and whole.remembers():
                move(running, (mean, var * (M / (M - 1))), momentum)
        scale = 1 / array_module(x).sqrt(var + eps)[:, None]  # (C, 1)
        z *= scale
        ctx.save(z=z, scale=scale, w=w, M=M if training else None, shape=shape)
        y = z if w is None else z * w[:, None]  # (C, M)
        if b is not None:
            y = y + b[:, None]
        return batch_first(y.reshape(shape))  # (N, C, ...)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
        z, w, M = ctx.z, ctx.w, ctx.M
        dY = batch_last(dy).reshape(z.shape)  # (C, M)
        dw, db = (dY * z).sum(axis=1), dY.sum(axis=1)  # (C,)
        dx = None
        if ctx.needs[0]:
            dx = dY
            if M is not None:  # mean and variance are the batch's, and so are the means of dz and of dz * z
                of_all = whole.total(array_module(dy).stack((dw, db))) / M  # (2, C)
                dx = z * -of_all[0][:, None]  # (C, M)
                dx += dY
                dx -= of_all[1][:, None]
            dx = dx * (ctx.scale if w is None else ctx.scale * w[:, None])
            dx = batch_first(dx.reshape(ctx.shape))  # (N, C, ...)
        return dx, dw if ctx.needs[1] else None, db if ctx.needs[2] else None


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """x (N, C, ...) with each channel normalised, times weight (C,) plus bias (C,); as torch's batch_norm.

    In training by the batch's mean and variance, towards which running_mean and running_var (C,) move in place; else
    by the running ones.  TypeError or ValueError where shapes, dtypes or devices do not fit, where evaluation has no
    running statistics, and where a channel has one number only, which has no variance.
    """
    of_channels = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    _checks.tensors("batch_norm", x=x, **of_channels)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must have the axes (N, C, ...), got shape {x.shape}")
    for name, t in of_channels.items():
        if t is not None and t.shape != x.shape[1:2]:
            raise ValueError(
                f"batch_norm: {name} must have shape ({x.shape[1]},), one number a channel, got {t.shape} (x {x.shape})"
            )
    eps, momentum = number("batch_norm", "eps", eps, 0), number("batch_norm", "momentum", momentum, 0, 1)
    if (running_mean is None or running_var is None) and not training:
        raise ValueError("batch_norm: evaluation needs running_mean and running_var; pass training=True without")
    M = x.numel() // max(1, x.shape[0] * x.shape[1]) * whole.examples(x.shape[0])
    if training and M < 2:
        raise ValueError(f"batch_norm: expected more than 1 number a channel in training, got shape {x.shape}")
    running = None if running_mean is None or running_var is None else (running_mean.data, running_var.data)
    return BatchNormOp.apply(x, weight, bias, running=running, training=training, momentum=momentum, eps=eps)


def move(running: tuple[Array, Array], found: tuple[Array, Array], momentum: float) -> None:
    """The running mean and variance (C,), in place, towards those that the batch has."""
    for kept, new in zip(running, found, strict=True):
        kept *= 1 - momentum
        kept += momentum * new
