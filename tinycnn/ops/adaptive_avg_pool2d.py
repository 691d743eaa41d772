"""adaptive_avg_pool2d: averages over as many windows as are asked for, whatever the size of the image.

    y[n, c, i, j] = mean of  x[n, c, h, w]  over  floor(i*H/OH) <= h < ceil((i+1)*H/OH)  and w likewise

An average over a window is an average over its rows and then over its columns.  What a window gets of the gradient it
gives in equal shares to its columns and then to its rows; windows overlap where OH does not divide H.

Sizes   N images   C channels   H, W image   OH, OW output

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory.

Read in this order: adaptive_avg_pool2d_loops (the definition), spans, means, shares, AdaptiveAvgPool2dOp.
"""

import numpy as np

from tinycnn.autograd.arguments import count
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last
from tinycnn.ops import _checks

__all__ = ["adaptive_avg_pool2d"]

Size = int | None | tuple[int | None, int | None]


def adaptive_avg_pool2d_loops(x: Array, OH: int, OW: int) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold adaptive_avg_pool2d to it."""
    N, C, H, W = x.shape
    y = np.empty((N, C, OH, OW), x.dtype)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    y[n, c, i, j] = x[n, c, spans(H, OH)[i], spans(W, OW)[j]].mean()
    return y


def spans(n: int, windows: int) -> list[slice]:
    """The places of n that each window covers."""
    return [slice(i * n // windows, -(-(i + 1) * n // windows)) for i in range(windows)]


def means(x: Array, windows: int) -> Array:
    """x (K, n, M) averaged over each window along its middle axis -> (K, windows, M)."""
    return array_module(x).stack([x[:, span].mean(axis=1) for span in spans(x.shape[1], windows)], axis=1)


def shares(dy: Array, n: int) -> Array:
    """The gradient dy (K, windows, M) of means, to each place that the windows cover its share -> (K, n, M)."""
    dx: Array = array_module(dy).zeros((dy.shape[0], n, dy.shape[2]), dy.dtype)
    for i, span in enumerate(spans(n, dy.shape[1])):
        dx[:, span] += dy[:, i : i + 1] / (span.stop - span.start)
    return dx


class AdaptiveAvgPool2dOp(Op, name="adaptive_avg_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, output: tuple[int, int]) -> Array:
        x, (OH, OW) = batch_last(x), output
        C, H, W, N = x.shape
        ctx.save(shape=x.shape)
        t = means(x.reshape(C, H, W * N), OH)  # (C, OH, W*N)
        return batch_first(means(t.reshape(C * OH, W, N), OW).reshape(C, OH, OW, N))  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dy, (C, H, W, N) = batch_last(dy), ctx.shape
        OH, OW = dy.shape[1:3]
        dt = shares(dy.reshape(C * OH, OW, N), W)  # (C*OH, W, N)
        return batch_first(shares(dt.reshape(C, OH, W * N), H).reshape(C, H, W, N))  # (N, C, H, W)


def adaptive_avg_pool2d(x: Tensor, output_size: Size) -> Tensor:
    """Average x (N, C, H, W) over output_size windows -> (N, C, OH, OW); as torch's adaptive_avg_pool2d.

    output_size is an int or a pair (OH, OW); None stands for the size that x has.  TypeError or ValueError for another
    rank, an empty x, or sizes below 1.
    """
    _checks.tensors("adaptive_avg_pool2d", x=x)
    _checks.rank("adaptive_avg_pool2d", "x", x, "(N, C, H, W)")
    _checks.no_empty("adaptive_avg_pool2d", "x", x, since=1)
    both = tuple(output_size) if isinstance(output_size, list | tuple) else (output_size, output_size)
    if len(both) != 2:
        raise ValueError(f"adaptive_avg_pool2d: output_size must be an int or a pair (OH, OW), got {output_size!r}")
    OH, OW = (
        n if size is None else count("adaptive_avg_pool2d", "output_size", size)
        for n, size in zip(x.shape[2:], both, strict=True)
    )
    return AdaptiveAvgPool2dOp.apply(x, output=(OH, OW))
