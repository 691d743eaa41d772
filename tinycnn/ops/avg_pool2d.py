"""avg_pool2d: the average of each window, forward and backward, in one place.

    y[n, c, i, j] = 1 / count[i, j] * sum over u, v of  x[n, c, i*SH + u - PH, j*SW + v - PW]

where x is 0 outside the image, and count is KH*KW, or less at the edges (see `counts`).

Sizes   N images   C channels   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding   OH, OW output
        OH = (H + 2*PH - KH) / SH + 1, rounded down, or up in ceil_mode, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every line below runs over whole batches at once.

Read in this order: avg_pool2d_loops (the definition), counts, add_along, AvgPool2dOp.forward, AvgPool2dOp.backward.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tinycnn.autograd.arguments import Pair
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last, wide
from tinycnn.geometry import Windows
from tinycnn.ops import _pooling

__all__ = ["avg_pool2d"]

Moves = Sequence[tuple[slice, slice]]  # from where to where along one axis, as (target, source)


def avg_pool2d_loops(x: Array, windows: Windows, count_include_pad: bool = True) -> Array:
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


@lru_cache(maxsize=256)
def counts(windows: Windows, include_pad: bool) -> Array | None:
    """What the sum of each window is divided by, as torch has it: (OH, OW, 1), or None where it is KH*KW for all.

    The padding counts where include_pad says so; what lies beyond it, where ceil_mode lets windows go, never does.
    """
    sides = []
    for n, k, s, p, _, o in zip(*windows, strict=True):
        first, rim = np.arange(o) * s - p, p if include_pad else 0
        sides.append(np.minimum(first + k, n + rim) - np.maximum(first, -rim))  # (OH,), then (OW,)
    count: Array = np.multiply.outer(*sides)[:, :, None]  # (OH, OW, 1)
    return None if (count == windows.kernel[0] * windows.kernel[1]).all() else count


def add_along(axis: int, x: Array, moves: Moves, size: int) -> Array:
    """A new array, `size` long along one axis and else like x, into which each move (target, source) adds of x."""
    before = (slice(None),) * axis
    (target, source), *others = moves
    if target == slice(0, size):  # the first move fills it all: nothing to add to yet
        y: Array = x[(*before, source)].copy()
    else:
        y, others = array_module(x).zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype), list(moves)
    for target, source in others:
        y[(*before, target)] += x[(*before, source)]
    return y


class AvgPool2dOp(Op, name="avg_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, windows: Windows, count_include_pad: bool) -> Array:
        dtype, x, xp = x.dtype, wide(batch_last(x)), array_module(x)  # (C, H, W, N)
        (rows, columns), (OH, OW), (KH, KW) = _pooling.lines(windows), windows.output, windows.kernel
        y = add_along(1, x, rows, OH)  # (C, OH, W, N)   the sum over a window is a sum over its rows ...
        y = add_along(2, y, columns, OW)  # (C, OH, OW, N)                         ... and then over its columns
        count = counts(windows, count_include_pad)
        share = 1 / (KH * KW) if count is None else xp.asarray(1 / count, dtype=x.dtype)  # (OH, OW, 1)
        y *= share
        ctx.save(windows=windows, share=share)
        return batch_first(y).astype(dtype, copy=False)  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        windows = ctx.windows
        (rows, columns), (H, W), (KH, KW) = _pooling.lines(windows), windows.image, windows.kernel
        dx = wide(batch_last(dy)) * ctx.share  # (C, OH, OW, N)   so much goes to every pixel of a window
        if _pooling.tile(windows):  # nothing to add up: one copy does it all
            C, OH, OW, N = dx.shape
            tiles = array_module(dx).empty((C, OH, KH, OW, KW, N), dx.dtype)
            tiles[...] = dx[:, :, None, :, None]
            dx = tiles.reshape(C, H, W, N)
        else:  # the same moves with target and source exchanged, in reverse order
            dx = add_along(2, dx, [(source, target) for target, source in columns], W)  # (C, OH, W, N)
            dx = add_along(1, dx, [(source, target) for target, source in rows], H)  # (C, H, W, N)
        return batch_first(dx).astype(dy.dtype, copy=False)  # (N, C, H, W)


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
