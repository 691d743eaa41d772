"""cross_entropy: how surprised the softmax of the logits is by the right label; forward and backward in one.

    p[n, c] = exp(z[n, c]) / sum over k of exp(z[n, k])                                      softmax
    loss[n] = -(1 - e) * w[t[n]] * log p[n, t[n]]  -  e / C * sum over c of w[c] * log p[n, c]

z are the logits, t the labels, w the weights of the classes (1 where none are given), e the label smoothing.
The mean is the sum of the losses over the sum of the weights w[t[n]]; examples with the label ignore_index count in
neither.  For e = 0 and no weights that is the mean of -log p[n, t[n]], and its gradient (p - onehot(t)) / N.

Sizes   N examples, with all axes after the classes   C classes

Arrays are (N, C) to the user and (C, N) in memory.

Read in this order: cross_entropy_loops (the definition), CrossEntropyOp.forward, CrossEntropyOp.backward.
"""

import math
from typing import Any

import numpy as np

from tinycnn.backend import Array, array_module, as_array
from tinycnn.ops import _checks
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["cross_entropy"]

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy_loops(z: Array, t: Array, w: Array, ignore_index: int, e: float) -> tuple[Array, Array]:
    """The definition for z (N, C), one example at a time: (losses (N,), weights (N,)).  The tests' oracle."""
    (N, C), losses, weights = z.shape, np.zeros(len(z)), np.zeros(len(z))
    for n in range(N):
        if t[n] != ignore_index:
            log_p = [z[n, c] - math.log(sum(math.exp(z[n, k] - z[n, c]) for k in range(C))) - z[n, c] for c in range(C)]
            smooth = sum(w[c] * log_p[c] for c in range(C))
            weights[n] = w[t[n]]
            losses[n] = -(1 - e) * w[t[n]] * log_p[t[n]] - e / C * smooth
    return losses, weights


class CrossEntropyOp(Op, name="cross_entropy"):
    @staticmethod
    def forward(
        ctx: Context,
        z: Array,
        w: Array | None,
        target: Array,
        ignore_index: int,
        reduction: str,
        label_smoothing: float,
    ) -> Array:
        xp, e = array_module(z), label_smoothing
        z = z.transpose(*range(1, z.ndim), 0)  # (C, ..., N)
        t = target.transpose(*range(1, target.ndim), 0)  # (..., N)
        C, shape = len(z), t.shape
        used = (t != ignore_index).reshape(-1)  # (N,)
        t = xp.where(used, t.reshape(-1), 0)  # (N,)
        weight = used.astype(z.dtype) if w is None else w[t] * used  # (N,)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            p = z.reshape(C, -1) - z.max(axis=0).reshape(-1)  # (C, N)   the largest is 0: no exp overflows
            right = xp.take_along_axis(p, t[None], axis=0)[0]  # (N,)
            total_w = float(C) if w is None else w.sum()
            smooth = (p.sum(axis=0) if w is None else (p * w[:, None]).sum(axis=0)) if e else None  # (N,)
            xp.exp(p, out=p)
            norm = p.sum(axis=0)  # (N,)
            p /= norm  # the softmax
            log_norm = xp.log(norm)  # (N,)
            losses = (1 - e) * weight * (log_norm - right)  # (N,)
            if smooth is not None:
                losses += e / C * (total_w * log_norm - smooth)
            losses = xp.where(used, losses, 0)  # (N,)
            divisor = weight.sum() if reduction == "mean" else 1
            y: Array = (
                losses.reshape(shape).transpose(-1, *range(len(shape) - 1))
                if reduction == "none"
                else (losses.sum() / divisor)
            )
        ctx.save(p=p, t=t, w=w, weight=weight, used=used, divisor=divisor, e=e, total_w=total_w, shape=shape)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array, None]:
        p, t, w, e, xp = ctx.p, ctx.t, ctx.w, ctx.e, array_module(dy)
        C, N = p.shape
        if dy.ndim:
            dy = dy.transpose(*range(1, dy.ndim), 0).reshape(-1)  # (N,)
        with np.errstate(invalid="ignore", divide="ignore"):
            g = xp.where(ctx.used, dy / ctx.divisor, 0)  # (N,)
        hit = (1 - e) * ctx.weight * g  # (N,)
        dz = p * (hit + (e / C * ctx.total_w) * g)  # (C, N)
        dz[t, xp.arange(N)] -= hit
        if e:
            dz -= e / C * g if w is None else e / C * w[:, None] * g
        return dz.reshape(C, *ctx.shape).transpose(-1, *range(len(ctx.shape))), None


def cross_entropy(
    logits: Tensor,
    target: Any,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The loss of logits (N, C, ...) for labels target (N, ...) -> a number, or (N, ...) with reduction "none"."""
    _checks.tensors("cross_entropy", logits=logits, weight=weight)
    _checks.choice("cross_entropy", "reduction", reduction, REDUCTIONS)
    labels = target.data if isinstance(target, Tensor) else as_array(target)
    return CrossEntropyOp.apply(
        logits,
        weight,
        target=labels,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=float(label_smoothing),
    )
