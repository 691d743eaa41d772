"""grading: a convolution that you wrote yourself, run against the engine, with the mistakes named in words.

    def my_conv2d(x, w, b, stride, padding):        # NumPy arrays (N, C, H, W), (O, C, KH, KW), (O,); two ints
        ...
        return y                                    # (N, O, OH, OW)

    tinycnn.grade(my_conv2d)

To have your gradients graded as well, return y and a function:

        def backward(dy):                           # (N, O, OH, OW), the slope of the loss with respect to y
            ...
            return dx, dw, db                       # shapes of x, w and b
        return y, backward

Read in this order: cases (what it is run on), mistakes (what the usual ones would give), marking, report.
"""

from tinycnn.grading.cases import Student
from tinycnn.grading.marking import guarded, mark_backward, mark_forward, stopwatch
from tinycnn.grading.report import Report

__all__ = ["Report", "grade"]


def grade(my_conv2d: Student) -> Report:
    """Run `my_conv2d(x, w, b, stride, padding)` on a grid of shapes; the Report says in words what is right and wrong.

    It returns y (N, O, OH, OW), or y and a function of dy that returns dx, dw and db; see the module's text.  Where
    a result is wrong, it is compared with what the usual mistakes would have given.  Whatever your function raises is
    caught and reported.  TypeError where it cannot be called at all.
    """
    if not callable(my_conv2d):
        raise TypeError(f"grade: expected a function of (x, w, b, stride, padding), got {type(my_conv2d).__name__}")
    student = guarded(my_conv2d)
    forward = mark_forward(student)
    backward = mark_backward(student)
    seconds = stopwatch(student) if forward.passed else {}
    return Report(getattr(my_conv2d, "__name__", "your function"), forward, backward, seconds)
