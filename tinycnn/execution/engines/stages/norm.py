"""norm: batch normalisation, an activation and a pooling side by side, as one stage (ops/batch_norm.py).

    u = y - mean        z = s * u        out = tail(z + B)        see tail.py

y are the numbers of the buffer before, mean theirs.  With value = scale * y + shift the deviation of a value from its
mean is scale * u, the shift is gone, and

    z_hat = u * inverse        inverse = scale / sqrt(var + eps)        var = scale**2 * mean of u**2

so that the factors of the weights, and of the activation, are in s = inner * w * inverse and B = inner * b.

Sizes   C channels   H, W map   N images of this part   M numbers of a channel in the whole batch

In training this is where the parts of a batch meet (whole.py): twice on the way up, once on the way down.
"""

import math

import numpy as np

from tinycnn import nn, whole
from tinycnn.backend import Array, aligned
from tinycnn.execution.engines.stages.activations import ACTIVATIONS
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.tail import CACHE, Tail
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage


class Norm(PartStage):
    """x (C, H, W, N) -> (C, H, W, N), or as many windows as its pooling has."""

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        assert isinstance(stage.layer, (nn.BatchNorm1d, nn.BatchNorm2d))
        self.x, self.layer, (C, H, W), N = x, stage.layer, stage.takes, x.images
        self.owns = frozenset(map(id, stage.parameters.values()))
        self.activation = ACTIVATIONS[stage.activation]
        mean = 1 / math.prod(stage.window) if stage.pooling == "AVERAGE" else 1.0
        scale = float(self.activation.scale * mean)  # the buffer holds sums
        self.out = Values(stage.gives, N, x.dtype, scale, self.activation.shift, frame)
        self.y = self.out.y[None]  # (1, C, ..., N)   one group, as tails have them
        self.z = self.y if stage.pooling == "NO_POOL" else aligned((1, C, H, W, N), x.dtype)
        self.u = x.y[None] if x.read_once else aligned((1, C, H, W, N), x.dtype)
        self.B = aligned((1, C, 1, 1, 1), x.dtype, 0) if self.layer.bias is not None else None
        self.dB = aligned((1, C), x.dtype)
        self.ones = aligned((W * N,), x.dtype, 1)
        step = -(-C // -(-self.u.nbytes // CACHE))
        self.tails: list[tuple[slice, Tail]] = []  # for so many channels at a time as fit in cache
        for some in (slice(c, c + step) for c in range(0, C, step)):
            B = None if self.B is None else self.B[:, some]
            self.tails.append((some, Tail(stage, self.z[:, some], self.y[:, some], B, scratch)))

    def forward(self, train: bool) -> None:
        running = None if train else self._running()
        var = self._of_the_batch() if running is None else self._deviations(*running)  # (C,)
        self.own, self.inverse = running is None, self.x.scale / np.sqrt(var + self.layer.eps)
        self.s = self.inverse * self.activation.inner
        if self.layer.weight is not None:
            self.s = self.s * self.layer.weight.data
        if self.B is not None and self.layer.bias is not None:
            np.multiply(self.layer.bias.data, self.activation.inner, out=self.B.reshape(-1))
        for some, tail in self.tails:
            np.multiply(self.u[:, some], _wide(self.s[some]), out=self.z[:, some])
            tail.forward(train)

    def _of_the_batch(self) -> Array:
        """u by the whole batch's mean; returns its variance (C,), towards which the running one moves."""
        x, scale = self.x.y[None], self.x.scale
        self.M = M = x.shape[2] * x.shape[3] * whole.examples(self.x.images)
        if M < 2:
            raise ValueError(f"batch_norm: expected more than 1 number a channel in training, got {self.x.shape}")
        mean, squares = whole.total(self._sums(x)) / M, aligned((x.shape[1],), x.dtype)  # (C,)
        for some, _ in self.tails:
            u = np.subtract(x[:, some], _wide(mean[some]), out=self.u[:, some])
            squares[some] = _dots(u, u)
        var = whole.total(squares) * (scale * scale / M)
        if whole.remembers():
            self.layer.remember(scale * mean + self.x.shift, var * (M / (M - 1)))
        return var

    def _running(self) -> tuple[Array, Array] | None:
        """The running mean, of the buffer's numbers, and variance; None where there are none."""
        if self.layer.running_mean is None or self.layer.running_var is None:
            return None
        return (self.layer.running_mean.data - self.x.shift) / self.x.scale, self.layer.running_var.data

    def _deviations(self, mean: Array, var: Array) -> Array:
        """u by this mean; returns the variance as it is."""
        np.subtract(self.x.y[None], _wide(mean), out=self.u)
        return var

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        dz, u, inner = self.z, self.u, self.activation.inner
        dots = np.empty_like(self.inverse)
        for some, tail in self.tails:
            tail.backward(d[None, some], dz[:, some], self.dB[:, some])
            dots[some] = _dots(dz[:, some], u[:, some])
        dw, db = inner * self.inverse * dots, inner * self.dB[0]  # (C,)
        for parameter, gradient in ((self.layer.weight, dw), (self.layer.bias, db)):
            if (wanted := gradients.get(id(parameter))) is not None:
                np.copyto(wanted, gradient)
        if not pass_on:
            return None
        for some, _ in self.tails:
            np.multiply(dz[:, some], _wide(self.s[some]), out=dz[:, some])
        if self.own:  # mean and variance are the batch's, and so are the means of dz_hat and of dz_hat * z_hat
            of_u, of_one = whole.total(np.stack((dw, db))) * (self.s / (inner * self.M))  # (C,), (C,)
            of_u *= self.inverse
            for some, _ in self.tails:
                np.multiply(u[:, some], _wide(of_u[some]), out=u[:, some])
                np.subtract(dz[:, some], u[:, some], out=dz[:, some])
                np.subtract(dz[:, some], _wide(of_one[some]), out=dz[:, some])
        return dz[0]

    def _sums(self, d: Array) -> Array:
        """The sum of d (1, C, H, W, N) over all but the channels; as a product it has twice the speed."""
        rows = d.reshape(*d.shape[:3], -1)  # (1, C, H, W*N)
        total: Array = np.add.reduce(np.matmul(rows, self.ones), axis=2)[0]  # (C,)
        return total


def _dots(a: Array, b: Array) -> Array:
    """The sum of a * b, both (1, C, H, W, N), over all but the channels, row by row: nothing is written but (C, H)."""
    total: Array = np.add.reduce(np.vecdot(*(d[0].reshape(*d.shape[1:3], -1) for d in (a, b))), axis=1)
    return total


def _wide(numbers: Array) -> Array:
    """A number for each channel, (C,), as it meets a map: (C, 1, 1, 1)."""
    return numbers[:, None, None, None]
