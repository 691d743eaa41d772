"""max_pool2d: the largest number of each window, forward and backward, in one place.

    y[n, c, i, j] = max over u, v of  x[n, c, i*SH + u*DH - PH, j*SW + v*DW - PW]

where pixels outside the image do not take part.  The gradient goes to the first maximum of each window, row by row.

Sizes   N images   C channels   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding   DH, DW dilation
        OH, OW output   OH = (H + 2*PH - DH*(KH - 1) - 1) // SH + 1, rounded up in ceil_mode, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every line below runs over whole batches at once.
A tap is one place in the kernel; taps are numbered u*KW + v.

Read in this order: max_pool2d_loops (the definition), MaxPool2dOp.forward, first_winner, MaxPool2dOp.backward.
"""

import math

import numpy as np

from tinycnn.backend import Array, array_module
from tinycnn.ops import _pooling
from tinycnn.ops._checks import Pair
from tinycnn.ops._pooling import Windows
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["max_pool2d"]


def max_pool2d_loops(x: Array, windows: Windows) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold max_pool2d to it."""
    _, (KH, KW), (SH, SW), (PH, PW), (DH, DW), (OH, OW) = windows
    x = np.pad(x, ((0, 0), (0, 0), (PH, PH + SH), (PW, PW + SW)), constant_values=-np.inf)  # ceil_mode reaches further
    N, C = x.shape[:2]
    y = np.empty((N, C, OH, OW), x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    rows = slice(i * SH, i * SH + DH * (KH - 1) + 1, DH)
                    columns = slice(j * SW, j * SW + DW * (KW - 1) + 1, DW)
                    y[n, c, i, j] = x[n, c, rows, columns].max()
    return y


def first_winner(x: Array, y: Array, windows: Windows) -> Array:
    """The number of the first tap of each window whose pixel is the maximum: x (C, H, W, N), y -> (C, OH, OW, N)."""
    xp, number = array_module(x), math.prod(windows.kernel)
    found = xp.zeros(y.shape, bool)  # (C, OH, OW, N)
    winner: Array = xp.zeros(y.shape, np.uint8 if number < 256 else np.uint32)  # (C, OH, OW, N)
    taps = {tap: (outputs, inputs) for tap, outputs, inputs in windows.taps()}
    for tap in range(number):
        if tap in taps:
            outputs, inputs = taps[tap]
            found[outputs] |= x[inputs] == y[outputs]
        winner += ~found  # one more tap that comes before the first maximum
    return winner


class MaxPool2dOp(Op, name="max_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, windows: Windows) -> Array:
        x, xp = x.transpose(1, 2, 3, 0), array_module(x)
        C, _, _, N = x.shape
        y: Array = xp.full((C, *windows.output, N), -np.inf, x.dtype)  # (C, OH, OW, N)
        for _, outputs, inputs in windows.taps():
            xp.maximum(y[outputs], x[inputs], out=y[outputs])
        if ctx.needs[0]:
            ctx.save(windows=windows, winner=first_winner(x, y, windows))
        return y.transpose(3, 0, 1, 2)  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        windows, winner, xp = ctx.windows, ctx.winner, array_module(dy)
        dy = dy.transpose(1, 2, 3, 0)  # (C, OH, OW, N)
        C, _, _, N = dy.shape
        dx: Array = xp.zeros((C, *windows.image, N), dy.dtype)  # (C, H, W, N)
        for tap, outputs, inputs in windows.taps():
            dx[inputs] += dy[outputs] * (winner[outputs] == tap)
        return dx.transpose(3, 0, 1, 2)  # (N, C, H, W)


def max_pool2d(
    x: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The maximum of x (N, C, H, W) over windows of kernel_size -> (N, C, OH, OW); as torch's max_pool2d.

    kernel_size, stride (kernel_size where it is None), padding (minus infinity) and dilation are ints or (height,
    width) pairs.  TypeError or ValueError where rank or sizes do not fit, padding is above half the kernel, or no
    window fits.
    """
    windows = _pooling.arguments("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    return MaxPool2dOp.apply(x, windows=windows)
