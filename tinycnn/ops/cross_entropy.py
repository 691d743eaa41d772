"""cross_entropy: how far the softmax of the logits is from the right labels; loss and gradient in one.

    p[n, c] = exp(z[n, c]) / sum over k of exp(z[n, k])                            softmax of the logits z
    q[n, c] = w[c] * ((1 - e) * (1 where c is the label of n, else 0) + e / C)     what p ought to be
    loss[n] = -sum over c of q[n, c] * log p[n, c]

w are the weights of the classes (1 where none are given), e the label smoothing.  The mean is the sum of the losses
over the sum of the weights of the labels; examples labelled ignore_index count in neither.  With no weights and
e = 0 that is the mean of -log p[n, label of n].  Its gradient for z is (p - q) / N, simpler than that of any part.

In place of a label an example may have a probability t[n, c] for each class; it takes the place of (1 where c is the
label of n, else 0), and the mean is the sum of the losses over the number of examples.

Sizes   N examples   C classes   ... further axes, such as the pixels of an image that has a label at each

Arrays are (N, C, ...) to the user and (C, ..., N) in memory.

Read in this order: cross_entropy_loops (the definition), CrossEntropyOp.forward, CrossEntropyOp.backward.
"""

import math

import numpy as np

from tinycnn.autograd.arguments import choice, integer, number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last, wide
from tinycnn.ops import _checks

__all__ = ["cross_entropy"]


def cross_entropy_loops(z: Array, t: Array, w: Array, ignore_index: int, e: float) -> tuple[Array, Array]:
    """The definition for z (N, C), a number at a time: each example's loss and weight.  The tests' oracle."""
    N, C = z.shape
    losses, weights = np.zeros(N, z.dtype), np.ones(N, z.dtype)
    for n in range(N):
        if t.ndim == 1:
            weights[n] = 0 if t[n] == ignore_index else w[t[n]]
            if t[n] == ignore_index:
                continue
        total = sum(math.exp(z[n, k]) for k in range(C))
        for c in range(C):
            p, share = math.exp(z[n, c]) / total, t[n, c] if t.ndim == 2 else c == t[n]
            losses[n] -= w[c] * ((1 - e) * share + e / C) * math.log(p)
    return losses, weights


class CrossEntropyOp(Op, name="cross_entropy"):
    @staticmethod
    def forward(
        ctx: Context, z: Array, t: Array, w: Array | None, ignore_index: int, reduction: str, label_smoothing: float
    ) -> Array:
        xp, C, e, extra = array_module(z), z.shape[1], label_smoothing, (1,) * (z.ndim - 1)
        z, t = batch_last(z), batch_last(t)  # (C, ..., N), and (..., N) or (C, ..., N)
        used: Array | None = None  # (..., N)   which labels count; where they are probabilities, all do
        right = t  # (C, ..., N)
        if t.ndim < z.ndim:
            used = t != ignore_index
            right = (xp.arange(C).reshape(C, *extra) == t) & used  # (C, ..., N)
        q = right.astype(z.dtype)  # (C, ..., N)
        if w is not None:
            q *= w.reshape(C, *extra)
        divisor = 1.0
        if reduction == "mean":
            divisor = t.size // C if t.ndim == z.ndim else wide(q).sum()
        if e:
            q *= 1 - e
            q += e / C if w is None else w.reshape(C, *extra) * (e / C)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            s = z - z.max(axis=0)  # (C, ..., N)   a constant changes no p; with the largest at 0 no exp overflows
            p = xp.exp(s)  # (C, ..., N)
            norm, total = p.sum(axis=0), q.sum(axis=0)  # (..., N)
            losses = xp.log(norm) * total - xp.where(q != 0, q * s, 0).sum(axis=0)  # (..., N)   log p = s - log(norm)
            if t.ndim < z.ndim:
                losses = xp.where(right.any(axis=0), losses, np.nan)  # a label that is no class; see cross_entropy
                losses = xp.where(used, losses, 0)
            y: Array = batch_first(losses) if reduction == "none" else wide(losses).sum() / divisor
            y = y.astype(z.dtype, copy=False)
        if ctx.needs[0]:
            p *= total / norm
            p -= q  # (C, ..., N)   the gradient of each example's loss
            ctx.save(slope=p, used=used, divisor=divisor)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        xp = array_module(dy)
        if dy.ndim:
            dy = batch_last(dy)  # (..., N)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = dy / ctx.divisor  # (..., N)
            if ctx.used is not None:
                share = xp.where(ctx.used, share, 0)
            return batch_first(ctx.slope * share).astype(dy.dtype, copy=False)  # (N, C, ...)


def cross_entropy(
    logits: Tensor,
    target: Tensor | Array,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The loss of logits (N, C, ...) for the labels target (N, ...), integers from 0 to C - 1 -> one number.

    As torch.nn.functional.cross_entropy: target may also be floats (N, C, ...), the probabilities of the classes.
    weight (C,) weighs the classes; reduction is "mean", "sum", or "none" for each example's loss (N, ...); logits (C,)
    and target () or (C,) are one example.  Logits of any size are safe.  NaN where all labels are ignored.  TypeError
    or ValueError where shapes, dtypes, devices or labels do not fit; labels that lie on a GPU are not looked at, since
    that would stall it, and a wrong one there makes the loss NaN.
    """
    _checks.tensors("cross_entropy", logits=logits, weight=weight)
    _checks.no_empty("cross_entropy", "logits", logits, since=1)
    choice("cross_entropy", "reduction", reduction, ("mean", "sum", "none"))
    label_smoothing = number("cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    ignore_index = integer("cross_entropy", "ignore_index", ignore_index)
    if logits.ndim == 0:
        raise ValueError("cross_entropy: logits must have the axes (N, C, ...) or (C,), got shape ()")
    lone = logits.ndim == 1
    if lone:
        logits = logits.reshape(1, -1)
    C = logits.shape[1]
    if weight is not None and weight.shape != (C,):
        raise ValueError(f"cross_entropy: weight must have shape ({C},), one number per class, got {weight.shape}")
    if weight is not None and weight.requires_grad:
        raise ValueError("cross_entropy: weight gets no gradient but requires one; pass weight.detach()")
    t = _checks.probabilities("cross_entropy", target, logits.shape[1:] if lone else logits.shape, logits)
    if t is None:
        expected = () if lone else (logits.shape[0], *logits.shape[2:])
        t = _checks.labels("cross_entropy", target, expected, C, ignore_index, logits)
    elif ignore_index >= 0:
        raise ValueError(f"cross_entropy: probabilities cannot be ignored, got ignore_index {ignore_index}")
    loss = CrossEntropyOp.apply(
        logits,
        t=t.reshape(1, *t.shape) if lone else t,
        w=None if weight is None else weight.data,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss.reshape(()) if lone else loss
