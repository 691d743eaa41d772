"""adaptive_avg_pool2d: averages over as many windows as are asked for, whatever the size of the image.

    y[n, c, i, j] = mean of  x[n, c, h, w]  over  floor(i*H/OH) <= h < ceil((i+1)*H/OH)  and w likewise

An average over a window is an average over its rows and then over its columns, and each is a product with a matrix:
y = R @ x @ K.T for every image, where R[i, h] is 1 / (height of window i) for the rows h that it covers, and K the
same for columns.  So dx = R.T @ dy @ K.

Sizes   N images   C channels   H, W image   OH, OW output

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory.

Read in this order: adaptive_avg_pool2d_loops (the definition), averages, along_both, AdaptiveAvgPool2dOp.
"""

import numpy as np

from tinycnn.autograd.arguments import count
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last, gemm
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
                    rows, columns = slice(i * H // OH, -(-(i + 1) * H // OH)), slice(j * W // OW, -(-(j + 1) * W // OW))
                    y[n, c, i, j] = x[n, c, rows, columns].mean()
    return y


def averages(n: int, windows: int) -> Array:
    """The matrix (windows, n) whose product with n numbers is the average of each window."""
    i, h = np.arange(windows)[:, None], np.arange(n)
    covered = (i * n // windows <= h) & (h < -(-(i + 1) * n // windows))
    return covered / covered.sum(axis=1, keepdims=True)


def along_both(x: Array, R: Array, K: Array) -> Array:
    """R @ x @ K.T for every image of x (C, H, W, N)."""
    C, H, W, N = x.shape
    x = gemm(R, x.reshape(C, H, W * N)).reshape(C * len(R), W, N)  # (C*OH, W, N)
    return gemm(K, x).reshape(C, len(R), len(K), N)  # (C, OH, OW, N)


class AdaptiveAvgPool2dOp(Op, name="adaptive_avg_pool2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, output: tuple[int, int]) -> Array:
        xp = array_module(x)
        R, K = (xp.asarray(averages(n, windows), dtype=x.dtype) for n, windows in zip(x.shape[2:], output, strict=True))
        ctx.save(R=R, K=K)
        return batch_first(along_both(batch_last(x), R, K))  # (N, C, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return batch_first(along_both(batch_last(dy), ctx.R.T, ctx.K.T))  # (N, C, H, W)


def adaptive_avg_pool2d(x: Tensor, output_size: Size) -> Tensor:
    """Average x (N, C, H, W) over output_size windows -> (N, C, OH, OW); as torch's adaptive_avg_pool2d.

    output_size is an int or a pair (OH, OW); None stands for the size that x has.  TypeError or ValueError for another
    rank, an empty x, or sizes below 1.
    """
    _checks.tensors("adaptive_avg_pool2d", x=x)
    _checks.rank("adaptive_avg_pool2d", "x", x, "(N, C, H, W)")
    _checks.no_empty("adaptive_avg_pool2d", "x", x)
    both = tuple(output_size) if isinstance(output_size, list | tuple) else (output_size, output_size)
    if len(both) != 2:
        raise ValueError(f"adaptive_avg_pool2d: output_size must be an int or a pair (OH, OW), got {output_size!r}")
    OH, OW = (
        n if size is None else count("adaptive_avg_pool2d", "output_size", size)
        for n, size in zip(x.shape[2:], both, strict=True)
    )
    return AdaptiveAvgPool2dOp.apply(x, output=(OH, OW))
