"""head: cross-entropy of the last stage's rows, its gradient, and the right answers (ops/cross_entropy.py)."""

import math

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
        self.each, self.divisor = np.arange(N), 1.0
        self.used: Array | None = None  # (N,)   None where all labels count
        self.amount: Array | None = None  # (N,)   the weight of each label; None where all count 1

    def forward(self, t: Array) -> tuple[float, int]:
        """The loss of this part, a mean over its labels' weights or a sum, and how many answers are right."""
        self._look_at(t)
        z, p, e = self.s, self.p, self.loss.label_smoothing
        np.multiply(self.z, self.x.scale, out=z)
        if self.x.shift:
            z += self.x.shift
        correct = int(np.count_nonzero(z.argmax(axis=0) == t))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            z -= np.maximum.reduce(z)  # (C, N)   a constant changes no p; with the largest at 0 no exp overflows
            np.exp(z, out=p)
            norm = np.add.reduce(p)  # (N,)
            p /= norm
            norm = np.log(norm)
            losses = norm - z[self.t, self.each]  # (N,)
            losses = losses if self.amount is None else losses * self.amount
            if e:
                smooth = norm * self.spread.sum() - self.spread @ z
                losses = (1 - e) * losses + (smooth if self.used is None else smooth * self.used)
            return float(np.add.reduce(losses) / self.divisor), correct

    def _look_at(self, t: Array) -> None:
        """Check the labels, and count those that are not ignored."""
        C, N = self.z.shape
        ignored, plain = self.loss.ignore_index, t.dtype.kind in "iu" and t.shape == (N,)
        if not plain or np.minimum.reduce(t) < 0 or np.maximum.reduce(t) >= C:
            _checks.labels("cross_entropy", t, (N,), C, ignored, Tensor(self.z.T))
            used = t != ignored
        else:
            used = t != ignored if 0 <= ignored < C else None
        self.t = t if used is None else np.where(used, t, 0)
        self.used = self.amount = used
        if self.weight is not None:
            self.amount = self.weight[self.t] if used is None else self.weight[self.t] * used
        if self.loss.reduction == "mean":
            self.divisor = float(N if self.amount is None else self.amount.sum())

    def backward(self, share: float) -> Array:
        """The gradient of share * loss by the last stage's buffer (C, N)."""
        p, e = self.p, self.loss.label_smoothing
        amount = (1 - e) * (1 if self.amount is None else self.amount)
        if e:
            p *= amount + self.spread.sum()
            p -= self.spread[:, None]
            if self.used is not None:
                p *= self.used
        elif self.amount is not None:
            p *= amount
        p[self.t, self.each] -= amount
        p *= share / self.divisor * self.x.scale if self.divisor else math.nan
        if not self.divisor and self.used is not None:
            p[:, ~self.used] = 0  # as on the tape: what is ignored has no gradient, even where the mean is 0 / 0
        return p
