"""Functions of what a net learns by: right ones pass, and each usual mistake, as students make it, brings its hint."""

import numpy as np
import pytest
from helpers import long_texts

from tinycnn import check
from tinycnn.autograd.tensor import Op
from tinycnn.check import learning


def gradients(dw=lambda g: g.sum(axis=0), db=lambda dy: dy.sum(axis=(0, 2, 3)), step=lambda S: S):
    """dw and db in loops: dw is told the gradients of all images (N, O, C, KH, KW)."""

    def weight_gradients(x, w, dy, S):
        KH, KW, s = *w.shape[2:], step(S)
        found = np.zeros((len(x), *w.shape))
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                window = x[:, :, i * s : i * s + KH, j * s : j * s + KW]
                found += dy[:, :, i, j][:, :, None, None, None] * window[:, None]
        return dw(found), db(dy)

    return weight_gradients


def operation(forward=abs, backward=lambda x, dy: np.sign(x) * dy):
    """An Op of two functions."""

    class Absolute(Op, name="absolute_of_a_test"):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x=x)
            return forward(x)

        @staticmethod
        def backward(ctx, dy):
            return backward(ctx.x, dy)

    return Absolute


def step(change):
    """A learning step that writes what `change` makes of w, g and lr into the weight."""

    def learn(weight, gradient, lr):
        weight[...] = change(weight, gradient, lr)

    return learn


def returned(weight, gradient, lr):
    return weight - lr * gradient


def renamed(weight, gradient, lr):
    weight = weight - lr * gradient


def spoils(weight, gradient, lr):
    gradient *= lr
    weight -= gradient


def norm(axes=(0, 2, 3), eps=1e-5, outside=False, ddof=0, power=0.5, center=True, scale=lambda g: g, shift=lambda b: b):
    """Batch normalisation with one part replaced."""

    def batch_norm(x, gamma, beta):
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True, ddof=ddof)
        deviation = np.sqrt(variance) + eps if outside else (variance + eps) ** power
        y = (x - center * mean) / deviation
        return y * np.reshape(scale(gamma), (-1, 1, 1)) + np.reshape(shift(beta), (-1, 1, 1))

    return batch_norm


def my_conv2d(turn=1, backward=True):
    def conv(x, w, b, stride, padding):
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        view = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
        y = np.einsum("ncijuv,ocuv->noij", view, w[:, :, ::turn, ::turn]) + b[:, None, None]

        def back(dy):
            dx, (KH, KW) = np.zeros_like(x), w.shape[2:]
            for i in range(dy.shape[2]):
                for j in range(dy.shape[3]):
                    top, left = i * stride, j * stride
                    dx[:, :, top : top + KH, left : left + KW] += np.einsum("no,ocuv->ncuv", dy[:, :, i, j], w)
            dx = dx[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]
            return dx, np.einsum("noij,ncijuv->ocuv", dy, view), dy.sum(axis=(0, 2, 3))

        return (y, back) if backward else y

    return conv


RIGHT = {
    "lesson 6": lambda: check.lesson6(gradients()),
    "lesson 7": lambda: check.lesson7(operation()),
    "lesson 8": lambda: check.lesson8(step(lambda w, g, lr: w - lr * g)),
    "lesson 9": lambda: check.lesson9(my_conv2d()),
    "lesson 10": lambda: check.lesson10(norm()),
}

WRONG = [  # what is said, the check, and the answer to which it is said
    ("nothing is there yet", check.lesson6, ...),
    ("it returns nothing yet", check.lesson6, lambda *a: None),
    ("something else than two arrays", check.lesson6, lambda *a: np.zeros(3)),
    ("it returned str, expected numbers", check.lesson6, lambda *a: ("a", "b")),
    ("it raised ZeroDivisionError", check.lesson6, lambda *a: 1 / 0),
    ("dw: every image has one of its own", check.lesson6, gradients(dw=lambda g: g)),
    ("dw: only the first image is counted", check.lesson6, gradients(dw=lambda g: g[0])),
    ("dw: only the last image is counted", check.lesson6, gradients(dw=lambda g: g[-1])),
    ("dw: it is divided by the number of images", check.lesson6, gradients(dw=lambda g: g.mean(axis=0))),
    ("dw: it is flipped", check.lesson6, gradients(dw=lambda g: g.sum(axis=0)[:, :, ::-1, ::-1])),
    ("dw: the stride is ignored", check.lesson6, gradients(step=lambda S: 1)),
    ("dw: dw has shape", check.lesson6, gradients(dw=lambda g: np.zeros(3))),
    ("db: it is summed over the images only", check.lesson6, gradients(db=lambda dy: dy.sum(axis=0))),
    ("db: it is summed over height and width only", check.lesson6, gradients(db=lambda dy: dy.sum(axis=(2, 3)))),
    ("db: it is averaged", check.lesson6, gradients(db=lambda dy: dy.mean(axis=(0, 2, 3)))),
    ("db: it has axes of length 1", check.lesson6, gradients(db=lambda dy: dy.sum(axis=(0, 2, 3), keepdims=True))),
    ("nothing is there yet", check.lesson7, ...),
    ("it returns nothing yet", check.lesson7, operation(forward=lambda x: None)),
    ("numbers below 0 come out as they went in", check.lesson7, operation(forward=lambda x: x)),
    ("all signs are turned", check.lesson7, operation(forward=lambda x: -x)),
    ("numbers below 0 become 0; that is ReLU", check.lesson7, operation(forward=lambda x: np.maximum(x, 0))),
    ("not the distance from 0", check.lesson7, operation(forward=lambda x: x * x)),
    ("backward returns nothing yet", check.lesson7, operation(backward=lambda x, dy: None)),
    ("taken for 1 everywhere", check.lesson7, operation(backward=lambda x, dy: dy)),
    ("dy is left out", check.lesson7, operation(backward=lambda x, dy: np.sign(x))),
    ("the wrong way round", check.lesson7, operation(backward=lambda x, dy: -np.sign(x) * dy)),
    ("multiplied by x itself", check.lesson7, operation(backward=lambda x, dy: x * dy)),
    ("multiplied by |x| itself", check.lesson7, operation(backward=lambda x, dy: abs(x) * dy)),
    ("that is ReLU's", check.lesson7, operation(backward=lambda x, dy: (x > 0) * dy)),
    ("measure it", check.lesson7, operation(backward=lambda x, dy: 7 * dy)),
    ("right but for 0", check.lesson7, operation(backward=lambda x, dy: x / abs(x) * dy)),
    ("it raised TypeError", check.lesson7, operation(backward=lambda x: x)),
    ("nothing is there yet", check.lesson8, ...),
    ("uphill: the loss would grow", check.lesson8, step(lambda w, g, lr: w + lr * g)),
    ("the learning rate is left out", check.lesson8, step(lambda w, g, lr: w - g)),
    ("left out, and the step goes uphill", check.lesson8, step(lambda w, g, lr: w + g)),
    ("replaced by the step", check.lesson8, step(lambda w, g, lr: -lr * g)),
    ("divided by the learning rate", check.lesson8, step(lambda w, g, lr: w - g / lr)),
    ("only the gradient's sign counts", check.lesson8, step(lambda w, g, lr: w - lr * np.sign(g))),
    ("it is the weight that shrinks", check.lesson8, step(lambda w, g, lr: w - lr * w)),
    ("an assignment to the name makes a new one", check.lesson8, renamed),
    ("what is returned is lost", check.lesson8, returned),
    ("it changes the gradient", check.lesson8, spoils),
    ("for (3,), (3,), 0.5: the result", check.lesson8, step(lambda w, g, lr: w - 3 * lr * g)),
    ("it raised ZeroDivisionError", check.lesson8, lambda w, g, lr: 1 / 0),
    ("nothing is there yet", check.lesson9, ...),
    ("nothing is there yet", check.lesson9, lambda *a: None),
    ("forward: it raised ZeroDivisionError", check.lesson9, lambda *a: 1 / 0),
    ("forward: the kernel is flipped", check.lesson9, my_conv2d(turn=-1, backward=False)),
    ("backward is still to be done", check.lesson9, my_conv2d(backward=False)),
    ("nothing is there yet", check.lesson10, ...),
    ("every image is normalised by itself", check.lesson10, norm(axes=(2, 3))),
    ("every pixel is normalised by itself", check.lesson10, norm(axes=0)),
    ("all maps are normalised together", check.lesson10, norm(axes=(0, 1, 2, 3))),
    ("divided by the variance", check.lesson10, norm(power=1)),
    ("one less than the count", check.lesson10, norm(ddof=1)),
    ("eps stands outside the root", check.lesson10, norm(outside=True)),
    ("there are NaN in it", check.lesson10, norm(eps=0)),
    ("gamma is left out", check.lesson10, norm(scale=np.ones_like)),
    ("beta is left out", check.lesson10, norm(shift=np.zeros_like)),
    ("gamma and beta are left out", check.lesson10, norm(scale=np.ones_like, shift=np.zeros_like)),
    ("gamma and beta are swapped", check.lesson10, lambda x, gamma, beta: norm()(x, beta, gamma)),
    ("the mean is not taken away", check.lesson10, norm(center=False)),
]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_told_why(name):
    verdict = RIGHT[name]()
    assert verdict.passed and verdict.name == name and len(verdict.because) > 40


@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero)")
@pytest.mark.parametrize(("words", "function", "answer"), WRONG)
def test_a_wrong_answer_brings_its_hint(words, function, answer):
    verdict = function(answer)
    assert not verdict.passed and len(verdict.hints) == 1 and words in verdict.hints[0]
    assert "this explains" not in verdict.hints[0]


def test_both_gradients_have_hints():
    verdict = check.lesson6(gradients(dw=lambda g: g, db=lambda dy: -dy.sum(axis=(0, 2, 3))))
    assert [hint[:3] for hint in verdict.hints] == ["dw:", "db:"]


@pytest.mark.filterwarnings("ignore:(invalid value|divide by zero)")
def test_every_hint_has_a_wrong_answer():
    said = [hint for _, function, answer in WRONG for hint in function(answer).hints]
    said += [verdict().because for verdict in RIGHT.values()]
    for function in (check.lesson6, check.lesson7):
        with pytest.raises(TypeError) as refused:
            function(3)
        said.append(str(refused.value))
    assert not [text for text in long_texts(learning) if not any(text in hint for hint in said)]
