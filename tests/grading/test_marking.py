"""The grader knows right work from wrong, and tells each usual mistake by its name: every one is made here by a
student's function, written as students write, not as the grader does."""

import re

import numpy as np
import pytest

import tinycnn
from tinycnn.grading.cases import cases


def make(
    pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p))),
    size=lambda n, k, s, p: (n + 2 * p - k) // s + 1,
    start=lambda i, s: i * s,
    product=lambda window, kernel: (window * kernel).sum(),
    bias=lambda b, o, C: b[o],
    finish=lambda y: y,
):
    """A convolution in loops, with one part replaced."""

    def my_conv2d(x, w, b, stride, padding):
        (N, C, H, W), (O, _, KH, KW) = x.shape, w.shape
        x = pad(x, padding)
        OH, OW = size(H, KH, stride, padding), size(W, KW, stride, padding)
        y = np.zeros((N, O, OH, OW), x.dtype)
        for n in range(N):
            for o in range(O):
                for i in range(OH):
                    for j in range(OW):
                        top, left = start(i, stride), start(j, stride)
                        window = x[n, :, top : top + KH, left : left + KW]
                        y[n, o, i, j] = product(window, w[o]) + bias(b, o, C)
        return finish(y)

    return my_conv2d


def channelwise(combine):
    """Goes through the channels one by one: `combine` is told the sum so far and the channel's share."""

    def product(window, kernel):
        total = 0.0
        for c in range(len(kernel)):
            total = combine(total, (window[c] * kernel[c]).sum())
        return total

    return product


def first_only(y, axis):
    y = y.copy()
    y[(slice(None),) * axis + (slice(1, None),)] = 0
    return y


def swapped_kernel(x, w, b, stride, padding):
    return make()(x, w.swapaxes(2, 3), b, stride, padding)


FORWARD = {
    "the bias is not added": make(bias=lambda b, o, C: 0),
    "the bias is added once per input channel": make(bias=lambda b, o, C: C * b[o]),
    "every map gets the first bias": make(bias=lambda b, o, C: b[0]),
    "the bias is subtracted": make(bias=lambda b, o, C: -b[o]),
    "the kernel is flipped": make(product=lambda window, kernel: (window * kernel[:, ::-1, ::-1]).sum()),
    "the kernel's height and width are swapped": swapped_kernel,
    "the output's height and width are swapped": make(finish=lambda y: y.swapaxes(2, 3)),
    r"the output's axes are \(N, OH, OW, O\)": make(finish=lambda y: y.transpose(0, 2, 3, 1)),
    r"the output's axes are \(O, N, OH, OW\)": make(finish=lambda y: y.swapaxes(0, 1)),
    "the padding is ignored": make(pad=lambda x, p: x, size=lambda n, k, s, p: (n - k) // s + 1),
    "the padding is at the top and left only": make(
        pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, 0), (p, 0))), size=lambda n, k, s, p: (n + p - k) // s + 1
    ),
    "the padding is at the bottom and right only": make(
        pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (0, p), (0, p))), size=lambda n, k, s, p: (n + p - k) // s + 1
    ),
    "the padding repeats the image's border": make(
        pad=lambda x, p: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
    ),
    "only the first input channel is used": make(product=lambda window, kernel: (window[0] * kernel[0]).sum()),
    "only the last input channel counts": make(product=channelwise(lambda total, share: share)),
    "the channels are averaged": make(product=lambda window, kernel: (window * kernel).sum(axis=(1, 2)).mean()),
    "the stride is ignored": make(size=lambda n, k, s, p: n + 2 * p - k + 1, start=lambda i, s: i),
    "the windows are one pixel apart": make(start=lambda i, s: i),
    "only the last number of each kernel counts": make(
        product=lambda window, kernel: (window[:, -1, -1] * kernel[:, -1, -1]).sum()
    ),
    "only the first image of the batch is computed": make(finish=lambda y: first_only(y, 0)),
    "only the first filter is applied": make(finish=lambda y: first_only(y, 1)),
    r"and there is a \+ 1 missing": make(size=lambda n, k, s, p: (n + 2 * p - k) // s),
}


def collapsed(text):
    return " ".join(text.split())


@pytest.mark.parametrize("words", FORWARD)
def test_a_usual_mistake_in_forward_is_named(words):
    report = tinycnn.grade(FORWARD[words])
    assert not report.passed and not report.forward.passed
    (cause,) = report.forward.causes
    assert re.search(words, cause)
    assert f"-> {collapsed(cause)}" in collapsed(repr(report))
    assert "not yet" in repr(report) and report.seconds == {}


def test_right_work_is_praised():
    report = tinycnn.grade(make())
    assert report.passed and report.forward.passed and report.backward is None
    assert report.forward.notes == []
    assert set(report.seconds) == {"loops", "yours", "engine"} and all(s > 0 for s in report.seconds.values())
    text = repr(report)
    assert "my_conv2d: well done" in text and f"right on all {len(cases())} shapes" in text
    assert "not handed in" in text and "times the loops' speed" in text


# Backward


def backward_of(add_dx=True, crop=True, turn=1, dx=1.0, dw=1.0, db=1.0, filters=None, first=False, order=(0, 1, 2)):
    """A right forward with a backward in loops, in which something can be wrong.

    dx, dw and db are numbers or functions that spoil the gradient.
    """

    def spoil(how, gradient, x, dy):
        return how(gradient, x, dy) if callable(how) else gradient * how

    def my_conv2d(x, w, b, stride, padding):
        y, p, S = make()(x, w, b, stride, padding), padding, stride
        framed = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))

        def backward(dy):
            dframed, dweight = np.zeros_like(framed), np.zeros_like(w)
            KH, KW = w.shape[2:]
            for i in range(dy.shape[2]):
                for j in range(dy.shape[3]):
                    place = np.s_[:, :, i * S : i * S + KH, j * S : j * S + KW]
                    kept = np.s_[:, :filters, i, j]
                    share = np.tensordot(dy[kept], w[:filters, :, ::turn, ::turn], 1)
                    dframed[place] = dframed[place] + share if add_dx else share
                    images = slice(0, 1) if first else slice(None)
                    dweight += np.tensordot(dy[images, :, i, j].T, framed[place][images], 1)
            dimage = dframed[:, :, p : p + x.shape[2], p : p + x.shape[3]] if crop else dframed
            found = spoil(dx, dimage, x, dy), spoil(dw, dweight, x, dy), spoil(db, dy.sum(axis=(0, 2, 3)), x, dy)
            return tuple(found[k] for k in order)

        return y, backward

    return my_conv2d


BACKWARD = {
    "dx: windows that overlap overwrite each other": backward_of(add_dx=False),
    "dx: the kernel is flipped": backward_of(turn=-1),
    "dx: only the first filter is counted": backward_of(filters=1),
    "dx: it has the size of the padded image": backward_of(crop=False),
    "dx: it has the wrong sign": backward_of(dx=-1.0),
    "dx: it is twice as large": backward_of(dx=2.0),
    "dw: only the first image is counted": backward_of(first=True),
    "dw: it is flipped": backward_of(dw=lambda g, x, dy: g[:, :, ::-1, ::-1]),
    "dw: it is half as large": backward_of(dw=0.5),
    "dw: it is divided by the number of images": backward_of(dw=lambda g, x, dy: g / len(x)),
    "dw: it is multiplied by the number of images": backward_of(dw=lambda g, x, dy: g * len(x)),
    "dw: it is divided by the number of windows": backward_of(dw=lambda g, x, dy: g / dy[0, 0].size),
    "db: it is averaged over images and windows": backward_of(db=lambda g, x, dy: dy.mean(axis=(0, 2, 3))),
    "db: only the first image is counted": backward_of(db=lambda g, x, dy: dy[0].sum(axis=(1, 2))),
    "db: only the last image is counted": backward_of(db=lambda g, x, dy: dy[-1].sum(axis=(1, 2))),
    "db: it is summed over the images only": backward_of(db=lambda g, x, dy: dy.sum(axis=0)),
    "db: it is summed over height and width only": backward_of(db=lambda g, x, dy: dy.sum(axis=(2, 3))),
    "db: it is one sum": backward_of(db=lambda g, x, dy: dy.sum()),
}


@pytest.mark.parametrize("words", BACKWARD)
def test_a_usual_mistake_in_backward_is_named(words):
    report = tinycnn.grade(BACKWARD[words])
    assert report.forward.passed and not report.backward.passed and not report.passed
    (cause,) = report.backward.causes
    assert cause.startswith(words)
    assert f"-> {collapsed(cause)}" in collapsed(repr(report))


def test_a_right_backward_passes_the_gradient_check():
    report = tinycnn.grade(backward_of())
    assert report.passed and report.backward.passed
    assert report.backward.notes == ["the gradient check agrees: finite differences of your forward are your backward"]


def test_two_mistakes_are_both_named():
    report = tinycnn.grade(backward_of(add_dx=False, db=-1.0))
    dx, db = report.backward.causes
    assert dx.startswith("dx: windows that overlap") and db.startswith("db: it has the wrong sign")


def test_gradients_in_another_order_are_recognised():
    report = tinycnn.grade(backward_of(order=(1, 0, 2)))
    assert report.backward.causes == [
        "dx: it is dw; return dx, dw, db in this order",
        "dw: it is dx; return dx, dw, db in this order",
    ]


# What is not a usual mistake


def test_an_unknown_mistake_is_shown_by_its_numbers():
    report = tinycnn.grade(make(product=lambda window, kernel: (window * kernel).sum() ** 3))
    assert report.forward.causes == []
    assert len(report.forward.failures) == len(cases())
    assert "y[" in repr(report) and "expected" in repr(report) and "x (1, 1, 4, 4)" in repr(report)


def test_an_unknown_size_gets_the_formula():
    report = tinycnn.grade(make(size=lambda n, k, s, p: 1))
    (cause,) = report.forward.causes
    assert cause.startswith("the output has the wrong size; it is (n + 2*padding - k) // stride + 1")


def test_what_it_raises_is_reported():
    def broken(x, w, b, stride, padding):
        raise IndexError("index 9 is out of bounds")

    report = tinycnn.grade(broken)
    assert "it raised IndexError: index 9 is out of bounds" in collapsed(repr(report))
    assert len(report.forward.failures) == len(cases())


def test_what_it_returns_must_be_an_array():
    assert "it returned NoneType, expected an array y" in collapsed(repr(tinycnn.grade(lambda *arguments: None)))
    second = tinycnn.grade(lambda *arguments: (make()(*arguments), 5))
    assert "its second value is int, expected a function" in collapsed(repr(second))
    two = tinycnn.grade(lambda *arguments: (make()(*arguments), lambda dy: (dy, dy)))
    assert "something else than three arrays" in collapsed(repr(two))
    with pytest.raises(TypeError, match=r"grade: expected a function of \(x, w, b, stride, padding\), got int"):
        tinycnn.grade(3)


def test_bad_manners_are_noted():
    def spoils(x, w, b, stride, padding):
        y = make()(x, w, b, stride, padding)
        x *= 0
        return y

    report = tinycnn.grade(spoils)
    assert report.passed and report.forward.notes == ["it changes its argument x; work on a copy"]
    widens = tinycnn.grade(make(finish=lambda y: y.astype(np.float64)))
    (note,) = widens.forward.notes
    assert note.startswith("float32 goes in and float64 comes out")


def test_float32_may_not_fail():
    def picky(x, w, b, stride, padding):
        if x.dtype != np.float64:
            raise TypeError("float64, please")
        return make()(x, w, b, stride, padding)

    assert tinycnn.grade(picky).forward.notes == ["with float32 it raised TypeError: float64, please"]
