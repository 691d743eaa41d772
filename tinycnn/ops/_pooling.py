"""What average and maximum pooling share: where their windows lie.

Sizes   H, W image   KH, KW kernel   SH, SW stride   PH, PW padding   DH, DW dilation   OH, OW output

A tap is one place in the kernel.  Tap (u, v) of window (i, j) lies over pixel (i*SH + u*DH - PH, j*SW + v*DW - PW),
or over the padding around the image.  Padding is never stored: a tap leaves out the windows where it meets none.

Read in this order: lines, tile, arguments.
"""

from functools import lru_cache

from tinycnn import geometry
from tinycnn.autograd.arguments import Pair, pair, pool_padding
from tinycnn.autograd.tensor import Tensor
from tinycnn.geometry import Windows
from tinycnn.ops import _checks

Line = tuple[tuple[slice, slice], ...]  # per tap along one axis: the windows it serves, the pixels it meets there


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


def tile(windows: Windows) -> bool:
    """Whether each pixel lies under exactly one tap of one window."""
    (KH, KW), (OH, OW) = windows.kernel, windows.output
    plain = windows.padding == (0, 0) and windows.dilation == (1, 1)
    return plain and windows.kernel == windows.stride and windows.image == (KH * OH, KW * OW)


def arguments(
    function: str, x: Tensor, kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Windows:
    """The windows that a pooling function's arguments describe; TypeError or ValueError where they describe none."""
    _checks.tensors(function, x=x)
    _checks.rank(function, "x", x, "(N, C, H, W)")
    _checks.no_empty(function, "x", x, since=1)
    k = pair(function, "kernel_size", kernel_size, 1)
    s = k if stride is None else pair(function, "stride", stride, 1)
    p, d = pool_padding(function, padding, k), pair(function, "dilation", dilation, 1)
    return geometry.windows(function, (x.shape[2], x.shape[3]), k, s, p, d, ceil_mode)
