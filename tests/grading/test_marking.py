"""The grader knows right work from wrong, and tells each usual mistake by its name: every one is made here by a
student's function, written as students write, not as the grader does."""

import json
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


def backward_of(
    add_dx=True, crop=True, turn=1, dx=1.0, dw=1.0, db=1.0, filters=None, first=False, order=(0, 1, 2),
    corner=lambda p: p, dx_stride=lambda S: S, dw_stride=lambda S: S,
):  # fmt: skip
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
            (KH, KW), strides, c = w.shape[2:], (dx_stride(S), dw_stride(S)), corner(p)
            for i in range(dy.shape[2]):
                for j in range(dy.shape[3]):
                    place, seen = (np.s_[:, :, i * s : i * s + KH, j * s : j * s + KW] for s in strides)
                    kept = np.s_[:, :filters, i, j]
                    share = np.tensordot(dy[kept], w[:filters, :, ::turn, ::turn], 1)
                    dframed[place] = dframed[place] + share if add_dx else share
                    images = slice(0, 1) if first else slice(None)
                    dweight += np.tensordot(dy[images, :, i, j].T, framed[seen][images], 1)
            dimage = dframed[:, :, c : c + x.shape[2], c : c + x.shape[3]] if crop else dframed
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
    "dw: every image has one of its own": backward_of(
        dw=lambda g, x, dy: np.stack(
            [backward_of()(x[n : n + 1], g, 0 * dy[0, :, 0, 0], 1, 0)[1](dy[n : n + 1])[1] for n in range(len(x))]
        )
    ),
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
    "dx: the image is cut out of the wrong corner of its frame; it begins": backward_of(corner=lambda p: 0),
    "dx: the image is cut out of the wrong corner of its frame: the padding": backward_of(corner=lambda p: 2 * p),
    "dx: the stride is ignored": backward_of(dx_stride=lambda S: 1),
    "dw: the stride is ignored": backward_of(dw_stride=lambda S: 1),
    "db: it has axes of length 1": backward_of(db=lambda g, x, dy: dy.sum(axis=(0, 2, 3), keepdims=True)),
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

    (note,) = tinycnn.grade(picky).forward.notes
    assert note.startswith("with float32 it raised TypeError: float64, please (line ")


# What students hand in besides


def test_a_right_answer_in_float32_is_right():
    def single(x, w, b, stride, padding):
        y, backward = backward_of()(*(t.astype(np.float32) for t in (x, w, b)), stride, padding)
        return y, lambda dy: tuple(g.astype(np.float32) for g in backward(dy.astype(np.float32)))

    report = tinycnn.grade(single)
    assert report.passed and report.score == 1
    assert report.forward.notes == [
        "float64 goes in and float32 comes out, which has fewer digits; make y with x.dtype"
    ]
    assert report.backward.notes == ["the gradient check was left out: it needs float64, and y is float32"]


def test_a_mistake_in_float32_is_named_all_the_same():
    single = make(product=lambda window, kernel: (window * kernel[:, ::-1, ::-1]).sum(), finish=np.float32)
    (cause,) = tinycnn.grade(single).forward.causes
    assert cause.startswith("the kernel is flipped")


def test_a_backward_that_is_half_done():
    def half(x, w, b, stride, padding):
        y, backward = backward_of()(x, w, b, stride, padding)
        return y, lambda dy: (backward(dy)[0], None, None)

    report = tinycnn.grade(half)
    assert report.backward.causes == ["dw: it is None; still to be done", "db: it is None; still to be done"]
    assert "dw is None; db is None" in report.backward.failures[0]


def test_an_exit_ends_nothing():
    report = tinycnn.grade(lambda *arguments: exit(3))
    assert len(report.forward.failures) == len(cases()) and "it raised SystemExit: 3" in report.forward.failures[0]
    report = tinycnn.grade(lambda *arguments: (make()(*arguments), lambda dy: exit()))
    assert "it raised SystemExit" in report.backward.failures[0]


def test_an_error_is_reported_with_the_students_line():
    def helper(x):
        return np.zeros(3).reshape(2, 2)

    def broken(x, w, b, stride, padding):
        return helper(x)

    (failure, *_) = tinycnn.grade(broken).forward.failures
    line = helper.__code__.co_firstlineno + 1
    assert f"(line {line}: return np.zeros(3).reshape(2, 2))" in failure

    def late(x, w, b, stride, padding):
        def backward(dy):
            raise KeyError("dx")

        return make()(x, w, b, stride, padding), backward

    (failure, *_) = tinycnn.grade(late).backward.failures
    assert 'raise KeyError("dx"))' in failure
    assert "(line" not in tinycnn.grade(lambda x: x).forward.failures[0].split("it raised")[1]  # it never began


@pytest.mark.parametrize("strange", [lambda y: y.astype(object), lambda y: y.astype(complex), lambda y: y.astype(str)])
def test_an_array_of_something_else_than_numbers_is_named(strange):
    report = tinycnn.grade(make(finish=strange))
    assert re.search(r"it returned an array of (object|complex128|<U\d+), expected one", collapsed(repr(report)))
    report = tinycnn.grade(backward_of(dw=lambda g, x, dy: strange(g)))
    assert re.search(r"dw is an array of (object|complex128|<U\d+), expected one of numbers", collapsed(repr(report)))


def lopsided(rows, columns, cut):
    def my_conv2d(x, w, b, stride, padding):
        y = make()(x, w, b, 1, padding)[:, :, :: stride if rows else 1, :: stride if columns else 1]
        OH, OW = ((n + 2 * padding - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
        return y[:, :, :OH, :OW] if cut else y

    return my_conv2d


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(("axis", "rows", "columns"), [("height", True, False), ("width", False, True)])
def test_a_stride_along_one_axis_only_is_named(axis, rows, columns, cut):
    (cause,) = tinycnn.grade(lopsided(rows, columns, cut)).forward.causes
    assert cause.startswith(f"the stride counts along the {axis} only")


def test_transposed_weights_are_named():
    (cause,) = tinycnn.grade(lambda x, w, b, s, p: make()(x, w.swapaxes(0, 1), b, s, p)).forward.causes
    assert cause.startswith("the weight's first two axes are swapped")


def test_nan_is_named():
    def hollow(y):
        y = y.copy()
        y[..., -1] = np.nan
        return y

    (cause,) = tinycnn.grade(make(finish=hollow)).forward.causes
    assert cause.startswith("there are NaN in it")
    (cause,) = tinycnn.grade(backward_of(db=np.nan)).backward.causes
    assert cause.startswith("db: there are NaN in it")


def test_an_explanation_says_which_shapes_it_covers():
    """The padding is ignored where it is, and one shape is wrong for a reason of its own."""

    def two(x, w, b, stride, padding):
        y = make()(x, w, b, stride, padding)
        return y - 2 * b.reshape(1, -1, 1, 1) if len(x) > 1 else y + 100 * (stride > 1)

    report = tinycnn.grade(two)
    (cause,) = report.forward.causes
    assert cause.startswith(
        "the bias is subtracted; add it [this explains 4 of 5 wrong shapes: x (3, 1, 6, 5), w (4, 1, "
    )


def test_a_score_and_the_results_of_autograders():
    report = tinycnn.grade(backward_of(dw=lambda g, x, dy: g * (len(x) < 3)))
    content = json.loads(json.dumps(report.as_json()))
    wrong = sum(len(case.x) >= 3 for case in cases())
    assert (
        report.score
        == 1 - wrong / (2 * len(cases()))
        == sum(t["score"] for t in content["tests"]) / len(content["tests"])
    )
    assert all(set(t) == {"name", "score", "max_score", "output"} and t["max_score"] == 1 for t in content["tests"])
    assert [t["name"].split(":")[0] for t in content["tests"]] == ["forward"] * len(cases()) + ["backward"] * len(
        cases()
    )
    assert "dw[" in next(t["output"] for t in content["tests"] if not t["score"])
    assert tinycnn.grade(make(bias=lambda b, o, C: 0)).score < 0.5 < tinycnn.grade(make()).score == 1.0
