"""What average and maximum pooling share: the geometry of their windows.

Sizes   C channels   H, W image   N images   KH, KW kernel   OH, OW output   SH, SW stride   PH, PW padding
        DH, DW dilation

A tap is one place in the kernel.  Tap (u, v) of window (i, j) lies over pixel (i*SH + u*DH - PH, j*SW + v*DW - PW),
or over padding, outside the image.
"""

from typing import NamedTuple

from tinycnn.ops import _checks
from tinycnn.ops._checks import Pair
from tinycnn.tensor import Tensor

Two = tuple[int, int]
Index = tuple[slice, slice, slice]  # into a batch-last array: all channels, some rows, some columns


class Windows(NamedTuple):
    """Where the windows lie; each entry is (height, width)."""

    image: Two
    kernel: Two
    stride: Two
    padding: Two
    dilation: Two
    output: Two

    def taps(self) -> list[tuple[int, Index, Index]]:
        """(number of the tap, outputs, inputs) in row-major order: x[inputs] (C, h, w, N) lies under this tap of the
        windows y[outputs] (C, h, w, N).  Windows whose tap lies over padding are left out of both."""
        (rows, columns), KW = map(_line, *self), self.kernel[1]
        return [(u * KW + v, (slice(None), i, j), (slice(None), h, w)) for u, i, h in rows for v, j, w in columns]

    def tile(self) -> bool:
        """Whether every pixel lies under exactly one tap of one window."""
        return (
            self.kernel == self.stride
            and self.padding == (0, 0)
            and self.dilation == (1, 1)
            and all(n == k * o for n, k, o in zip(self.image, self.kernel, self.output, strict=True))
        )


def _line(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output: int
) -> list[tuple[int, slice, slice]]:
    """Taps along one axis: (tap, outputs, inputs); taps that lie over padding in all windows are left out."""
    found = []
    for tap in range(kernel):
        offset = tap * dilation - padding  # window i meets pixel i*stride + offset
        first, last = max(0, -(offset // stride)), min(output - 1, (size - 1 - offset) // stride)
        if first <= last:
            inputs = slice(first * stride + offset, last * stride + offset + 1, stride)
            found.append((tap, slice(first, last + 1), inputs))
    return found


def arguments(
    function: str, x: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Windows:
    """The windows that a pooling function's arguments describe; its errors where they describe none."""
    _checks.tensors(function, x=x)
    _checks.rank(function, "x", x, "(N, C, H, W)")
    _checks.no_empty(function, "x", x)
    kernel = _checks.pair(function, "kernel_size", kernel_size, 1)
    step = kernel if stride is None else _checks.pair(function, "stride", stride, 1)
    frame = _checks.pair(function, "padding", padding, 0)
    spread = _checks.pair(function, "dilation", dilation, 1)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(frame, kernel, spread, strict=True)):
        raise ValueError(
            f"{function}: padding must be at most half the kernel, got padding {padding} for kernel_size {kernel_size}"
        )
    image = x.shape[2], x.shape[3]
    output = _checks.output_size(function, image, kernel, step, frame, spread, ceil_mode)
    return Windows(image, kernel, step, frame, spread, output)
