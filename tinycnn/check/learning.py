"""learning: answers that are functions, of what a net learns by: gradients, steps, normalisation, a whole convolution.

Read in the order of the lessons.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op
from tinycnn.backend import Array
from tinycnn.check.verdict import TO_DO, Task, Verdict, as_array, examine, unfinished
from tinycnn.grading import grade
from tinycnn.grading.cases import Case, cases, equal, right
from tinycnn.grading.marking import StudentError, difference, gradient_causes, guarded


def lesson6(weight_gradients: Any) -> Verdict:
    """A function weight_gradients(x, w, dy, S) -> dw, db: the slopes of the loss by the weights and biases.

    x (N, C, H, W), w (O, C, KH, KW), dy (N, O, OH, OW), S the stride; no padding.
    """
    name = "lesson 6"
    if unfinished(weight_gradients):
        return Verdict(name, [TO_DO])
    if not callable(weight_gradients):
        found = type(weight_gradients).__name__
        raise TypeError(f"check: {name} expected a function of (x, w, dy, S), got {found}")
    student = guarded(weight_gradients)
    answers: dict[str, list[tuple[Case, Array]]] = {"dw": [], "db": []}
    for case in cases():
        if case.padding:
            continue
        try:
            gradients = student(case.x.copy(), case.w.copy(), case.dy.copy(), case.stride)
            if unfinished(gradients):
                return Verdict(name, ["it returns nothing yet; is there a `return dw, db` at its end?"])
            if not isinstance(gradients, (tuple, list)) or len(gradients) != 2:
                return Verdict(name, ["it returned something else than two arrays, dw and db"])
            for part, gradient in zip(answers, gradients, strict=True):
                answers[part].append((case, as_array(gradient)))
        except (StudentError, TypeError) as error:
            return Verdict(name, [str(error)])
    hints = []
    for part, results in answers.items():
        wrong = [(c, g) for c, g in results if not equal(getattr(right(c), part), g)]
        if wrong:
            causes = gradient_causes(part, wrong) or [difference(part, wrong[0][1], getattr(right(wrong[0][0]), part))]
            hints += [f"{part}: {cause}" for cause in causes]
    return Verdict(name, hints, "Every image and every window met the same weights, so all of their shares add up.")


NUMBERS = np.array([-2.0, -0.5, 1.0, 3.0])
SHARES = np.array([0.7, -1.3, 2.0, 0.4])  # the slopes that come back into the operation


def lesson7(absolute: Any) -> Verdict:
    """An Op whose forward is |x|, with its backward.  TypeError where it is none."""
    name = "lesson 7"
    if unfinished(absolute):
        return Verdict(name, [TO_DO])
    if not (isinstance(absolute, type) and issubclass(absolute, Op)):
        raise TypeError(f"check: {name} expected a class made of Op, got {absolute!r}; write class Absolute(Op, ...)")
    try:
        y, dx = played(absolute, NUMBERS, SHARES)
        if not equal(np.abs(NUMBERS), y):
            return Verdict(name, [forward_hint(y)])
        if dx is None:
            return Verdict(name, ["forward is right; backward returns nothing yet"])
        if not equal(np.sign(NUMBERS) * SHARES, dx):
            return Verdict(name, [slope_hint(dx)])
        _, at_zero = played(absolute, np.zeros(1), np.ones(1))
    except (StudentError, TypeError) as error:
        return Verdict(name, [str(error)])
    if at_zero is None or np.isnan(at_zero).any():
        return Verdict(name, ["it is right but for 0, where something like x / |x| is 0 / 0, and no number"])
    because = "The slope is 1 on one side and -1 on the other; at 0 there is none, and whatever lies between will do."
    return Verdict(name, because=because)


def played(operation: type[Op], x: Array, dy: Array) -> tuple[Array, Array | None]:
    """Forward of x, and backward of dy, where there is one."""
    ctx = Context([True])
    with np.errstate(all="ignore"):
        y = as_array(guarded(operation.forward)(ctx, x.copy()))
        dx = guarded(operation.backward)(ctx, dy.copy())
    return y, None if unfinished(dx) else as_array(dx[0] if isinstance(dx, tuple) else dx)


def forward_hint(y: Array) -> str:
    """What is wrong with |x|."""
    if equal(NUMBERS, y):
        return "forward: numbers below 0 come out as they went in"
    if equal(-NUMBERS, y):
        return "forward: all signs are turned; only those of numbers below 0 may be"
    if equal(np.maximum(NUMBERS, 0), y):
        return "forward: numbers below 0 become 0; that is ReLU"
    return "forward: it is not the distance from 0"


def slope_hint(dx: Array) -> str:
    """What is wrong with the slope of |x|."""
    mistakes = [
        ("backward: the slope is taken for 1 everywhere; which way does |x| go on the left of 0?", SHARES),
        ("backward: dy is left out; what comes in is multiplied by the slope", np.sign(NUMBERS)),
        ("backward: the sign is the wrong way round", -np.sign(NUMBERS) * SHARES),
        ("backward: dy is multiplied by x itself, not by the slope", NUMBERS * SHARES),
        ("backward: dy is multiplied by |x| itself, not by the slope", np.abs(NUMBERS) * SHARES),
        ("backward: the slope is 0 below 0; that is ReLU's", (NUMBERS > 0) * SHARES),
    ]
    for hint, mistake in mistakes:
        if equal(mistake, dx):
            return hint
    return "backward: it is not the slope times dy; measure it: move x a little both ways"


def lesson8(step: Any) -> Verdict:
    """A function step(weight, gradient, lr), which changes the array `weight` as one learning step does."""
    rng = np.random.default_rng(8)
    problems = [(rng.uniform(-2, 2, s), rng.uniform(-2, 2, s), lr) for s, lr in [((3,), 0.5), ((2, 3), 0.1)]]
    left: list[tuple[Any, Sequence[Any]]] = []  # what was returned, and the arguments as they were left

    def taken(found: Any, arguments: Sequence[Any]) -> Any:
        left.append((found, arguments))
        return arguments[0]

    mistakes: list[tuple[str, Any]] = [
        ("the weight moves along its gradient, uphill: the loss would grow", lambda w, g, lr: w + lr * g),
        ("the learning rate is left out", lambda w, g, lr: w - g),
        ("the learning rate is left out, and the step goes uphill", lambda w, g, lr: w + g),
        ("the weight is replaced by the step; it should be moved by it", lambda w, g, lr: -lr * g),
        ("the step is divided by the learning rate", lambda w, g, lr: w - g / lr),
        (
            "only the gradient's sign counts; a large slope should make a large step",
            lambda w, g, lr: w - lr * np.sign(g),
        ),
        ("it is the weight that shrinks, whatever the gradient says", lambda w, g, lr: w - lr * w),
    ]
    task = Task(
        "of (weight, gradient, lr)",
        problems,
        lambda w, g, lr: w - lr * g,
        mistakes,
        "Each weight moves against its own gradient, by the rate times the slope: that is all that learning is.",
    )
    verdict = examine("lesson 8", step, task, taken)
    for (weight, gradient, _), (found, (new_weight, new_gradient, _)) in zip(problems, left, strict=False):
        if not np.array_equal(gradient, new_gradient):
            return Verdict(verdict.name, ["it changes the gradient; only the weight should move"])
        if np.array_equal(weight, new_weight):
            made = "an assignment to the name makes a new one" if unfinished(found) else "what is returned is lost"
            return Verdict(verdict.name, [f"the array is as it was ({made}); change the array itself"])
    return verdict


def lesson9(my_conv2d: Any) -> Verdict:
    """A convolution of your own with its backward, as `tinycnn.grade` takes it; that tells more, and times it."""
    name = "lesson 9"
    if unfinished(my_conv2d) or (callable(my_conv2d) and unfinished(first_result(my_conv2d))):
        return Verdict(name, [TO_DO])
    report = grade(my_conv2d)
    part, mark = ("backward", report.backward) if report.forward.passed else ("forward", report.forward)
    hints = [f"{part}: {cause}" for cause in mark.causes or mark.failures[:1]] if mark and not mark.passed else []
    if mark is None:
        hints = ["forward is right; backward is still to be done: return y and a function backward(dy) -> dx, dw, db"]
    return Verdict(name, hints, "Forward and backward are the engine's, on every awkward shape.")


def first_result(function: Any) -> Any:
    """What it returns for the first case; False where it raises."""
    try:
        return guarded(function)(*cases()[0].arguments)
    except StudentError:
        return False


EPS = 1e-5


def normalised(
    x: Array, gamma: Array, beta: Array, axes: Any = (0, 2, 3), ddof: int = 0, eps: float = EPS, power: float = 0.5
) -> Array:
    """Each map of x (N, C, H, W) with mean 0 and deviation 1, times gamma (C,), plus beta (C,)."""
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True, ddof=ddof)
    with np.errstate(all="ignore"):
        found: Array = (x - mean) / (variance + eps) ** power
        return found * gamma[:, None, None] + beta[:, None, None]


def lesson10(batch_norm: Any) -> Verdict:
    """A function batch_norm(x, gamma, beta): batch normalisation of x (N, C, H, W) with eps = 1e-5 in the root."""
    rng = np.random.default_rng(10)
    problems = []
    for shape in [(4, 1, 2, 2), (3, 2, 4, 5), (2, 3, 3, 2)]:
        gamma, beta = rng.uniform(0.5, 2, shape[1]), rng.uniform(-2, 2, shape[1])
        problems.append((rng.uniform(-3, 5, shape), gamma, beta))
    flat = np.full((2, 2, 3, 3), 7.0)
    flat[:, 1] = rng.uniform(-3, 5, (2, 3, 3))
    problems.append((flat, np.array([1.5, 0.8]), np.array([0.3, -1.0])))

    def outside(x: Array, gamma: Array, beta: Array) -> Array:
        mean, deviation = x.mean(axis=(0, 2, 3), keepdims=True), x.std(axis=(0, 2, 3), keepdims=True)
        return np.asarray((x - mean) / (deviation + EPS) * gamma[:, None, None] + beta[:, None, None])

    mistakes: list[tuple[str, Any]] = [
        ("every image is normalised by itself; the mean is that of the whole batch",
         partial(normalised, axes=(2, 3))),
        ("every pixel is normalised by itself; a map has one mean for all its places",
         partial(normalised, axes=0)),
        ("all maps are normalised together; each has a mean of its own", partial(normalised, axes=(0, 1, 2, 3))),
        ("it is divided by the variance; the deviation is its root", partial(normalised, power=1)),
        ("the variance is divided by one less than the count; here it is the plain mean of the squares",
         partial(normalised, ddof=1)),
        ("eps stands outside the root; it is added to the variance", outside),
        ("gamma is left out", lambda x, g, b: normalised(x, np.ones_like(g), b)),
        ("beta is left out", lambda x, g, b: normalised(x, g, np.zeros_like(b))),
        ("gamma and beta are left out", lambda x, g, b: normalised(x, np.ones_like(g), np.zeros_like(b))),
        ("gamma and beta are swapped", lambda x, g, b: normalised(x, b, g)),
        ("the mean is not taken away", lambda x, g, b: normalised(x, g, b) + np.reshape(
            g * x.mean(axis=(0, 2, 3)) / np.sqrt(x.var(axis=(0, 2, 3)) + EPS), (-1, 1, 1))),
    ]  # fmt: skip
    task = Task(
        "of (x, gamma, beta)",
        problems,
        normalised,
        mistakes,
        "Whatever the weights did to a map's mean and deviation is undone, and two learnt numbers take their place.",
    )
    return examine("lesson 10", batch_norm, task)
