"""conv2d: two-dimensional convolution, forward and backward, in one place.

    y[n, o, i, j] = b[o] + sum over c, u, v of  x[n, c, i*SH + u*DH, j*SW + v*DW] * w[o, c, u, v]

where x has been padded with zeros.  (Deep learning says "convolution" for this cross-correlation: the kernel is
not flipped.)

Sizes   N images   C in-channels   H, W image   O out-channels (filters)   KH, KW kernel   OH, OW output
        SH, SW stride   PH, PW padding   DH, DW dilation   G groups: filter o sees the C/G channels of its group
        OH = (H + 2*PH - DH*(KH - 1) - 1) // SH + 1, and OW likewise

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory: every line below runs over whole batches at once.

Read in this order: conv2d_loops (the definition), im2col, Conv2dOp.forward, Conv2dOp.backward, col2im.
"""

import numpy as np

from tinycnn import geometry
from tinycnn.autograd import arguments
from tinycnn.autograd.arguments import Pair, Two, pair
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import OPS, Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last, gemm, gemm_sum, strided, workspace_limit
from tinycnn.geometry import Windows
from tinycnn.ops import _checks

__all__ = ["conv2d"]


def conv2d_loops(
    x: Array, w: Array, b: Array, stride: Two, padding: Two, dilation: Two = (1, 1), groups: int = 1
) -> Array:
    """The definition, one output number at a time.  Slow on purpose; the tests hold conv2d to it."""
    (SH, SW), (PH, PW), (DH, DW) = stride, padding, dilation
    x = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))
    N, (O, C, KH, KW) = len(x), w.shape  # here C counts the channels of one group
    OH, OW = geometry.windows("conv2d", x.shape[2:], (KH, KW), stride, dilation=dilation).output
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


def im2col(x: Array, windows: Windows) -> Array:
    """Every window of x in a column of its own: padded (G, C, H, W, N) -> (G, OH, KH*C*KW, OW*N), C per group.

    x is the image, or those of its rows that some rows of windows meet (see `pieces`).

    cols[g, i] are the windows of output row i: row (u, c, v) holds what tap (u, v) of the kernel meets in channel c,
    column (j, n) is the window of output pixel (i, j) of image n.

    Only the shifts along the width are copied, KW times the image.  Laid out with the image's rows in front, the
    windows of the next output row begin SH image rows further on in the same memory, so the shifts along the height
    cost nothing: cols is a view in which neighbouring output rows overlap.  (Dilated rows are not neighbours in
    memory; then `reshape` copies.)  Read it, never write to it.
    """
    (KH, KW), (SH, SW), (DH, DW), (_, OW) = windows.kernel, windows.stride, windows.dilation, windows.output
    G, C, H, W, N = x.shape
    OH = geometry.output_size(H, KH, SH, dilation=DH)
    g, c, h, w, n = x.strides
    shifted = strided(x, (G, H, C, KW, OW, N), (g, h, c, w * DW, w * SW, n)).copy()  # (G, H, C, KW, OW, N)
    g, h, *rest = shifted.strides
    stacked = strided(shifted, (G, OH, KH, C, KW, OW, N), (g, h * SH, h * DH, *rest))  # (G, OH, KH, C, KW, OW, N)
    return stacked.reshape(G, OH, KH * C * KW, OW * N)


def col2im(cols: Array, x: Array, windows: Windows) -> None:
    """The adjoint of im2col, not its inverse: add every column into x, where it would have been copied from.

    cols (G, OH, KH*C*KW, OW*N) is added into the padded x (G, C, H, W, N); a pixel under several windows gets the
    sum.  im2col undone: first the shifts along the height, then those along the width.
    """
    (KH, KW), (SH, SW), (DH, DW), (_, OW) = windows.kernel, windows.stride, windows.dilation, windows.output
    (G, C, H, _, N), OH = x.shape, cols.shape[1]
    stacked = cols.reshape(G, OH, KH, C, KW, OW, N)
    shifted = array_module(x).zeros((G, H, C, KW, OW, N), x.dtype)  # (G, H, C, KW, OW, N)
    for u in range(KH):  # tap row u of all windows at once: no two of them share a pixel
        shifted[:, u * DH : u * DH + SH * (OH - 1) + 1 : SH] += stacked[:, :, u]
    rows = x.swapaxes(1, 2)  # (G, H, C, W, N)
    for v in range(KW):
        rows[:, :, :, v * DW : v * DW + SW * (OW - 1) + 1 : SW] += shifted[:, :, :, v]


def pieces(x: Array, windows: Windows) -> list[tuple[slice, slice]]:
    """The convolution of padded x (G, C, H, W, N) cut so that the columns of each piece fit into the workspace.

    A list of (output rows, rows of the image under their windows); it has one piece unless x is huge.
    """
    (KH, KW), (OH, OW), SH, DH = windows.kernel, windows.output, windows.stride[0], windows.dilation[0]
    G, C, _, _, N = x.shape
    step = max(1, workspace_limit() // max(1, G * KH * C * KW * OW * N * x.itemsize))
    cuts = [(i, min(i + step, OH)) for i in range(0, OH, step)]
    return [(slice(i, end), slice(i * SH, (end - 1) * SH + DH * (KH - 1) + 1)) for i, end in cuts]


def filters(w: Array, groups: int) -> Array:
    """The kernels as matrices whose columns are ordered like the rows of im2col: (G, 1, O/G, KH*C*KW)."""
    return w.transpose(0, 2, 1, 3).reshape(groups, 1, len(w) // groups, -1)


class Conv2dOp(Op, name="conv2d"):
    @staticmethod
    def forward(ctx: Context, x: Array, w: Array, b: Array | None, windows: Windows, groups: int) -> Array:
        (O, C, _, _), (OH, OW) = w.shape, windows.output
        x = pad(batch_last(x), windows.padding)  # (G*C, H, W, N)
        x = x.reshape(groups, C, *x.shape[1:])  # (G, C, H, W, N)
        y = array_module(x).empty((groups, O // groups, OH, OW * x.shape[-1]), x.dtype)  # (G, O/G, OH, OW*N)
        plan = pieces(x, windows)
        for rows, image in plan:
            cols = im2col(x[:, :, image], windows)  # (G, oh, KH*C*KW, OW*N)
            gemm(filters(w, groups), cols, out=y[:, :, rows].swapaxes(1, 2))  # every filter meets every column
        if b is not None:
            y += b.reshape(groups, -1, 1, 1)
        ctx.save(w=w, x_shape=x.shape, windows=windows, plan=plan)
        ctx.save(cols=cols if len(plan) == 1 else None, x=None if len(plan) == 1 else x)  # a huge x is unrolled again
        return batch_first(y.reshape(O, OH, OW, -1))  # (N, O, OH, OW)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, Array | None, Array | None]:
        w, xp, (G, C, H, W, N) = ctx.w, array_module(dy), ctx.x_shape
        (O, _, KH, KW), (PH, PW) = w.shape, ctx.windows.padding
        dy = batch_last(dy).reshape(G, O // G, dy.shape[2], -1)  # (G, O/G, OH, OW*N)
        ones = xp.ones(dy.size // O, dy.dtype)  # the product with them is the sum, at twice the speed
        db = gemm(dy.reshape(O, -1), ones) if ctx.needs[2] else None  # (O,)     b was added to every product
        dw = xp.zeros((G, O // G, KH * C * KW), w.dtype) if ctx.needs[1] else None
        dx = xp.zeros(ctx.x_shape, dy.dtype) if ctx.needs[0] else None  # (G, C, H, W, N)   padded
        for rows, image in ctx.plan:
            dy_rows = dy[:, :, rows].swapaxes(1, 2)  # (G, oh, O/G, OW*N)
            if dw is not None:  # from y = w @ cols
                cols = im2col(ctx.x[:, :, image], ctx.windows) if ctx.cols is None else ctx.cols
                dw += gemm_sum(dy_rows, cols.swapaxes(2, 3))  # (G, O/G, KH*C*KW)
            if dx is not None:
                dcols = gemm(filters(w, G).swapaxes(2, 3), dy_rows)  # (G, oh, KH*C*KW, OW*N)
                col2im(dcols, dx[:, :, image], ctx.windows)
        if dw is not None:
            dw = dw.reshape(O, KH, C, KW).transpose(0, 2, 1, 3)  # (O, C, KH, KW)
        if dx is not None:
            dx = batch_first(dx.reshape(G * C, H, W, N)[:, PH : H - PH, PW : W - PW])  # (N, G*C, H, W)
        return dx, dw, db


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve x (N, C, H, W) with weight (O, C/groups, KH, KW) and add bias (O,) -> (N, O, OH, OW).

    As torch.nn.functional.conv2d.  stride, padding (zeros; also "same" or "valid") and dilation are ints or pairs.
    TypeError or ValueError where ranks, channels, dtypes or devices do not fit, or no window fits.
    """
    _checks.tensors("conv2d", x=x, weight=weight, bias=bias)
    _checks.rank("conv2d", "x", x, "(N, C, H, W)")
    _checks.rank("conv2d", "weight", weight, "(O, C/groups, KH, KW)")
    _checks.no_empty("conv2d", "x", x, since=1)
    _checks.no_empty("conv2d", "weight", weight)
    shapes = f"(x {x.shape}, weight {weight.shape}, groups {groups})"
    (C, O, Cg) = x.shape[1], weight.shape[0], weight.shape[1]
    groups = arguments.groups("conv2d", groups, C, O)
    if C != Cg * groups:
        raise ValueError(f"conv2d: x has {C} channels, weight expects {Cg * groups} {shapes}")
    if bias is not None and bias.shape != (O,):
        raise ValueError(f"conv2d: bias must have shape ({O},), one number per filter, got {bias.shape} {shapes}")
    kernel, stride = (weight.shape[2], weight.shape[3]), pair("conv2d", "stride", stride, 1)
    dilation = pair("conv2d", "dilation", dilation, 1)
    padding, (below, right) = arguments.conv_padding("conv2d", padding, kernel, stride, dilation)
    if below or right:
        x = OPS["pad"].apply(x, frame=((0, 0), (0, 0), (0, below), (0, right)), value=0.0)
    windows = geometry.windows("conv2d", (x.shape[2], x.shape[3]), kernel, stride, padding, dilation)
    return Conv2dOp.apply(x, weight, bias, windows=windows, groups=groups)
