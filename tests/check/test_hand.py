"""Answers that are numbers: what is right passes, and every usual wrong one brings the hint that belongs to it."""

import numpy as np
import pytest
from helpers import long_texts

from tinycnn import check
from tinycnn.check import hand
from tinycnn.check.hand import IMAGE, KERNEL, slide

RIGHT = {
    "lesson 1, by hand": lambda: check.lesson1_by_hand([[-0.0, 4], [3, -3]]),
    "lesson 1": lambda: check.lesson1(np.array([[3, -3], [-3, 3]])),
    "lesson 2, halves": lambda: check.lesson2_halves(3, 2, 1),
    "lesson 3, weight": lambda: check.lesson3_weight((12, 1, 5, 5), 312),
    "lesson 6, inverse": lambda: check.lesson6_inverse(3, 6, 9),
    "lesson 8, dense": lambda: check.lesson8_dense(69240),
}

WRONG = [  # what is said, and the answer to which it is said
    ("nothing is there yet", lambda: check.lesson1_by_hand(...)),
    ("expected a list of two rows of two", lambda: check.lesson1_by_hand([1, 2, 3])),
    ("expected a list of two rows of two", lambda: check.lesson1_by_hand([[1, 2], [3]])),
    ("expected a list of two rows of two", lambda: check.lesson1_by_hand("19")),
    ("turned by 180 degrees", lambda: check.lesson1_by_hand(slide(IMAGE, KERNEL[::-1, ::-1]))),
    ("rows and columns are swapped", lambda: check.lesson1_by_hand(slide(IMAGE, KERNEL.T))),
    ("the places are in another order", lambda: check.lesson1_by_hand([[0, 3], [4, -3]])),
    ("that is the sum of the pixels", lambda: check.lesson1_by_hand([[5, 3], [6, 7]])),
    ("it is taken away", lambda: check.lesson1_by_hand(slide(IMAGE, np.abs(KERNEL)))),
    ("look at top right and bottom left again", lambda: check.lesson1_by_hand([[0, 5], [2, -3]])),
    ("nothing is there yet", lambda: check.lesson1(...)),
    ("expected an array of 2x2 numbers", lambda: check.lesson1(np.ones((3, 3)))),
    ("it is 0 everywhere", lambda: check.lesson1([[0, 0], [0, 0]])),
    ("what must its four numbers add up to?", lambda: check.lesson1([[1, 1], [1, 1]])),
    ("it answers to upright edges", lambda: check.lesson1([[-1, 1], [-1, 1]])),
    ("it answers to level edges", lambda: check.lesson1([[-1, -1], [1, 1]])),
    ("nothing is there yet", lambda: check.lesson2_halves(3, ..., 1)),
    ("expected three whole numbers", lambda: check.lesson2_halves(3, 2, 0.5)),
    ("expected three whole numbers", lambda: check.lesson2_halves(3, 0, 0)),
    ("111 of 224, 1 too few: kernel and padding decide about the rest", lambda: check.lesson2_halves(3, 2, 0)),
    ("224 of 224, 112 too many: the stride decides about the half", lambda: check.lesson2_halves(3, 1, 1)),
    ("pixels 1, 3 and more are in no window", lambda: check.lesson2_halves(1, 2, 0)),
    ("so much padding that some windows", lambda: check.lesson2_halves(3, 3, 56)),
    ("nothing is there yet", lambda: check.lesson3_weight(..., ...)),
    ("expected a tuple of whole numbers", lambda: check.lesson3_weight(12, 300)),
    ("that is the shape without groups", lambda: check.lesson3_weight((12, 6, 5, 5), 1812)),
    ("one filter for each input channel", lambda: check.lesson3_weight((6, 1, 5, 5), 156)),
    ("the first number is how many filters", lambda: check.lesson3_weight((1, 12, 5, 5), 312)),
    ("there are four numbers", lambda: check.lesson3_weight((12, 5, 5), 312)),
    ("how many of the 6 input channels", lambda: check.lesson3_weight((12, 2, 5, 5), 612)),
    ("that is one group", lambda: check.lesson3_weight((2, 1, 5, 5), 52)),
    ("a weight is (filters,", lambda: check.lesson3_weight((5, 5, 1, 12), 312)),
    ("the biases learn as well", lambda: check.lesson3_weight((12, 1, 5, 5), 300)),
    ("that is what it has without groups", lambda: check.lesson3_weight((12, 1, 5, 5), 1812)),
    ("without groups, and without biases", lambda: check.lesson3_weight((12, 1, 5, 5), 1800)),
    ("every filter has its own bias", lambda: check.lesson3_weight((12, 1, 5, 5), 301)),
    ("not for every input channel", lambda: check.lesson3_weight((12, 1, 5, 5), 306)),
    ("multiply it out", lambda: check.lesson3_weight((12, 1, 5, 5), 72)),
    ("nothing is there yet", lambda: check.lesson6_inverse(..., 6, 9)),
    ("sides that hold a 3x3 window", lambda: check.lesson6_inverse(3, 2, 9)),
    ("windows overlap", lambda: check.lesson6_inverse(2, 7, 9)),
    ("windows leave gaps", lambda: check.lesson6_inverse(4, 7, 11)),
    ("something is over at the end of the width", lambda: check.lesson6_inverse(3, 6, 10)),
    ("the end of the height and the width", lambda: check.lesson6_inverse(3, 7, 10)),
    ("nothing is there yet", lambda: check.lesson8_dense(...)),
    ("expected a whole number", lambda: check.lesson8_dense(69240.5)),
    ("that is the layer for 28x28 pixels", lambda: check.lesson8_dense(48120)),
    ("has a bias as well", lambda: check.lesson8_dense(69120)),
    ("that is one map", lambda: check.lesson8_dense(4440)),
    ("the second pooling is left out", lambda: check.lesson8_dense(144 * 16 * 120 + 120)),
    ("the poolings are left out", lambda: check.lesson8_dense(784 * 16 * 120 + 120)),
    ("the second convolution has no padding", lambda: check.lesson8_dense(64 * 16 * 120 + 120)),
    ("that is how many numbers go in", lambda: check.lesson8_dense(576)),
    ("follow the size", lambda: check.lesson8_dense(1)),
]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_told_why(name):
    verdict = RIGHT[name]()
    assert verdict.passed and verdict.name == name and len(verdict.because) > 40


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_brings_its_hint(words, answer):
    verdict = answer()
    assert not verdict.passed and len(verdict.hints) == 1 and words in verdict.hints[0]


@pytest.mark.parametrize("answer", [(2, 2, 0), (3, 2, 1), (4, 2, 1), (5, 2, 2), (113, 1, 0), (np.int64(6), 2, 2)])
def test_all_ways_to_halve_are_right(answer):
    """A kernel that is as large as half of the image makes 112 without a stride."""
    assert check.lesson2_halves(*answer).passed


def test_every_hint_has_a_wrong_answer():
    said = [hint for _, answer in WRONG for hint in answer().hints] + [verdict().because for verdict in RIGHT.values()]
    assert not [text for text in long_texts(hand) if not any(text in hint for hint in said)]
