"""Functions of what goes forward: right ones pass, and each usual mistake, written as students do, brings its hint."""

import math

import numpy as np
import pytest
from helpers import long_texts

from tinycnn import check
from tinycnn import functional as F
from tinycnn.check import forward


def conv(window=lambda part, kernel: (part * kernel).sum(), size=lambda n, k: n - k + 1, bias=lambda b, C: b):
    """One output map in loops, with one part replaced."""

    def one_map(x, w, b):
        (C, H, W), (_, KH, KW) = x.shape, w.shape
        y = np.zeros((size(H, KH), size(W, KW)))
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                y[i, j] = window(x[:, i : i + KH, j : j + KW], w) + bias(b, C)
        return y

    return one_map


def same_size(x, w, b):
    KH, KW = w.shape[1:]
    x = np.pad(x, ((0, 0), (0, KH - 1), (0, KW - 1)))
    return conv()(x, w, b)


def by_taps(x, KH, KW, S):
    C, H, W = x.shape
    OH, OW = (H - KH) // S + 1, (W - KW) // S + 1
    rows = [
        x[c, u : u + (OH - 1) * S + 1 : S, v : v + (OW - 1) * S + 1 : S].ravel()
        for c in range(C)
        for u in range(KH)
        for v in range(KW)
    ]
    return np.stack(rows)


def loops(order="cuv", places="ij", size=lambda n, k, s: (n - k) // s + 1, start=lambda i, s: i * s):
    """im2col in loops over everything, in any order."""

    def im2col(x, KH, KW, S):
        C, H, W = x.shape
        ranges = {"c": range(C), "u": range(KH), "v": range(KW)}
        ranges |= {"i": range(size(H, KH, S)), "j": range(size(W, KW, S))}

        def over(letters, fixed):
            if not letters:
                yield dict(fixed)
                return
            for k in ranges[letters[0]]:
                yield from over(letters[1:], {**fixed, letters[0]: k})

        return np.array([
            [x[t["c"], start(p["i"], S) + t["u"], start(p["j"], S) + t["v"]] for p in over(places, {})]
            for t in over(order, {})
        ])  # fmt: skip

    return im2col


def blocks(x):
    C, H, W = x.shape
    return x.reshape(C, H // 2, 2, W // 2, 2)


def overlapping(x):
    return (x[:, :-1, :-1] + x[:, :-1, 1:] + x[:, 1:, :-1] + x[:, 1:, 1:]) / 4


RIGHT = {
    "lesson 2": lambda: check.lesson2(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s + 1),
    "lesson 3": lambda: check.lesson3(conv()),
    "lesson 4": lambda: check.lesson4(by_taps),
    "lesson 5, mean": lambda: check.lesson5_mean(lambda x: blocks(x).mean(axis=(2, 4))),
    "lesson 5": lambda: check.lesson5(lambda x, k: -F.max_pool2d(-x, k)),
}

WRONG = [  # what is said, the check, and the answer to which it is said
    ("the dilation is left out", check.lesson2, lambda n, k, s, p, d: (n + 2 * p - k) // s + 1),
    ("k - 1 gaps between them", check.lesson2, lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1),
    ("the first pixel itself has a place", check.lesson2, lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1),
    ("it is no whole number", check.lesson2, lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1),
    ("there is a + 1 missing", check.lesson2, lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s),
    ("the padding counts once", check.lesson2, lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1),
    ("the padding is left out", check.lesson2, lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1),
    ("the stride is left out", check.lesson2, lambda n, k, s, p, d: n + 2 * p - d * (k - 1)),
    ("rounded up", check.lesson2, lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1),
    ("the kernel is left out", check.lesson2, lambda n, k, s, p, d: (n + 2 * p) // s),
    ("where is it when the first is at 0?", check.lesson2, lambda n, k, s, p, d: 11),
    ("the bias is not added", check.lesson3, conv(bias=lambda b, C: 0)),
    ("once per input channel", check.lesson3, conv(bias=lambda b, C: C * b)),
    ("the bias is subtracted", check.lesson3, conv(bias=lambda b, C: -b)),
    ("the kernel is flipped", check.lesson3, conv(lambda part, kernel: (part * kernel[:, ::-1, ::-1]).sum())),
    ("only the first input channel", check.lesson3, conv(lambda part, kernel: (part[0] * kernel[0]).sum())),
    ("only the last input channel", check.lesson3, conv(lambda part, kernel: (part[-1] * kernel[-1]).sum())),
    ("the channels are averaged", check.lesson3, conv(lambda part, kernel: (part * kernel).sum(axis=(1, 2)).mean())),
    ("one map for each channel", check.lesson3, lambda x, w, b: np.stack(
        [conv()(x[c : c + 1], w[c : c + 1], b) for c in range(len(x))])),
    ("how many places are there along each side?", check.lesson3, conv(size=lambda n, k: n - k)),
    ("how many places are there along each side?", check.lesson3, same_size),
    ("it lies on its side", check.lesson4, lambda *a: by_taps(*a).T),
    ("the channels change fastest", check.lesson4, loops("uvc")),
    ("the taps go down first", check.lesson4, loops("cvu")),
    ("the windows are in another order", check.lesson4, loops(places="ji")),
    ("the taps are in reverse order", check.lesson4, lambda x, KH, KW, S: by_taps(x, KH, KW, S).reshape(
        len(x), KH * KW, -1)[:, ::-1].reshape(len(x) * KH * KW, -1)),
    ("the stride is ignored", check.lesson4, lambda x, KH, KW, S: by_taps(x, KH, KW, 1)),
    ("all one pixel apart", check.lesson4, loops(start=lambda i, s: i)),
    ("the last windows of each side are missing", check.lesson4, loops(size=lambda n, k, s: (n - k) // s)),
    ("only the first channel is there", check.lesson4, lambda x, *a: by_taps(x[:1], *a)),
    ("not a matrix yet", check.lesson4, lambda x, KH, KW, S: by_taps(x, KH, KW, S).reshape(
        len(x), KH, KW, (x.shape[1] - KH) // S + 1, -1)),
    ("that is their sum", check.lesson5_mean, lambda x: blocks(x).sum(axis=(2, 4))),
    ("that is twice the mean", check.lesson5_mean, lambda x: blocks(x).sum(axis=(2, 4)) / 2),
    ("that is their maximum", check.lesson5_mean, lambda x: blocks(x).max(axis=(2, 4))),
    ("one of the four pixels", check.lesson5_mean, lambda x: blocks(x)[:, :, 0, :, 0]),
    ("the windows overlap", check.lesson5_mean, overlapping),
    ("lie in one row", check.lesson5_mean, lambda x: x.reshape(
        len(x), x.shape[1] // 2, x.shape[2] // 2, 4).mean(axis=-1)),
    ("the channels are mixed", check.lesson5_mean, lambda x: blocks(x).mean(axis=(0, 2, 4))),
    ("not above each other", check.lesson5_mean, lambda x: (x[:, :, ::2] + x[:, :, 1::2]) / 2),
    ("not side by side", check.lesson5_mean, lambda x: (x[:, ::2] + x[:, 1::2]) / 2),
    ("those are the maxima", check.lesson5, F.max_pool2d),
    ("one minus sign behind", check.lesson5, lambda x, k: -F.max_pool2d(x, k)),
    ("one minus sign in front", check.lesson5, lambda x, k: F.max_pool2d(-x, k)),
    ("those are the means", check.lesson5, F.avg_pool2d),
]  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_told_why(name):
    verdict = RIGHT[name]()
    assert verdict.passed and verdict.name == name and len(verdict.because) > 40


@pytest.mark.parametrize(("words", "function", "answer"), WRONG)
def test_a_wrong_answer_brings_its_hint(words, function, answer):
    verdict = function(answer)
    assert not verdict.passed and words in verdict.hints[0]
    assert len(verdict.hints) == 1 or "where is it" in words or "how many places" in words
    assert "this explains" not in verdict.hints[0]


def test_every_hint_has_a_wrong_answer():
    said = [hint for _, function, answer in WRONG for hint in function(answer).hints]
    said += [verdict().because for verdict in RIGHT.values()]
    assert not [text for text in long_texts(forward) if not any(text in hint for hint in said)]
