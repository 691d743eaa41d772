"""pooling: windows side by side behind a convolution, over buffers (ops/avg_pool2d.py, ops/max_pool2d.py).

Sizes   C channels   H, W map   KH, KW window   OH, OW windows   N images

What the windows leave over at the lower and right edge, where they do not fill the map, takes no part.
"""

import numpy as np

from tinycnn.backend import Array, aligned, strided
from tinycnn.execution.engines.stages.values import Scratch, Two


def windows_of(z: Array, window: Two) -> Array:
    """The map z (..., H, W, N) by windows: (..., OH, KH, OW, KW, N), a view."""
    *front, H, W, N = z.shape
    (KH, KW), (h, w, n) = window, z.strides[-3:]
    return strided(z, (*front, H // KH, KH, W // KW, KW, N), (*z.strides[:-3], h * KH, h, w * KW, w, n))


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
    """The largest number of each window, and where it was: its gradient goes to the first such, read row by row."""

    def __init__(self, z: Array, window: Two, scratch: Scratch) -> None:
        self.window = window
        self.z = windows_of(z, window)  # (..., OH, KH, OW, KW, N)
        *front, OH, KH, OW, KW, N = self.z.shape
        self.rows = aligned((KH, *front, OH, OW, N), z.dtype)  # the largest of each row of a window
        self.top = aligned((*front, OH, OW, N), z.dtype)  # and of all rows
        self.won = aligned(self.top.shape, bool)
        self.left, self.share, self.mine = scratch(3, *self.top.shape)

    def forward(self, y: Array, train: bool) -> None:
        """Into y (..., OH, OW, N): first the columns of each row of a window, then the rows."""
        z, (KH, KW) = self.z, self.window
        for u in range(KH):
            _combine(np.maximum, [z[..., u, :, v, :] for v in range(KW)], self.rows[u])
        _combine(np.maximum, list(self.rows), self.top if train else y)
        if train:
            np.copyto(y, self.top)  # y goes through an activation, and backward has to find the winners

    def backward(self, dy: Array, dz: Array) -> None:
        """dy (..., OH, OW, N) to the winners: first to a row of each window, then to a pixel; dz may be z itself."""
        into, (KH, _), left, share = windows_of(dz, self.window), self.window, self.left, self.share
        np.copyto(left, dy)  # what no earlier row has won
        for u in range(KH - 1):
            np.equal(self.rows[u], self.top, out=self.won)
            np.multiply(left, self.won, out=share)
            np.subtract(left, share, out=left)
            self._along(u, share, into)
        self._along(KH - 1, left, into)
        clear_rest(dz, self.window)

    def _along(self, u: int, share: Array, into: Array) -> None:
        """Row u of all windows: its share (..., OH, OW, N) to the first of its pixels that is its largest."""
        z, dz, KW = self.z[..., u, :, :, :], into[..., u, :, :, :], self.window[1]  # (..., OH, OW, KW, N)
        for v in range(KW - 1):
            np.equal(z[..., v, :], self.rows[u], out=self.won)
            np.multiply(share, self.won, out=self.mine)  # here, not in dz, whose pixels are not neighbours
            np.subtract(share, self.mine, out=share)
            np.copyto(dz[..., v, :], self.mine)
        np.copyto(dz[..., KW - 1, :], share)


def _combine(function: np.ufunc, parts: list[Array], out: Array) -> None:
    """The sum, or the maximum, of some arrays of one shape."""
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    function(parts[0], parts[1], out=out)
    for part in parts[2:]:
        function(out, part, out=out)
