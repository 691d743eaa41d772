"""avg_pool2d: the average of each window, forward and backward, in one place.

    y[n, c, i, j] = 1 / count * sum over u, v of  x[n, c, i*SH + u - PH, j*SW + v - PW]

where x is 0 outside the image, and count is KH*KW, or less at the edges (see counts).

Sizes   N images   C channels   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding
        OH, OW output   OH = (H + 2*PH - KH) // SH + 1, rounded up in ceil_mode, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every line below runs over whole batches at once.

Read in this order: avg_pool2d_loops (the definition), AvgPool2dOp.forward, AvgPool2dOp.backward, counts.
"""

import numpy as np

from tinycnn.backend import Array, array_module
from tinycnn.ops import _pooling
from tinycnn.ops._checks import Pair
from tinycnn.ops._pooling import Windows
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["avg_pool2d"]


def avg_pool2d_loops(x: Array, windows: Windows, count_include_pad: bool) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold avg_pool2d to it."""
    N, C, H, W = x.shape
    (KH, KW), (SH, SW), (PH, PW), (OH, OW) = windows.kernel, windows.stride, windows.padding, windows.output
    y = np.empty((N, C, OH, OW), x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    top, left = i * SH - PH, j * SW - PW
                    bottom, right = min(top + KH, H + PH), min(left + KW, W + PW)  # ceil_mode may reach further
                    window = x[n, c, max(top, 0) : min(bottom, H), max(left, 0) : min(right, W)]
                    count = (bottom - top) * (right - left) if count_include_pad else window.size
                    y[n, c, i, j] = window.sum() / count
    return y


def counts(windows: Windows, include_pad: bool) -> Array | float:
    """How many pixels each window divides by: one number where all windows are alike, else an array (OH, OW, 1).

    The padding counts where include_pad says so; what lies beyond it, where ceil_mode lets windows go, never does.
    """
    sides = []
    for n, k, s, p, _, o in zip(*windows, strict=True):
        first, last = np.arange(o) * s - p, np.arange(o) * s - p + k
        low, high = (-p, n + p) if include_pad else (0, n)
        sides.append(np.minimum(last, high) - np.maximum(first, low))  # (OH,), then (OW,)
    if all((side == k).all() for side, k in zip(sides, windows.kernel, strict=True)):
        return float(windows.kernel[0] * windows.kernel[1])
    count: Array = np.multiply.outer(*sides)[:, :, None]  # (OH, OW, 1)
    return count


class AvgPool2dOp(Op, name="avg_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, windows: Windows, count_include_pad: bool) -> Array:
        x, xp = x.transpose(1, 2, 3, 0), array_module(x)
        C, _, _, N = x.shape
        share = 1 / counts(windows, count_include_pad)
        if isinstance(share, np.ndarray):
            share = xp.asarray(share, dtype=x.dtype)  # (OH, OW, 1)
        y: Array = xp.zeros((C, *windows.output, N), x.dtype)  # (C, OH, OW, N)
        for _, outputs, inputs in windows.taps():
            y[outputs] += x[inputs]
        y *= share
        ctx.save(windows=windows, share=share)
        return y.transpose(3, 0, 1, 2)  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        windows, xp = ctx.windows, array_module(dy)
        g = dy.transpose(1, 2, 3, 0) * ctx.share  # (C, OH, OW, N)   each pixel under a window gets this much of its dy
        C, _, _, N = g.shape
        if windows.tile():
            dx: Array = xp.empty((C, *windows.image, N), dy.dtype)  # (C, H, W, N)   each pixel written just once
            for _, outputs, inputs in windows.taps():
                dx[inputs] = g[outputs]
        else:
            dx = xp.zeros((C, *windows.image, N), dy.dtype)  # (C, H, W, N)   a pixel under several windows gets the sum
            for _, outputs, inputs in windows.taps():
                dx[inputs] += g[outputs]
        return dx.transpose(3, 0, 1, 2)  # (N, C, H, W)


def avg_pool2d(
    x: Tensor,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Average x (N, C, H, W) over windows of kernel_size -> (N, C, OH, OW); as torch.nn.functional.avg_pool2d.

    kernel_size, stride (kernel_size where it is None) and padding (zeros) are ints or (height, width) pairs.
    TypeError or ValueError where rank or sizes do not fit, padding is above half the kernel, or no window fits.
    """
    windows = _pooling.arguments("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
    return AvgPool2dOp.apply(x, windows=windows, count_include_pad=count_include_pad)
