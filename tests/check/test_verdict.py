"""What is said of an answer, and what is said of a function that cannot be compared."""

import numpy as np
import pytest

from tinycnn import Tensor, check
from tinycnn.check.verdict import Task, Verdict, examine

TASK = Task(
    "of x",
    [(np.arange(1.0, 4),), (np.ones((2, 2)),)],
    lambda x: 2 * x,
    [("it is not doubled", lambda x: x), ("it is doubled twice", lambda x: 4 * x), ("it would raise", lambda x: None)],
    "Twice is twice.",
    "what is twice?",
)


def test_the_text_of_a_verdict():
    assert repr(Verdict("lesson 1", because="It is.")) == "lesson 1: right\n  It is."
    assert repr(Verdict("lesson 1", ["a", "b"])) == "lesson 1: not yet\n  -> a\n  -> b"
    assert Verdict("lesson 1").passed and not Verdict("lesson 1", ["a"]).passed
    assert max(map(len, repr(Verdict("lesson 1", ["word " * 60])).splitlines())) <= 100


def test_a_function_is_compared_on_every_case():
    assert examine("lesson 1", lambda x: 2 * x, TASK).because == "Twice is twice."
    assert examine("lesson 1", lambda x: (2 * x).tolist(), TASK).passed
    assert examine("lesson 1", lambda x: Tensor(2 * x), TASK).passed
    assert examine("lesson 1", lambda x: x, TASK).hints == ["it is not doubled"]
    assert examine("lesson 1", lambda x: 4 * x, TASK).hints == ["it is doubled twice"]


def test_a_mistake_that_explains_some_cases_says_which():
    (hint,) = examine("lesson 1", lambda x: x if x.ndim == 1 else 2 * x, TASK).hints
    assert hint == "it is not doubled [this explains 1 of 1 wrong shapes: (3,)]"


def test_an_unknown_mistake_is_shown_by_its_numbers():
    assert examine("lesson 1", lambda x: 3 * x, TASK).hints == [
        "what is twice?",
        "for (3,): the result[2] is 9, expected 6",
    ]
    assert examine("lesson 1", lambda x: x[:1], TASK).hints[1] == "for (3,): the result has shape (1,), expected (3,)"
    assert examine("lesson 1", lambda x: x[:1], TASK._replace(otherwise="")).hints[0].startswith("for (3,)")


@pytest.mark.parametrize("dots", [..., None])
def test_dots_are_still_to_be_done(dots):
    (hint,) = examine("lesson 1", dots, TASK).hints
    assert hint.startswith("nothing is there yet")
    (hint,) = examine("lesson 1", lambda x: dots, TASK).hints
    assert hint.startswith("it returns nothing yet")


def test_what_a_function_raises_is_told_with_its_line():
    def broken(x):
        return x[9]

    (hint,) = examine("lesson 1", broken, TASK).hints
    assert hint.startswith("it raised IndexError: index 9 is out of bounds") and "return x[9])" in hint


@pytest.mark.parametrize("found", ["19", [[1, 2], [3]], {"a": 1}])
def test_what_is_no_number_is_told(found):
    assert examine("lesson 1", lambda x: found, TASK).hints == [f"it returned {type(found).__name__}, expected numbers"]


def test_nan_is_told():
    (hint,) = examine("lesson 1", lambda x: x * np.nan, TASK).hints
    assert hint.startswith("there are NaN in it")


def test_arguments_may_be_spoiled():
    def spoils(x):
        x *= 2
        return x

    assert examine("lesson 1", spoils, TASK).passed and examine("lesson 1", spoils, TASK).passed


@pytest.mark.parametrize("function", [check.lesson2, check.lesson3, check.lesson6, check.lesson7, check.lesson8])
def test_what_is_no_function_is_refused(function):
    with pytest.raises(TypeError, match=r"check: lesson \d expected a (function of \(|class made of Op)"):
        function(3)
