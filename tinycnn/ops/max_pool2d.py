"""max_pool2d: the largest number of each window, forward and backward, in one place.

    y[n, c, i, j] = max over u, v of  x[n, c, i*SH + u*DH - PH, j*SW + v*DW - PW]

where pixels outside the image take no part.  Each window's gradient goes to its first maximum, read row by row, and in
a window with NaN, whose maximum is NaN, to the last of these, as in torch.

Sizes   N images   C channels   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding   DH, DW dilation
        OH, OW output   OH = (H + 2*PH - DH*(KH - 1) - 1) / SH + 1, rounded down, or up in ceil_mode, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every line below runs over whole batches at once.

Read in this order: max_pool2d_loops (the definition), taps, MaxPool2dOp.forward, MaxPool2dOp.backward.
"""

from collections.abc import Iterator

import numpy as np

from tinycnn.autograd.arguments import Pair
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last, bits
from tinycnn.geometry import Windows
from tinycnn.ops import _pooling

__all__ = ["max_pool2d"]

Index = tuple[slice, slice, slice]  # channels, rows and columns of a batch-last array


def max_pool2d_loops(x: Array, windows: Windows) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold max_pool2d to it."""
    (H, W), (KH, KW), (SH, SW), (PH, PW), (DH, DW), (OH, OW) = windows
    N, C = x.shape[:2]
    y = np.full((N, C, OH, OW), -np.inf, x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    for u in range(KH):
                        for v in range(KW):
                            h, w = i * SH + u * DH - PH, j * SW + v * DW - PW
                            if 0 <= h < H and 0 <= w < W:
                                y[n, c, i, j] = np.maximum(y[n, c, i, j], x[n, c, h, w])
    return y


def taps(windows: Windows) -> Iterator[tuple[Index, Index]]:
    """Each tap of the kernel, row by row: it meets the pixels x[inputs] (C, h, w, N) in the windows y[outputs]."""
    rows, columns = _pooling.lines(windows)
    for i, h in rows:
        for j, w in columns:
            yield (slice(None), i, j), (slice(None), h, w)


class MaxPool2dOp(Op, name="max_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, windows: Windows) -> Array:
        x, xp = batch_last(x), array_module(x)  # (C, H, W, N)
        y = xp.full((x.shape[0], *windows.output, x.shape[3]), -np.inf, x.dtype)  # (C, OH, OW, N)
        for outputs, inputs in taps(windows):
            xp.maximum(y[outputs], x[inputs], out=y[outputs])
        ctx.save(x=x, y=y, windows=windows)
        return batch_first(y)  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        x, y, windows, xp = ctx.x, ctx.y, ctx.windows, array_module(dy)
        dy = batch_last(dy)  # (C, OH, OW, N)
        tile = _pooling.tile(windows)  # then each pixel is written just once, and nothing need be added up
        dx = (xp.empty if tile else xp.zeros)(x.shape, dy.dtype)  # (C, H, W, N)
        waiting = xp.ones(y.shape, bool)  # (C, OH, OW, N)   windows whose maximum is still to come
        for outputs, inputs in taps(windows):
            first = x[inputs] == y[outputs]  # (C, h, w, N)
            first &= waiting[outputs]
            waiting[outputs] ^= first
            if tile:
                xp.multiply(bits(dy), first, out=bits(dx[inputs]))
            else:
                dx[inputs] += (bits(dy[outputs]) * first).view(dy.dtype)
        if xp is not np or waiting.any():  # NaN equals nothing, so it is waited for yet; a GPU is not asked, but told
            for outputs, inputs in reversed(list(taps(windows))):
                last = waiting[outputs] & xp.isnan(x[inputs])  # (C, h, w, N)
                waiting[outputs] ^= last
                dx[inputs] += (bits(dy[outputs]) * last).view(dy.dtype)
        return batch_first(dx)  # (N, C, H, W)


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
    width) pairs.  NaN in a window makes its maximum NaN, and gets the gradient.  TypeError or ValueError where rank or
    sizes do not fit, padding is above half the kernel, or no window fits.
    """
    windows = _pooling.arguments("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)
    return MaxPool2dOp.apply(x, windows=windows)
