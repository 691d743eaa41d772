"""What average and maximum pooling share: where their windows lie.

Sizes   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding   DH, DW dilation   OH, OW output

A tap is one place in the kernel.  Tap (u, v) of window (i, j) lies over pixel (i*SH + u*DH - PH, j*SW + v*DW - PW),
or over the padding around the image.  Padding is never stored: a tap leaves out the windows where it meets none.

Read in this order: Windows, lines, arguments.
"""

from functools import lru_cache
from typing import NamedTuple

from tinycnn.autograd.tensor import Tensor
from tinycnn.ops import _checks
from tinycnn.ops._checks import Pair

Two = tuple[int, int]
Line = tuple[tuple[slice, slice], ...]  # per tap along one axis: the windows it serves, the pixels it meets there


class Windows(NamedTuple):
    """Where the windows of a pooling lie; each entry is (height, width)."""

    image: Two
    kernel: Two
    stride: Two
    padding: Two
    dilation: Two
    output: Two

    def tile(self) -> bool:
        """Whether each pixel lies under exactly one tap of one window."""
        (KH, KW), (OH, OW) = self.kernel, self.output
        plain = self.padding == (0, 0) and self.dilation == (1, 1)
        return plain and self.kernel == self.stride and self.image == (KH * OH, KW * OW)


@lru_cache(maxsize=256)
def lines(windows: Windows) -> tuple[Line, Line]:
    """The taps along the height and along the width, as slices: y[outputs] are the windows whose tap meets x[inputs].

    lines[0][u] moves the rows and lines[1][v] the columns of tap (u, v); taps that meet only padding are left out.
    """
    found = []
    for n, k, s, p, d, o in zip(*windows, strict=True):
        taps = []
        for u in range(k):
            offset = u * d - p  # window i meets pixel i*s + offset: inside the image from `first` to `last`
            first, last = max(0, -(offset // s)), min(o - 1, (n - 1 - offset) // s)
            if first <= last:
                taps.append((slice(first, last + 1), slice(first * s + offset, last * s + offset + 1, s)))
        found.append(tuple(taps))
    return found[0], found[1]


def arguments(
    function: str, x: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Windows:
    """The windows that a pooling function's arguments describe; TypeError or ValueError where they describe none."""
    _checks.tensors(function, x=x)
    _checks.rank(function, "x", x, "(N, C, H, W)")
    _checks.no_empty(function, "x", x)
    k = _checks.pair(function, "kernel_size", kernel_size, 1)
    s = k if stride is None else _checks.pair(function, "stride", stride, 1)
    p, d = _checks.pair(function, "padding", padding, 0), _checks.pair(function, "dilation", dilation, 1)
    if 2 * p[0] > k[0] or 2 * p[1] > k[1]:
        raise ValueError(
            f"{function}: padding must be at most half the kernel, got padding {p} (kernel_size {k}, x {x.shape})"
        )
    image = (x.shape[2], x.shape[3])
    return Windows(image, k, s, p, d, _checks.output_size(function, image, k, s, p, d, ceil_mode))
