"""pooling: windows side by side behind a convolution, over buffers (ops/avg_pool2d.py, ops/max_pool2d.py).

Sizes   C channels   H, W map   KH, KW window   OH, OW windows   N images

What the windows leave over at the lower and right edge, where they do not fill the map, takes no part.
"""

import numpy as np

from tinycnn.backend import Array, aligned
from tinycnn.execution.engines.stages.values import Scratch, Two


def windows_of(z: Array, window: Two) -> Array:
    """The map z (..., H, W, N) by windows: (..., OH, KH, OW, KW, N), a view."""
    *front, H, W, N = z.shape
    (KH, KW), OH, OW = window, H // window[0], W // window[1]
    return z[..., : OH * KH, : OW * KW, :].reshape(*front, OH, KH, OW, KW, N)  # axes are cut, and nothing moves


def clear_rest(z: Array, window: Two) -> None:
    """0 where no window lies."""
    *_, H, W, _ = z.shape
    KH, KW = window
    if H % KH:
        z[..., H - H % KH :, :, :] = 0
    if W % KW:
        z[..., W - W % KW :, :] = 0


class SumPool:
    """The sum of each window; whoever reads it knows that the mean is a share of it."""

    def __init__(self, z: Array, window: Two, scratch: Scratch) -> None:
        self.z, self.window = windows_of(z, window), window  # (..., OH, KH, OW, KW, N)
        *front, OH, _, OW, KW, N = self.z.shape
        self.rows = scratch(*front, OH, OW, KW, N)

    def forward(self, y: Array) -> None:
        """Into y (..., OH, OW, N): first the rows of each window, then the columns."""
        z, rows, (KH, KW) = self.z, self.rows, self.window
        _combine(np.add, [z[..., u, :, :, :] for u in range(KH)], rows)  # (..., OH, OW, KW, N)
        _combine(np.add, [rows[..., v, :] for v in range(KW)], y)  # (..., OH, OW, N)


class MaxPool:
    """The largest number of each window, and where it was: its gradient goes to the first such, read row by row.

    NaN in a window goes on as NaN.  Whose its gradient is, is not asked: the loss is NaN then, and all gradients are.
    """

    def __init__(self, z: Array, window: Two, scratch: Scratch) -> None:
        self.window = window
        self.z = windows_of(z, window)  # (..., OH, KH, OW, KW, N)
        *front, OH, KH, OW, KW, N = self.z.shape
        self.rows = aligned((KH, *front, OH, OW, N), z.dtype)  # the largest of each row of a window
        self.top = aligned((*front, OH, OW, N), z.dtype)  # and of all rows
        self.won = aligned(self.top.shape, bool)
        self.share, self.mine = scratch(2, *self.top.shape)

    def forward(self, y: Array, train: bool) -> None:
        """Into y (..., OH, OW, N): first the columns of each row of a window, then the rows."""
        z, (KH, KW) = self.z, self.window
        for u in range(KH):
            _combine(np.maximum, [z[..., u, :, v, :] for v in range(KW)], self.rows[u])
        _combine(np.maximum, list(self.rows), self.top if train else y)
        if train:
            np.copyto(y, self.top)  # y goes through an activation, and backward has to find the winners

    def backward(self, dy: Array, dz: Array) -> None:
        """dy (..., OH, OW, N) to the winners: first to a row of each window, then to a pixel.

        dz may be z itself, and dy is used up: what is left in it no earlier row has won.
        """
        into, (KH, _), share = windows_of(dz, self.window), self.window, self.share
        for u in range(KH - 1):
            np.equal(self.rows[u], self.top, out=self.won)
            np.multiply(dy, self.won, out=share)
            np.subtract(dy, share, out=dy)
            self._along(u, share, into)
        self._along(KH - 1, dy, into)
        clear_rest(dz, self.window)

    def _along(self, u: int, share: Array, into: Array) -> None:
        """Row u of all windows: its share (..., OH, OW, N) to the first of its pixels that is its largest."""
        z, dz, KW = self.z[..., u, :, :, :], into[..., u, :, :, :], self.window[1]  # (..., OH, OW, KW, N)
        for v in range(KW - 1):
            np.equal(z[..., v, :], self.rows[u], out=self.won)
            np.multiply(share, self.won, out=self.mine)  # here, not in dz, whose pixels are not neighbours
            np.copyto(dz[..., v, :], self.mine)
            np.subtract(share, self.mine, out=share if v < KW - 2 else dz[..., KW - 1, :])
        if KW == 1:
            np.copyto(dz[..., 0, :], share)


def _combine(function: np.ufunc, parts: list[Array], out: Array) -> None:
    """The sum, or the maximum, of some arrays of one shape."""
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    function(parts[0], parts[1], out=out)
    for part in parts[2:]:
        function(out, part, out=out)
