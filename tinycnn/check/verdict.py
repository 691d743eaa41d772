"""verdict: what is said of an answer, and how a function that somebody wrote is run and compared.

Read in this order: Verdict, Task, examine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np

from tinycnn.autograd.arguments import NUMERIC
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.grading.cases import equal
from tinycnn.grading.language import translated
from tinycnn.grading.marking import StudentError, difference, explain, guarded, not_numbers

TO_DO = "nothing is there yet; put your own in place of the three dots"


@dataclass(repr=False)
class Verdict:
    """What is said of an answer: `passed`, and the `hints` that are given where it is not right.

    Its repr is the text to read, in the language that was chosen; `because` is what a right answer is told.
    """

    name: str
    hints: list[str] = field(default_factory=list)
    because: str = ""

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return not self.hints

    def __repr__(self) -> str:
        lines = [f"-> {translated(hint)}" for hint in self.hints] or [translated(self.because)]
        text = [
            fill(line, 100, initial_indent="  ", subsequent_indent="     " if self.hints else "  ") for line in lines
        ]
        return "\n".join([f"{translated(self.name)}: {translated('right' if self.passed else 'not yet')}", *text])


def unfinished(answer: object) -> bool:
    """Whether an answer is still the three dots of its cell, or the None that a function of three dots returns."""
    return answer is None or answer is ...


class Task(NamedTuple):
    """What a function is asked: the cases (tuples of arguments) that it is run on, what is right, and the mistakes.

    `right` and each mistake take the arguments of a case; a mistake may return None where it would have raised.
    `call` is how the function is called, in words; `otherwise` is the hint where no mistake gives what came out.
    """

    call: str
    cases: Sequence[tuple[Any, ...]]
    right: Callable[..., Array]
    mistakes: Sequence[tuple[str, Callable[..., Array | None]]]
    because: str
    otherwise: str = ""


def examine(
    name: str, answer: object, task: Task, taken: Callable[[Any, Sequence[Any]], Any] = lambda found, arguments: found
) -> Verdict:
    """Run a function on every case of its task.  TypeError where it is none.

    `taken` says what is compared, of what the function returned and its arguments as it left them.
    """
    if unfinished(answer):
        return Verdict(name, [TO_DO])
    if not callable(answer):
        raise TypeError(f"check: {name} expected a function {task.call}, got {type(answer).__name__}")
    found: list[tuple[Arguments, Array]] = []
    for case in map(Arguments, task.cases):
        arguments = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in case]
        try:
            found.append((case, as_array(taken(guarded(answer)(*arguments), arguments))))
        except (StudentError, TypeError) as error:
            return Verdict(name, [str(error)])
    wrong = [(case, array) for case, array in found if not equal(task.right(*case), array)]
    if not wrong:
        return Verdict(name, because=task.because)
    mistakes = [(text, spread(mistake)) for text, mistake in task.mistakes]
    hints = not_numbers(found) or explain(found, spread(task.right), mistakes)
    if not hints:
        case, array = wrong[0]
        hints = [task.otherwise] if task.otherwise else []
        hints += [f"for {case}: {difference('the result', array, task.right(*case))}"]
    return Verdict(name, hints)


class Arguments(tuple[Any, ...]):
    """The arguments of a case; in words numbers as they are, and arrays by their shape."""

    def __str__(self) -> str:
        return ", ".join(f"{a.shape}" if isinstance(a, (np.ndarray, Tensor)) else str(a) for a in self)


def spread(function: Callable[..., Any]) -> Callable[[Arguments], Any]:
    """A function of several arguments as one of their tuple."""
    return lambda case: function(*case)


def as_array(found: Any) -> Array:
    """What a function returned, as an array; TypeError where it is none of numbers."""
    if unfinished(found):
        raise TypeError("it returns nothing yet; is there a `return` at its end?")
    array = found.numpy() if isinstance(found, Tensor) else np.asarray(found, None if numbers(found) else object)
    if array.dtype.kind not in NUMERIC:
        raise TypeError(f"it returned {type(found).__name__}, expected numbers")
    return array


def numbers(found: Any) -> bool:
    """Whether NumPy can make one array of it: lists of lists must be of one length."""
    try:
        np.asarray(found)
    except ValueError:
        return False
    return True
