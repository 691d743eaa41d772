"""marking: run a student's function on every case, compare, and find the mistake that explains what came out.

Read in this order: mark_forward, mark_backward, explain.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinycnn.autograd.arguments import NUMERIC
from tinycnn.autograd.gradcheck import GradcheckError, gradcheck
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array
from tinycnn.grading.cases import Case, Student, cases, equal, right
from tinycnn.grading.mistakes import BACKWARD, FACTORS, FORWARD, SIZES, Mistake
from tinycnn.grading.report import Mark
from tinycnn.ops.conv2d import conv2d, conv2d_loops

C = TypeVar("C")  # what a function is run on: a Case, or the arguments of another exercise
Answers = Sequence[tuple[Case, Array]]  # what the student's function made of each case

SPEED = (4, 3, 16, 16), (8, 3, 3, 3)  # what the stopwatch runs, with padding 1


class StudentError(Exception):
    """What the student's function raised, in words, with the line where it did."""


def guarded(student: Student) -> Student:
    """The same function, all of whose errors, exit() among them, become a StudentError."""

    def call(*arguments: Any) -> Any:
        try:
            return student(*arguments)
        except (Exception, SystemExit) as error:
            raise StudentError(_told(error)) from error

    call.__name__ = getattr(student, "__name__", "your function")
    return call


def _told(error: BaseException) -> str:
    """An error in words, with the last line of the student's own file on the way to it, as "... (line 7: y[n] = 1)"."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is the caller's own
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    text = f"it raised {type(error).__name__}: {error}"
    if not own:
        return text
    place = f"{own[-1].lineno}{': ' + own[-1].line if own[-1].line else ''}"
    return f"{text} (line {place})"


def run(student: Student, case: Case) -> tuple[Array, Callable[[Array], Any] | None]:
    """The student's y, and backward if there is one; TypeError where that is not what came back."""
    answer = student(*case.arguments)
    y, backward = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    if not isinstance(y, np.ndarray):
        raise TypeError(f"it returned {type(y).__name__}, expected an array y, or y and a function backward(dy)")
    if y.dtype.kind not in NUMERIC:
        raise TypeError(f"it returned an array of {y.dtype}, expected one of numbers")
    if backward is not None and not callable(backward):
        raise TypeError(f"its second value is {type(backward).__name__}, expected a function backward(dy)")
    return y, None if backward is None else guarded(backward)


def mark_forward(student: Student) -> Mark:
    """y on every case, against the engine's; whether the arguments were left alone and float32 stayed float32."""
    mark = Mark(len(cases()))
    answers: list[tuple[Case, Array]] = []
    for case in cases():
        try:
            y, _ = run(student, case)
        except (StudentError, TypeError) as error:
            mark.result(case, str(error))
            continue
        answers.append((case, y))
        mark.result(case, "" if equal(right(case).y, y) else difference("y", y, right(case).y))
    if mark.failures:
        mark.causes = not_numbers(answers) or explain(answers, lambda case: right(case).y, FORWARD, sizes)
    else:
        mark.notes = manners(student)
    return mark


def manners(student: Student) -> list[str]:
    """What is not wrong, and still not good."""
    notes, case = [], cases()[-1]
    x, w, b, stride, padding = case.arguments
    answer = student(x, w, b, stride, padding)
    y = answer[0] if isinstance(answer, tuple) else answer
    if y.dtype != case.x.dtype:
        notes.append(f"{case.x.dtype} goes in and {y.dtype} comes out, which has fewer digits; make y with x.dtype")
    for name, before, after in (("x", case.x, x), ("w", case.w, w), ("b", case.b, b)):
        if not np.array_equal(before, after):
            notes.append(f"it changes its argument {name}; work on a copy")
    x, w, b = (t.astype(np.float32) for t in (case.x, case.w, case.b))
    try:
        y, _ = run(student, Case(x, w, b, stride, padding, case.dy))
    except (StudentError, TypeError) as error:
        return [*notes, f"with float32 {error}"]
    if y.dtype != np.float32:
        notes.append(f"float32 goes in and {y.dtype} comes out: twice the memory, half the speed; make y with x.dtype")
    return notes


def mark_backward(student: Student) -> Mark | None:
    """dx, dw and db on every case, against the engine's, and the gradient check; None without a backward."""
    mark = Mark(len(cases()))
    answers: dict[str, list[tuple[Case, Array]]] = {"dx": [], "dw": [], "db": []}
    missing: dict[str, str] = {}
    for case in cases():
        try:
            _, backward = run(student, case)
            if backward is None:
                return None
            gradients = three(backward(case.dy.copy()))
        except (StudentError, TypeError) as error:
            mark.result(case, str(error))
            continue
        wrong = []
        for name, gradient in zip(answers, gradients, strict=True):
            if gradient is None:
                missing[name] = f"{name}: it is None; still to be done"
                wrong.append(f"{name} is None")
                continue
            answers[name].append((case, gradient))
            if not equal(getattr(right(case), name), gradient):
                wrong.append(difference(name, gradient, getattr(right(case), name)))
        mark.result(case, "; ".join(wrong))
    mark.causes = list(missing.values())
    for name, found in answers.items():
        if any(not equal(getattr(right(case), name), gradient) for case, gradient in found):
            mark.causes += [f"{name}: {cause}" for cause in gradient_causes(name, found)]
    if not mark.failures:
        mark.notes = checked(student)
    return mark


def not_numbers(answers: Sequence[tuple[C, Array]]) -> list[str]:
    """What there is to say where NaN came out."""
    if not any(np.isnan(answer).any() for _, answer in answers):
        return []
    return ["there are NaN in it, not numbers: from 0/0, from inf - inf, or from np.empty, not all of which was filled"]


def three(gradients: Any) -> list[Array | None]:
    """What backward returned, as arrays or None; TypeError unless there are three, of numbers."""
    if not isinstance(gradients, (tuple, list)) or len(gradients) != 3:
        raise TypeError("backward returned something else than three arrays dx, dw, db")
    found = [None if gradient is None else np.asarray(gradient) for gradient in gradients]
    for name, gradient in zip(("dx", "dw", "db"), found, strict=True):
        if gradient is not None and gradient.dtype.kind not in NUMERIC:
            raise TypeError(f"{name} is an array of {gradient.dtype}, expected one of numbers")
    return found


def gradient_causes(name: str, answers: Answers) -> list[str]:
    """What explains a wrong gradient: a usual mistake, a factor, or another gradient in its place."""

    def expected(case: Case) -> Array:
        gradient: Array = getattr(right(case), name)
        return gradient

    def scaled(factor: Callable[[Case], float]) -> Callable[[Case], Array]:
        return lambda case: factor(case) * expected(case)

    def other(there: str) -> Callable[[Case], Array]:
        return lambda case: np.asarray(getattr(right(case), there))

    factors: list[Mistake] = [(text, scaled(factor)) for text, factor in FACTORS]
    others: list[Mistake] = [
        (f"it is {there}; return dx, dw, db in this order", other(there))
        for there in ("dx", "dw", "db")
        if there != name
    ]
    causes = not_numbers(answers) or explain(answers, expected, BACKWARD[name] + factors + others)
    if not causes and name == "dx" and all(g.shape == padded_shape(case) for case, g in answers):
        return ["it has the size of the padded image; cut the padding off again"]
    return causes


def padded_shape(case: Case) -> tuple[int, ...]:
    N, C, H, W = case.x.shape
    return N, C, H + 2 * case.padding, W + 2 * case.padding


def explain(
    answers: Sequence[tuple[C, Array]],
    expected: Callable[[C], Array],
    mistakes: Sequence[tuple[str, Callable[[C], "Array | None"]]],
    sizes: Callable[[Sequence[tuple[C, Array]]], list[str]] = lambda answers: [],
) -> list[str]:
    """The mistake that gives the student's results on all cases; else what the sizes say; else the mistakes that
    explain some of the wrong results, the one that explains most of them first."""
    wrong = [not equal(expected(case), answer) for case, answer in answers]
    fits = {text: [equal(answer, mistake(case)) for case, answer in answers] for text, mistake in mistakes}
    for text, fit in fits.items():
        if all(fit) and fit:
            return [text]
    if causes := sizes(answers):
        return causes
    total = sum(wrong)
    while any(wrong):
        gains = {text: sum(f and w for f, w in zip(fit, wrong, strict=True)) for text, fit in fits.items()}
        best = max(gains, key=lambda text: gains[text])
        if not gains[best]:
            break
        covers = [str(case) for (case, _), f, w in zip(answers, fits[best], wrong, strict=True) if f and w]
        causes.append(f"{best} [this explains {len(covers)} of {total} wrong shapes: {'; '.join(covers)}]")
        wrong = [w and not f for w, f in zip(wrong, fits[best], strict=True)]
    return causes


def sizes(answers: Answers) -> list[str]:
    """Which wrong formula gives the sizes that came out."""

    def shape(case: Case, formula: Callable[[int, int, int, int], int]) -> tuple[int, ...]:
        sides = zip(case.x.shape[2:], case.w.shape[2:], strict=True)
        return len(case.x), len(case.w), *(formula(n, k, case.stride, case.padding) for n, k in sides)

    if all(y.shape == case.dy.shape for case, y in answers):
        return []
    for text, formula in SIZES:
        if answers and all(y.shape == shape(case, formula) for case, y in answers):
            return [f"the output's size is (n + 2*padding - k) // stride + 1, and {text}"]
    if any(equal(y, mistake(case)) for case, y in answers if y.shape != case.dy.shape for _, mistake in FORWARD):
        return []  # the numbers say more
    return ["the output has the wrong size; it is (n + 2*padding - k) // stride + 1 along height and width"]


def difference(name: str, found: Array, expected: Array) -> str:
    """In what two arrays differ, in words."""
    if found.shape != expected.shape:
        return f"{name} has shape {found.shape}, expected {expected.shape}"
    off = np.nan_to_num(np.abs(found - expected), nan=np.inf)
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(off)), found.shape))
    return f"{name}[{', '.join(map(str, index))}] is {found[index]:.4g}, expected {expected[index]:.4g}"


class StudentOp(Op, name="student_conv2d"):
    """The student's convolution as an operation of the engine, so that gradcheck can look at it."""

    @staticmethod
    def forward(ctx: Context, x: Array, w: Array, b: Array, student: Student, stride: int, padding: int) -> Array:
        y, backward = student(x, w, b, stride, padding)
        ctx.save(backward=backward)
        answer: Array = y  # (N, O, OH, OW)
        return answer

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Any:
        return tuple(ctx.backward(dy))


def checked(student: Student) -> list[str]:
    """The gradient check of backward against the student's own forward, on the most awkward case."""
    case = cases()[-1]
    inputs = [Tensor(t.copy(), requires_grad=True) for t in case[:3]]
    options = {"student": student, "stride": case.stride, "padding": case.padding}
    if (y := run(student, case)[0]).dtype != case.x.dtype:
        return [f"the gradient check was left out: it needs {case.x.dtype}, and y is {y.dtype}"]
    try:
        gradcheck(lambda *tensors: StudentOp.apply(*tensors, **options), inputs)
    except (GradcheckError, StudentError, TypeError, ValueError, RuntimeError) as error:
        return [str(error)]
    return ["the gradient check agrees: finite differences of your forward are your backward"]


def stopwatch(student: Student) -> dict[str, float]:
    """Seconds for one convolution: the loops of the definition, the student's function, and the engine."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape) for shape in SPEED)
    b = np.zeros(len(w))
    tensors = Tensor(x), Tensor(w), Tensor(b)
    rivals: dict[str, Callable[[], Any]] = {
        "loops": lambda: conv2d_loops(x, w, b, (1, 1), (1, 1)),
        "yours": lambda: student(x, w, b, 1, 1),
        "engine": lambda: conv2d(*tensors, stride=1, padding=1),
    }
    try:
        return {name: min(_seconds(rival) for _ in range(3)) for name, rival in rivals.items()}
    except StudentError:  # on images of another size
        return {}


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
