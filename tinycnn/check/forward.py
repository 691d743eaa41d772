"""forward: answers that are functions, of what goes forward: sizes, one output map, columns, pooling.

Read in the order of the lessons.
"""

from functools import partial
from typing import Any

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.check.verdict import Task, Verdict, examine
from tinycnn.geometry import output_size
from tinycnn.grading.cases import Case
from tinycnn.grading.mistakes import FORWARD, SIZES, correlate
from tinycnn.ops.avg_pool2d import avg_pool2d
from tinycnn.ops.max_pool2d import max_pool2d


def lesson2(size: Any) -> Verdict:
    """A function size(n, k, stride, padding, dilation): how many windows fit along an axis."""
    lengths = [(6, 3, 1, 0, 1), (7, 3, 2, 0, 1), (8, 3, 2, 0, 1), (28, 5, 1, 2, 1), (9, 3, 1, 0, 2), (14, 4, 3, 2, 3)]
    mistakes = [
        ("the dilation is left out; how far does a window reach whose pixels stand apart?",
         lambda n, k, s, p, d: np.asarray(output_size(n, k, s, p))),
        ("a window of k pixels has k - 1 gaps between them, not k", lambda n, k, s, p, d: np.asarray(
            (n + 2 * p - d * k) // s + 1)),
        ("the dilation stretches the gaps only; the first pixel itself has a place, too",
         lambda n, k, s, p, d: np.asarray((n + 2 * p - d * (k - 1)) // s + 1)),
        ("it is no whole number: what is left over makes no window (// rounds down)",
         lambda n, k, s, p, d: np.asarray((n + 2 * p - d * (k - 1) - 1) / s + 1)),
        *(
            (text, lambda n, k, s, p, d, f=formula: np.asarray(f(n, d * (k - 1) + 1, s, p)))
            for text, formula in SIZES
        ),
    ]  # fmt: skip
    task = Task(
        "of (n, k, stride, padding, dilation)",
        lengths,
        lambda n, k, s, p, d: np.asarray(output_size(n, k, s, p, d)),
        mistakes,
        "How far the window reaches is all that matters; what is between its pixels may be left out.",
        "think of the window's last pixel: where is it when the first is at 0?",
    )
    return examine("lesson 2", size, task)


def one_filter(x: Array, w: Array, b: float, wrong: Any = correlate) -> Array | None:
    """One output map of x (C, H, W) by one filter (C, KH, KW), or what a mistake of the grader's would make of it."""
    sides = [n - k + 1 for n, k in zip(x.shape[1:], w.shape[1:], strict=True)]
    y = wrong(Case(x[None], w[None], np.array([b]), 1, 0, np.zeros((1, 1, *sides))))
    return None if y is None else np.asarray(y[0, 0]) if y.ndim == 4 and y.shape[:2] == (1, 1) else None


def lesson3(one_map: Any) -> Verdict:
    """A function one_map(x, w, b): one output map (OH, OW) of x (C, H, W) by one filter w (C, KH, KW), b a number."""
    rng = np.random.default_rng(3)
    shapes = [((1, 3, 3), (1, 2, 2)), ((2, 4, 4), (2, 3, 3)), ((3, 5, 7), (3, 3, 2)), ((4, 3, 6), (4, 1, 1))]
    cases = [(rng.uniform(0.5, 2, x), rng.uniform(-2, 2, w), round(float(rng.uniform(1, 3)), 2)) for x, w in shapes]
    mistakes: list[Any] = [(text, partial(one_filter, wrong=wrong)) for text, wrong in FORWARD]
    mistakes += [("there is one map for each channel; a filter makes one map of them all", apart)]
    task = Task(
        "of (x, w, b)",
        cases,
        one_filter,  # type: ignore[arg-type]  # a right one is never None
        mistakes,
        "A filter has a kernel for each channel; what they find is added up, and the bias once.",
    )
    verdict = examine("lesson 3", one_map, task)
    return sized(verdict) if not verdict.passed else verdict


def apart(x: Array, w: Array, b: float) -> Array:
    """The map of each channel by itself: (C, OH, OW)."""
    maps = [one_filter(x[c : c + 1], w[c : c + 1], b) for c in range(len(x))]
    return np.stack([y for y in maps if y is not None])


def sized(verdict: Verdict) -> Verdict:
    """Where the size is wrong, what lesson 2 says of it."""
    if any("has shape" in hint for hint in verdict.hints):
        return Verdict(verdict.name, ["lesson 2: how many places are there along each side?", *verdict.hints])
    return verdict


def columns(x: Array, KH: int, KW: int, S: int) -> Array:
    """Every window of x (C, H, W), taps first: (C, KH, KW, OH, OW)."""
    view: Array = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(1, 2))[:, ::S, ::S]
    return view.transpose(0, 3, 4, 1, 2)


def laid(view: Array, rows: int = 3) -> Array:
    """The first `rows` axes as one, the others as another."""
    return view.reshape(int(np.prod(view.shape[:rows])), -1)


def lesson4(im2col: Any) -> Verdict:
    """A function im2col(x, KH, KW, S): the windows of x (C, H, W) as columns (C*KH*KW, OH*OW), S pixels apart."""
    rng = np.random.default_rng(4)
    problems = [((1, 3, 3), 2, 2, 1), ((2, 4, 5), 3, 2, 1), ((3, 7, 6), 2, 3, 2), ((2, 8, 5), 3, 3, 3)]

    def close(x: Array, KH: int, KW: int, S: int) -> Array:
        OH, OW = columns(x, KH, KW, S).shape[3:]
        return laid(columns(x, KH, KW, 1)[..., :OH, :OW])

    mistakes: list[tuple[str, Any]] = [
        ("it lies on its side: windows are columns, taps are rows", lambda *a: laid(columns(*a)).T),
        ("the channels change fastest; they come first, so that a row of the weight has the same order",
         lambda *a: laid(columns(*a).transpose(1, 2, 0, 3, 4))),
        ("within a channel the taps go down first; they go along a row first",
         lambda *a: laid(columns(*a).transpose(0, 2, 1, 3, 4))),
        ("the windows are in another order: first along a row of the image, then down",
         lambda *a: laid(columns(*a).swapaxes(3, 4))),
        ("the taps are in reverse order: that turns the kernel", lambda *a: laid(columns(*a)[:, ::-1, ::-1])),
        ("the stride is ignored", lambda x, KH, KW, S: laid(columns(x, KH, KW, 1))),
        ("as many windows as there should be, and all one pixel apart: from tap (u, v) on, take every S-th", close),
        ("the last windows of each side are missing: count the places again (lesson 2)",
         lambda *a: laid(columns(*a)[..., :-1, :-1])),
        ("only the first channel is there", lambda x, *a: laid(columns(x[:1], *a))),
        ("it is right, and not a matrix yet: taps in rows, windows in columns", columns),
    ]  # fmt: skip
    task = Task(
        "of (x, KH, KW, S)",
        [(rng.integers(1, 99, shape).astype(float), *rest) for shape, *rest in problems],
        lambda *a: laid(columns(*a)),
        mistakes,
        "A few large copies, one for each tap, instead of many small ones: that is what the engine does.",
    )
    return examine("lesson 4", im2col, task)


def pooled(x: Array, pool: Any) -> Array:
    """x (C, H, W) with every 2x2 pixels made one by `pool`: (C, H/2, W/2)."""
    C, H, W = x.shape
    found: Array = pool(x.reshape(C, H // 2, 2, W // 2, 2), axis=(2, 4))
    return found


def lesson5_mean(mean_pool: Any) -> Verdict:
    """A function mean_pool(x): the means of every 2x2 pixels of x (C, H, W), with even sides: (C, H/2, W/2)."""
    rng = np.random.default_rng(5)

    def overlapping(x: Array) -> Array:
        return np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 2)).mean(axis=(3, 4))

    mistakes: list[tuple[str, Any]] = [
        ("that is their sum; a mean does not grow with the window", lambda x: pooled(x, np.sum)),
        ("that is twice the mean: how many numbers are in a window?", lambda x: pooled(x, np.sum) / 2),
        ("that is their maximum", lambda x: pooled(x, np.max)),
        ("that is one of the four pixels: the others must count as well", lambda x: x[:, ::2, ::2]),
        ("the windows overlap: they are two pixels apart, not one", overlapping),
        ("the four pixels lie in one row; a window has two rows of two",
         lambda x: x.reshape(len(x), x.shape[1] // 2, x.shape[2] // 2, 4).mean(axis=3)),
        ("the channels are mixed; each is pooled by itself", lambda x: pooled(x, np.mean).mean(axis=0)),
        ("only neighbours side by side are averaged, not above each other",
         lambda x: (x[:, :, ::2] + x[:, :, 1::2]) / 2),
        ("only neighbours above each other are averaged, not side by side", lambda x: (x[:, ::2] + x[:, 1::2]) / 2),
    ]  # fmt: skip
    cases = [(rng.uniform(-2, 2, shape),) for shape in [(1, 2, 2), (1, 4, 6), (3, 6, 4)]]
    task = Task(
        "of x", cases, lambda x: pooled(x, np.mean), mistakes, "Three numbers of four are gone; their mean is kept."
    )
    return examine("lesson 5, mean", mean_pool, task)


def lesson5(min_pool: Any) -> Verdict:
    """A function min_pool(x, k): the minima of every k x k pixels of a tensor x (N, C, H, W)."""
    rng = np.random.default_rng(55)

    def largest(x: Tensor, k: int) -> Array:
        return max_pool2d(x, k).numpy()

    mistakes: list[tuple[str, Any]] = [
        ("those are the maxima; the two minus signs are missing", largest),
        ("there is one minus sign behind the pooling; what would one in front of it do?", lambda x, k: -largest(x, k)),
        ("there is one minus sign in front of the pooling; its answer must be turned back",
         lambda x, k: largest(Tensor(-x.numpy()), k)),
        ("those are the means", lambda x, k: avg_pool2d(x, k).numpy()),
    ]  # fmt: skip
    cases = [(Tensor(rng.uniform(-2, 2, shape)), k) for shape, k in [((1, 1, 4, 4), 2), ((2, 3, 6, 9), 3)]]
    task = Task(
        "of (x, k)",
        cases,
        lambda x, k: -largest(Tensor(-x.numpy()), k),
        mistakes,
        "The least is the greatest of the opposites: one operation, and two signs.",
    )
    return examine("lesson 5", min_pool, task)
