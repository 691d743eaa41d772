"""mistakes: the usual ones, each as a function that makes it, so that a wrong result can be recognised.

FORWARD lists what can go wrong with y, SIZES with its shape, BACKWARD with each gradient: (in words, function of a
case).  A function may return None where the mistake would have raised an error.

Read in this order: correlate, FORWARD, scatter, BACKWARD.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.grading.cases import Case

Mistake = tuple[str, Callable[[Case], "Array | None"]]


def framed(case: Case, before: int | None = None, after: int | None = None, **how: Any) -> Array:
    """x with padding before and after each axis of the image; by default as the case asks."""
    sides = (case.padding if before is None else before, case.padding if after is None else after)
    return np.pad(case.x, ((0, 0), (0, 0), sides, sides), **how)


def windows(x: Array, case: Case, stride: int | None = None, kernel: tuple[int, ...] | None = None) -> Array | None:
    """Every window of a framed x: (N, C, OH, OW, KH, KW); None where none fits."""
    kernel, step = kernel or case.w.shape[2:], case.stride if stride is None else stride
    if any(n < k for n, k in zip(x.shape[2:], kernel, strict=True)):
        return None
    view: Array = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return view[:, :, ::step, ::step]


def correlate(
    case: Case, x: Array | None = None, w: Array | None = None, b: Any = None, stride: int | None = None
) -> Array | None:
    """The convolution of a case, with whatever is given in place of what would be right."""
    w = case.w if w is None else w
    found = windows(framed(case) if x is None else x, case, stride, w.shape[2:])
    b = case.b if b is None else b
    if found is None:
        return None
    y: Array = np.einsum("ncijuv,ocuv->noij", found, w) + np.reshape(b, (1, -1, 1, 1))
    return y


def only(array: Array, index: Any) -> Array:
    """The array with zeros everywhere but at the index."""
    kept = np.zeros_like(array)
    kept[index] = array[index]
    return kept


def swapped(y: Array | None, *order: int) -> Array | None:
    return None if y is None else y.transpose(order)


def crowded(case: Case) -> Array | None:
    """Windows one pixel apart, as many as there should be at the stride."""
    y = correlate(case, stride=1)
    return None if y is None else y[:, :, : case.dy.shape[2], : case.dy.shape[3]]


def lopsided(axis: str, case: Case, cut: bool) -> Array | None:
    """The stride along one axis only, cut to the right size or not."""
    y, (_, _, OH, OW) = correlate(case, stride=1), case.dy.shape
    if y is None:
        return None
    y = y[:, :, :: case.stride] if axis == "height" else y[:, :, :, :: case.stride]
    return y[:, :, :OH, :OW] if cut else y


def transposed(case: Case) -> Array | None:
    """w taken for (channels, filters, KH, KW), as far as NumPy lets that happen: where one of them is 1, it does."""
    w = case.w.swapaxes(0, 1)
    if len(w) > len(case.b) or (w.shape[1] != case.x.shape[1] and 1 not in (w.shape[1], case.x.shape[1])):
        return None
    return correlate(case, w=w, b=case.b[: len(w)])


def other_filters(case: Case) -> Array | None:
    """w taken for (channels, filters, KH, KW), which works where there are as many of the one as of the other."""
    return case.w.swapaxes(0, 1) if case.w.shape[0] == case.w.shape[1] else None


def averaged(case: Case) -> Array | None:
    return correlate(case, w=case.w / case.w.shape[1])


FORWARD: list[Mistake] = [
    ("the bias is not added; add b[o] to every number of map o", lambda c: correlate(c, b=0 * c.b)),
    (
        "the bias is added once per input channel; add it once, outside the sum",
        lambda c: correlate(c, b=c.b * c.x.shape[1]),
    ),
    ("every map gets the first bias, b[0]; map o needs b[o]", lambda c: correlate(c, b=np.full_like(c.b, c.b[0]))),
    ("the bias is subtracted; add it", lambda c: correlate(c, b=-c.b)),
    (
        "the kernel is flipped: that is the convolution of mathematics; in deep learning the kernel stays as it is "
        "(cross-correlation)",
        lambda c: correlate(c, w=c.w[:, :, ::-1, ::-1]),
    ),
    ("the kernel's height and width are swapped", lambda c: correlate(c, w=c.w.swapaxes(2, 3))),
    ("the output's height and width are swapped", lambda c: swapped(correlate(c), 0, 1, 3, 2)),
    (
        "the output's axes are (N, OH, OW, O); move the filters to the second place",
        lambda c: swapped(correlate(c), 0, 2, 3, 1),
    ),
    ("the output's axes are (O, N, OH, OW); swap the first two", lambda c: swapped(correlate(c), 1, 0, 2, 3)),
    ("the padding is ignored", lambda c: correlate(c, x=c.x)),
    ("the padding is at the top and left only; pad all four sides", lambda c: correlate(c, x=framed(c, after=0))),
    ("the padding is at the bottom and right only; pad all four sides", lambda c: correlate(c, x=framed(c, before=0))),
    ("the padding repeats the image's border; pad with zeros", lambda c: correlate(c, x=framed(c, mode="edge"))),
    ("only the first input channel is used; add up all of them", lambda c: correlate(c, w=only(c.w, np.s_[:, :1]))),
    (
        "only the last input channel counts: each one overwrites the one before; use += instead of =",
        lambda c: correlate(c, w=only(c.w, np.s_[:, -1:])),
    ),
    ("the channels are averaged; add them up", averaged),
    ("the stride is ignored", lambda c: correlate(c, stride=1)),
    ("the windows are one pixel apart; window (i, j) starts at (i*stride, j*stride)", crowded),
    *(
        (f"the stride counts along the {axis} only{also}; it is that of both axes", partial(lopsided, axis, cut=cut))
        for axis in ("height", "width")
        for cut, also in ((True, ""), (False, ", in the output's size as well"))
    ),
    (
        "the weight's first two axes are swapped; w is (filters, channels, height, width)",
        transposed,
    ),
    (
        "only the last number of each kernel counts: each product overwrites the one before; use += instead of =",
        lambda c: correlate(c, w=only(c.w, np.s_[:, :, -1:, -1:])),
    ),
    ("only the first image of the batch is computed", lambda c: only(np.asarray(correlate(c)), np.s_[:1])),
    ("only the first filter is applied", lambda c: only(np.asarray(correlate(c)), np.s_[:, :1])),
]

SIZES: list[tuple[str, Callable[[int, int, int, int], int]]] = [
    ("there is a + 1 missing", lambda n, k, s, p: (n + 2 * p - k) // s),
    ("the padding counts once; it is on both sides", lambda n, k, s, p: (n + p - k) // s + 1),
    ("the padding is left out", lambda n, k, s, p: (n - k) // s + 1),
    ("the stride is left out", lambda n, k, s, p: n + 2 * p - k + 1),
    ("the division is rounded up; round it down", lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1),
    ("the kernel is left out", lambda n, k, s, p: (n + 2 * p) // s),
    ("it is the image's size", lambda n, k, s, p: n),
]


def scatter(
    case: Case,
    w: Array | None = None,
    dy: Array | None = None,
    add: bool = True,
    stride: int | None = None,
    corner: int | None = None,
) -> Array:
    """dx by the definition: every slope, times the kernel, added (or, the mistake, written) under its window."""
    (w, dy), S = (case.w if w is None else w, case.dy if dy is None else dy), stride or case.stride
    P = case.padding if corner is None else corner  # where the image is cut out of the frame
    dx = np.zeros_like(framed(case))
    KH, KW = w.shape[2:]
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            share = np.einsum("no,ocuv->ncuv", dy[:, :, i, j], w)  # (N, C, KH, KW)
            place = np.s_[:, :, i * S : i * S + KH, j * S : j * S + KW]
            dx[place] = dx[place] + share if add else share
    H, W = case.x.shape[2:]
    return dx[:, :, P : P + H, P : P + W]


def weight_gradient(
    case: Case, dy: Array | None = None, x: Array | None = None, stride: int | None = None
) -> Array | None:
    """dw by the definition: every slope times its window."""
    found = windows(framed(case) if x is None else x, case, stride)
    dy = case.dy if dy is None else dy
    found = found if found is None or stride is None else found[:, :, : dy.shape[2], : dy.shape[3]]
    if found is None or found.shape[2:4] != dy.shape[2:]:
        return None
    dw: Array = np.einsum("noij,ncijuv->ocuv", dy, found)
    return dw


def separate(case: Case) -> Array | None:
    """dw of every image by itself: (N, O, C, KH, KW)."""
    found = [weight_gradient(case, dy=only(case.dy, np.s_[n : n + 1])) for n in range(len(case.x))]
    return np.stack([dw for dw in found if dw is not None])


def flipped(w: Array | None) -> Array | None:
    return None if w is None else w[:, :, ::-1, ::-1]


BACKWARD: dict[str, list[Mistake]] = {
    "dx": [
        (
            "windows that overlap overwrite each other; a pixel's shares add up: use += instead of =",
            lambda c: scatter(c, add=False),
        ),
        ("the kernel is flipped", lambda c: scatter(c, w=c.w[:, :, ::-1, ::-1])),
        ("only the first filter is counted; add up all of them", lambda c: scatter(c, dy=only(c.dy, np.s_[:, :1]))),
        ("only the last filter is counted; use += instead of =", lambda c: scatter(c, dy=only(c.dy, np.s_[:, -1:]))),
        ("only the first image is counted", lambda c: scatter(c, dy=only(c.dy, np.s_[:1]))),
        (
            "the image is cut out of the wrong corner of its frame; it begins `padding` pixels down and right",
            lambda c: scatter(c, corner=0),
        ),
        (
            "the image is cut out of the wrong corner of its frame: the padding is at its end as well",
            lambda c: scatter(c, corner=2 * c.padding),
        ),
        ("the stride is ignored; window (i, j) starts at (i*stride, j*stride)", lambda c: scatter(c, stride=1)),
        (
            "the weight's first two axes are swapped; w is (filters, channels, height, width)",
            lambda c: None if (w := other_filters(c)) is None else scatter(c, w=w),
        ),
    ],
    "dw": [
        (
            "the stride is ignored; window (i, j) starts at (i*stride, j*stride)",
            lambda c: weight_gradient(c, stride=1),
        ),
        (
            "its first two axes are swapped; dw is like w, (filters, channels, height, width)",
            lambda c: swapped(weight_gradient(c), 1, 0, 2, 3),
        ),
        ("only the first image is counted; add up the batch", lambda c: weight_gradient(c, dy=only(c.dy, np.s_[:1]))),
        (
            "only the last image is counted; use += instead of =",
            lambda c: weight_gradient(c, dy=only(c.dy, np.s_[-1:])),
        ),
        ("every image has one of its own; all images meet the same weights: add up the batch", separate),
        ("it is flipped", lambda c: flipped(weight_gradient(c))),
        (
            "only the last window is counted; use += instead of =",
            lambda c: weight_gradient(c, only(c.dy, np.s_[:, :, -1:, -1:])),
        ),
        ("the padding is forgotten", lambda c: weight_gradient(c, x=c.x)),
    ],
    "db": [
        ("only the first image is counted; add up the batch", lambda c: c.dy[0].sum(axis=(1, 2))),
        ("only the last image is counted; use += instead of =", lambda c: c.dy[-1].sum(axis=(1, 2))),
        ("it is summed over the images only; sum over height and width as well", lambda c: c.dy.sum(axis=0)),
        ("it is summed over height and width only; sum over the images as well", lambda c: c.dy.sum(axis=(2, 3))),
        (
            "it has axes of length 1 (keepdims); its shape is b's, (filters,)",
            lambda c: c.dy.sum(axis=(0, 2, 3), keepdims=True),
        ),
        ("it is one sum; every filter needs its own", lambda c: np.asarray(c.dy.sum())),
    ],
}


FACTORS: list[tuple[str, Callable[[Case], float]]] = [
    ("it has the wrong sign", lambda c: -1.0),
    ("it is divided by the number of images; the loss has done that already", lambda c: 1 / len(c.x)),
    ("it is multiplied by the number of images", lambda c: float(len(c.x))),
    ("it is divided by the number of windows: sum, do not average", lambda c: 1 / (c.dy.shape[2] * c.dy.shape[3])),
    ("it is averaged over images and windows; add them up", lambda c: c.dy.shape[1] / c.dy.size),
    ("it is twice as large as it should be", lambda c: 2.0),
    ("it is half as large as it should be", lambda c: 0.5),
]
