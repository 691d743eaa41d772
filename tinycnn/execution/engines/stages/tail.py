"""tail: what comes behind a convolution's product: bias, activation and pooling, for some of its filters at a time.

    t = activation(z + B)        y = windows of t        or, for a maximum,
    m = windows of z             y = activation(m + B)   of which there are fewer

Each line is a pass over a map.  They follow one another for so few filters that their maps stay in the core's cache.
"""

import numpy as np

from tinycnn.backend import Array, aligned, strided
from tinycnn.execution.engines.stages.activations import ACTIVATIONS
from tinycnn.execution.engines.stages.pooling import MaxPool, SumPool, clear_rest, windows_of
from tinycnn.execution.engines.stages.values import Scratch
from tinycnn.execution.stages import Stage

CACHE = 1 << 18  # bytes of a map that stay in a core's cache while several passes go over them


class Tail:
    """z (G, O, OH, OW, N) -> y (G, O, OH/KH, OW/KW, N), or y is z where there is no pooling; B (G, O, 1, 1, 1)."""

    def __init__(self, stage: Stage, z: Array, y: Array, B: Array | None, scratch: Scratch) -> None:
        self.z, self.y, self.B, self.window = z, y, B, stage.window
        self.activation = ACTIVATIONS[stage.activation]
        self.max = MaxPool(z, stage.window, scratch) if stage.pooling == "MAXIMUM" else None
        self.sum = SumPool(z, stage.window, scratch) if stage.pooling == "AVERAGE" else None
        *_, OW, N = z.shape if self.max is None else y.shape
        self.ones = aligned((OW * N,), z.dtype, 1)

    def forward(self, train: bool) -> None:
        if self.max is not None:  # the maximum first: neither bias nor activation changes who it is
            self.max.forward(self.y, train)
        t = self.z if self.sum is not None else self.y
        if self.B is not None:
            np.add(t, self.B, out=t)
        self.activation.apply(t)
        if self.sum is not None:
            self.sum.forward(self.y)

    def backward(self, d: Array, dz: Array, dB: Array | None) -> None:
        """From d, the gradient of y, to dz, that of z, and dB, that of B; dz may be z itself, and y is used up."""
        if self.max is not None:
            dm = self.y  # in place
            self.activation.back(self.y, d, dm)
            self._add_up(dm, dB)  # each number goes to one winner, and so all have the same sum
            self.max.backward(dm, dz)
            return
        if self.sum is not None:
            spread, d = windows_of(dz, self.window), d[:, :, :, None, :, None]  # (G, O, OH/KH, KH, OW/KW, KW, N)
            if self.activation.slope is None:
                np.copyto(spread, d)
            else:
                self.activation.slope(self.z, dz)
                np.multiply(spread, d, out=spread)
            clear_rest(dz, self.window)
        else:
            self.activation.back(self.y, d, dz)
        self._add_up(dz, dB)

    def _add_up(self, d: Array, dB: Array | None) -> None:
        """dB = the sum of d (G, O, OH, OW, N) over all but the filters; as a product it has twice the speed."""
        if dB is not None:
            rows = d.reshape(*d.shape[:3], -1)  # (G, O, OH, OW*N)
            np.add.reduce(np.matmul(rows, self.ones), axis=2, out=dB)


def as_products(z: Array) -> Array:
    """A map (G, O, OH, OW, N), each row of each group a matrix: (G, OH, O, OW*N), a view."""
    (G, O, OH, OW, N), (g, o, h, _, n) = z.shape, z.strides
    return strided(z, (G, OH, O, OW * N), (g, h, o, n))
