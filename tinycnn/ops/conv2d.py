"""conv2d: two-dimensional convolution, forward and backward, in one place.

    y[n, o, i, j] = b[o] + sum over c, u, v of  x[n, c, i*SH + u*DH, j*SW + v*DW] * w[o, c, u, v]

where x has been padded with zeros.  (Deep learning says "convolution" for this cross-correlation: the kernel is
not flipped.)

Sizes   N images   C in-channels   H, W image   O out-channels (filters)   KH, KW kernel   OH, OW output
        SH, SW stride   PH, PW padding   DH, DW dilation   G groups: filter o sees the C/G channels of its group
        OH = (H + 2*PH - DH*(KH - 1) - 1) // SH + 1, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every loop below runs over whole batches at once.

Read in this order: conv2d_loops (the definition), im2col, Conv2dOp.forward, Conv2dOp.backward, col2im.
"""

import numpy as np

from tinycnn.backend import Array, array_module, gemm, windows
from tinycnn.ops import _checks
from tinycnn.ops._checks import Pair
from tinycnn.tape import Context
from tinycnn.tensor import Op, Tensor

__all__ = ["conv2d"]

Two = tuple[int, int]


def conv2d_loops(
    x: Array, w: Array, b: Array, stride: Two, padding: Two, dilation: Two = (1, 1), groups: int = 1
) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold conv2d to it."""
    (SH, SW), (PH, PW), (DH, DW) = stride, padding, dilation
    x = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    N, (O, C, KH, KW) = len(x), w.shape  # here C counts the channels of one group
    OH, OW = (x.shape[2] - DH * (KH - 1) - 1) // SH + 1, (x.shape[3] - DW * (KW - 1) - 1) // SW + 1
    y = np.empty((N, O, OH, OW), x.dtype)
    for n in range(N):
        for o in range(O):
            first = o // (O // groups) * C  # the first channel of this filter's group
            for i in range(OH):
                for j in range(OW):
                    rows = slice(i * SH, i * SH + DH * (KH - 1) + 1, DH)
                    columns = slice(j * SW, j * SW + DW * (KW - 1) + 1, DW)
                    window = x[n, first : first + C, rows, columns]  # (C, KH, KW)
                    y[n, o, i, j] = b[o] + (window * w[o]).sum()
    return y


def pad(x: Array, padding: Two) -> Array:
    """A frame of zeros around every image: (C, H, W, N) -> (C, H + 2*PH, W + 2*PW, N)."""
    C, H, W, N = x.shape
    PH, PW = padding
    if PH == PW == 0:
        return x
    framed: Array = array_module(x).zeros((C, H + 2 * PH, W + 2 * PW, N), x.dtype)
    framed[:, PH : PH + H, PW : PW + W] = x
    return framed


def im2col(x: Array, kernel: Two, stride: Two, dilation: Two) -> Array:
    """Copy every window of x into a column of its own: padded (C, H, W, N) -> (C*KH*KW, OH*OW*N).

    Row (c, u, v) is the image shifted so that tap (u, v) of the kernel lies over it; column (i, j, n) is the
    window under output pixel (i, j) of image n.  One strided copy does it all.
    """
    view = windows(x, kernel, stride, dilation)  # (C, KH, KW, OH, OW, N)
    C, KH, KW, OH, OW, N = view.shape
    return view.reshape(C * KH * KW, OH * OW * N)


def col2im(cols: Array, x: Array, kernel: Two, stride: Two, dilation: Two) -> None:
    """The adjoint of im2col, not its inverse: add every column back into x, from where it was copied.

    cols (C*KH*KW, OH*OW*N) is added into the padded x (C, H, W, N): a pixel under several windows gets the sum.
    First along the rows of the image, then down its columns: KW + KH long additions instead of KW * KH short ones.
    """
    (KH, KW), (SH, SW), (DH, DW) = kernel, stride, dilation
    C, H, W, N = x.shape
    OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1
    taps = cols.reshape(C, KH, KW, OH, OW, N)
    wide: Array = array_module(x).zeros((C, KH, OH, W, N), x.dtype)
    for v in range(KW):  # tap v of all windows at once: no two of them share a pixel of the row
        wide[:, :, :, v * DW : v * DW + SW * (OW - 1) + 1 : SW] += taps[:, :, v]
    for u in range(KH):
        x[:, u * DH : u * DH + SH * (OH - 1) + 1 : SH] += wide[:, u]


class Conv2dOp(Op, name="conv2d"):
    @staticmethod
    def forward(
        ctx: Context, x: Array, w: Array, b: Array | None, stride: Two, padding: Two, dilation: Two, groups: int
    ) -> Array:
        (O, _, KH, KW), G = w.shape, groups
        x = pad(x.transpose(1, 2, 3, 0), padding)  # (C, H, W, N)
        cols = im2col(x, (KH, KW), stride, dilation)  # (C*KH*KW, OH*OW*N)
        cols = cols.reshape(G, -1, cols.shape[1])  # (G, C/G*KH*KW, OH*OW*N)
        y = gemm(w.reshape(G, O // G, -1), cols).reshape(O, -1)  # (O, OH*OW*N): every filter meets every column
        if b is not None:
            y += b[:, None]
        ctx.save(cols=cols, w=w, x_shape=x.shape, stride=stride, padding=padding, dilation=dilation)
        C, H, W, N = x.shape
        OH, OW = _checks.output_size("conv2d", (H, W), (KH, KW), stride, (0, 0), dilation)
        return y.reshape(O, OH, OW, N).transpose(3, 0, 1, 2)  # (N, O, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
        cols, w = ctx.cols, ctx.w
        G, (O, _, KH, KW) = len(cols), w.shape
        dx = dw = db = None
        dy = dy.transpose(1, 2, 3, 0).reshape(O, -1)  # (O, OH*OW*N)
        if ctx.needs[2]:
            db = dy.sum(axis=1)  # (O,)                          b was added to every column's product
        dy = dy.reshape(G, O // G, -1)  # (G, O/G, OH*OW*N)
        if ctx.needs[1]:
            dw = gemm(dy, cols.swapaxes(1, 2)).reshape(w.shape)  # (O, C/G, KH, KW)   from y = w @ cols
        if ctx.needs[0]:
            dcols = gemm(w.reshape(G, O // G, -1).swapaxes(1, 2), dy)  # (G, C/G*KH*KW, OH*OW*N)
            dx = array_module(dy).zeros(ctx.x_shape, dy.dtype)  # (C, H, W, N)         padded
            col2im(dcols, dx, (KH, KW), ctx.stride, ctx.dilation)
            (PH, PW), (_, H, W, _) = ctx.padding, dx.shape
            dx = dx[:, PH : H - PH, PW : W - PW].transpose(3, 0, 1, 2)  # (N, C, H, W)   the frame was not x's
        return dx, dw, db


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve x (N, C, H, W) with weight (O, C/groups, KH, KW) and add bias (O,) -> (N, O, OH, OW).

    As torch.nn.functional.conv2d.  stride, padding (zeros) and dilation are ints or (height, width) pairs.
    TypeError or ValueError where ranks, channels, dtypes or devices do not fit, or no window fits.
    """
    _checks.tensors("conv2d", x=x, weight=weight, bias=bias)
    _checks.rank("conv2d", "x", x, "(N, C, H, W)")
    _checks.rank("conv2d", "weight", weight, "(O, C/groups, KH, KW)")
    _checks.no_empty("conv2d", "x", x)
    _checks.no_empty("conv2d", "weight", weight)
    shapes = f"(x {x.shape}, weight {weight.shape}, groups {groups})"
    (C, O, Cg) = x.shape[1], weight.shape[0], weight.shape[1]
    if not isinstance(groups, int) or groups < 1 or C % groups or O % groups:
        raise ValueError(
            f"conv2d: groups must divide the {C} channels of x and the {O} filters of weight, got {groups} {shapes}"
        )
    if C != Cg * groups:
        raise ValueError(f"conv2d: x has {C} channels, weight expects {Cg * groups} {shapes}")
    if bias is not None and bias.shape != (O,):
        raise ValueError(f"conv2d: bias must have shape ({O},), one number per filter, got {bias.shape} {shapes}")
    stride, padding = _checks.pair("conv2d", "stride", stride, 1), _checks.pair("conv2d", "padding", padding, 0)
    dilation = _checks.pair("conv2d", "dilation", dilation, 1)
    _checks.output_size("conv2d", x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return Conv2dOp.apply(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
