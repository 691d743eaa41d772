"""head: cross-entropy of the last stage's rows, its gradient, and the right answers (ops/cross_entropy.py)."""

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.execution.engines.stages.values import Values
from tinycnn.functional import cross_entropy
from tinycnn.nn import CrossEntropyLoss
from tinycnn.ops import _checks


class Head:
    """For logits z (C, N), as they are after the folded map, and labels t (N,).

    With p the softmax of z, a the weight of the label (0 where it is ignored) and e the label smoothing:

        loss[n] = a * (1 - e) * -log p[t]  +  sum over c of e / C * w[c] * -log p[c]
    """

    def __init__(self, loss: CrossEntropyLoss, x: Values) -> None:
        self.x, self.loss = x, loss
        C, N = len(x.y.reshape(-1, x.images)), x.images
        self.weight = None if loss.weight is None else loss.weight.data
        cross_entropy(  # so that its own messages say what is wrong with the options
            Tensor(np.zeros((1, C), x.dtype)), np.zeros(1, int), loss.weight, -1, "mean", loss.label_smoothing
        )
        self.spread = np.full(C, loss.label_smoothing / C, x.dtype)  # what smoothing gives to every class
        if self.weight is not None:
            self.spread *= self.weight
        self.z = x.y.reshape(C, N)
        self.s, self.p = np.empty((C, N), x.dtype), np.empty((C, N), x.dtype)
        self.each = np.arange(N)

    def forward(self, t: Array) -> tuple[float, int]:
        """The loss of this part, a mean over its labels' weights or a sum, and how many answers are right."""
        C, N = self.z.shape
        _checks.labels("cross_entropy", t, (N,), C, self.loss.ignore_index, Tensor(self.z.T))
        z = self.s
        np.multiply(self.z, self.x.scale, out=z)
        if self.x.shift:
            z += self.x.shift
        correct = int(np.count_nonzero(z.argmax(axis=0) == t))
        used = t != self.loss.ignore_index  # (N,)
        self.t = t if used.all() else np.where(used, t, 0)
        self.used, e, p = used, self.loss.label_smoothing, self.p
        amount = used.astype(z.dtype) if self.weight is None else self.weight[self.t] * used  # (N,)
        self.divisor = amount.sum() if self.loss.reduction == "mean" else 1.0
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            z -= z.max(axis=0)  # (C, N)   a constant changes no p; with the largest at 0 no exp overflows
            np.exp(z, out=p)
            norm = p.sum(axis=0)  # (N,)
            p /= norm
            norm = np.log(norm)
            losses = amount * (1 - e) * (norm - z[self.t, self.each])
            if e:
                losses += used * (norm * self.spread.sum() - self.spread @ z)
            self.amount = amount * (1 - e)
            return float(losses.sum() / self.divisor), correct

    def backward(self, share: float) -> Array:
        """The gradient of share * loss by the last stage's buffer (C, N)."""
        p, e = self.p, self.loss.label_smoothing
        if e:
            total = self.amount + self.spread.sum()
            p *= total
            p -= self.spread[:, None]
            p *= self.used
        elif self.weight is not None or not self.used.all():
            p *= self.amount
        p[self.t, self.each] -= self.amount
        p *= share / float(self.divisor) * self.x.scale
        return p
