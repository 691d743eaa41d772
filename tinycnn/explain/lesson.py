"""lesson: small convolutions to look at, run by the engine: no data, no training.

The toy is an ankle boot of 6x6 pixels in two channels, and two filters of 3x3, all in whole numbers, so that every
sum can be checked in the head.  None of the kernels is symmetric: a flipped kernel, or one transposed by mistake,
gives other numbers.

Read in this order: X, W, B, toy (one case), cases (all), size_table.
"""

import itertools
from typing import Any

import numpy as np

from tinycnn import functional as F
from tinycnn import geometry
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, batch_last
from tinycnn.explain.trace import LayerRecord, Trace, trace
from tinycnn.nn import Conv2d, Sequential
from tinycnn.ops.conv2d import col2im, conv2d_loops, im2col, pad

X = [  # (C, H, W): the boot, and the light that falls on it
    [
        [0, 0, 5, 5, 0, 0],
        [0, 0, 6, 7, 0, 0],
        [0, 0, 6, 8, 0, 0],
        [0, 4, 7, 9, 0, 0],
        [3, 8, 9, 9, 1, 0],
        [9, 9, 9, 9, 9, 0],
    ],
    [
        [0, 0, 1, 2, 0, 0],
        [0, 0, 2, 1, 0, 0],
        [0, 0, 3, 1, 0, 0],
        [0, 1, 3, 0, 0, 0],
        [2, 3, 2, 0, 1, 0],
        [1, 1, 0, 0, 0, 0],
    ],
]
W = [  # (O, C, KH, KW): what rises towards the right, and what lies above a sole
    [[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[0, 0, 0], [0, 1, 0], [0, 0, -1]]],
    [[[0, 1, 0], [1, -3, 0], [0, 0, 2]], [[1, 0, 0], [0, 0, -1], [0, 2, 0]]],
]
B = [1, -2]  # (O,)

STRIDES, PADDINGS, DILATIONS, FLIPS = (1, 2), (0, 1), (1, 2), (False, True)


def toy(stride: int, padding: int, dilation: int, flip: bool, seed: int = 5) -> Trace:
    """One convolution of the toy, traced; the gradient that comes back is of whole numbers from -2 to 2.

    flip turns the kernels by 180 degrees, which makes the cross-correlation a convolution in the older sense.
    """
    layer = Conv2d(2, 2, 3, stride=stride, padding=padding, dilation=dilation)
    w = np.array(W, np.float32)
    layer.load_state_dict({"weight": w[:, :, ::-1, ::-1] if flip else w, "bias": np.array(B, np.float32)})
    size = geometry.output_size(6, 3, stride, padding, dilation)
    gradient = np.random.default_rng(seed).integers(-2, 3, (1, 2, size, size)).astype(np.float32)
    return trace(Sequential(layer), np.array([X], np.float32), gradient=gradient)


def cases() -> list[tuple[dict[str, Any], Trace]]:
    """Every combination of the toy's options that the page offers, with its trace."""
    found = []
    for stride, padding, dilation, flip in itertools.product(STRIDES, PADDINGS, DILATIONS, FLIPS):
        options = {"stride": [stride] * 2, "padding": [padding] * 2, "dilation": [dilation] * 2, "flip": flip}
        found.append((options, toy(stride, padding, dilation, flip)))
    return found


def size_table(count: int = 200, seed: int = 0) -> Array:
    """(count, 6) of n, k, s, p, d and the output size that the engine's arithmetic gives; 0 where no window fits."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        n, k, s, p, d = (int(rng.integers(low, high)) for low, high in ((1, 33), (1, 8), (1, 5), (0, 4), (1, 4)))
        rows.append((n, k, s, p, d, max(geometry.output_size(n, k, s, p, d), 0)))
    return np.array(rows, np.int32)


def facts() -> dict[str, Any]:
    """What the engine says about itself, in numbers: the loops agree; col2im is the adjoint of im2col, no inverse."""
    record = toy(1, 1, 1, False)["conv1"]
    assert record.w is not None and record.b is not None and record.cols is not None  # it is a convolution
    loops = conv2d_loops(record.x, record.w, record.b, (1, 1), (1, 1))
    return {"loops_difference": float(np.abs(loops - record.out).max()), "adjoint": adjoint(record.x, 3, 1, 1)}


def adjoint(x: Array, kernel: int, stride: int, padding: int, seed: int = 1) -> dict[str, Any]:
    """<im2col(x), c> and <x, col2im(c)> for random whole numbers c; and col2im(im2col(x)) beside x times the count.

    x is one image (1, C, H, W); the maps come back as (C, H, W).
    """
    framed = pad(batch_last(x), (padding, padding))[None]  # (1, C, H', W', 1)
    windows = geometry.windows("adjoint", framed.shape[2:4], (kernel, kernel), (stride, stride))
    cols = im2col(framed, windows)
    c = np.random.default_rng(seed).integers(-3, 4, cols.shape).astype(x.dtype)

    def back(columns: Array) -> Array:
        image = np.zeros_like(framed)
        col2im(columns, image, windows)
        _, _, H, W, _ = framed.shape
        return image[0, :, padding : H - padding, padding : W - padding, 0]  # (C, H, W)

    return {
        "left": float((cols * c).sum()),
        "right": float((x[0] * back(c)).sum()),
        "there_and_back": back(cols),
        "counts": back(np.ones_like(cols)),
    }


def partials(record: LayerRecord) -> Array:
    """A convolution's output, channel by channel of its input: (CG, O, OH, OW), which add up, with the bias, to out.

    The engine convolves each channel of the first image by itself; CG counts the channels of one group.
    """
    assert record.w is not None  # it is a convolution
    _, CG = record.w.shape[:2]
    groups = record.options["groups"]
    found = []
    for c in range(CG):
        x = Tensor(record.x[:1, c::CG])  # channel c of every group
        options = {name: record.options[name] for name in ("stride", "padding", "dilation")}
        found.append(F.conv2d(x, Tensor(np.ascontiguousarray(record.w[:, c : c + 1])), None, groups=groups, **options))
    return np.stack([t.numpy()[0] for t in found])
