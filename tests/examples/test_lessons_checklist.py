"""Ten questions that a learner who knew no convolution can answer from the lessons alone, and from the tour alone.

Each has the places where it is answered: a lesson's heading, and a step of the tour.  They must be there, and say so.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tinycnn.explain import bundle
from tinycnn.explain.words import languages, table

LESSONS = Path(__file__).parents[2] / "examples" / "lessons"


class Place(NamedTuple):
    """Where to read, and the words that answer there."""

    where: tuple[str, ...]  # ("01", "heading of a lesson") or ("step of the tour",)
    words: str


QUESTIONS = {
    "What is one number of the output?": [
        Place(
            ("01", "1. A convolution by hand, and edges"),
            "we multiply what lies on top of each other and add it all up",
        ),
        Place(("01", "Four sums you can do in your head"), "0*0 + 1*1 + 3*2 + 4*3 = 19"),
        Place(("number",), "multiply what lies on top of each other, add it all up, add the bias"),
    ],
    "Why is the output smaller than the image?": [
        Place(
            ("02", "The formula"), "k - 1 places fewer than pixels: that is why the output is smaller than the image"
        ),
        Place(("padding",), "fits into 7 pixels at five places, so the output is smaller than the image"),
    ],
    "What does padding change?": [
        Place(
            ("02", "The formula"), "*Padding* is a frame of zeros around the image, in which windows may begin and end"
        ),
        Place(("02", "Why pad"), "Padding of (k - 1) / 2 keeps the size, and gives the border more windows"),
        Place(("padding",), "A frame of zeros, the padding, makes room for more windows"),
    ],
    "What happens to several input channels?": [
        Place(("03", "One output map: a sum over channels"), "one kernel *per input channel*"),
        Place(("03", "One output map: a sum over channels"), "the maps are added"),
        Place(("channels",), "Each has a kernel of 3 × 3 weights of its own"),
        Place(("maps",), "The output map is their sum and the bias"),
    ],
    "What is shared, and what is that good for?": [
        Place(("01", "What it is good for"), "The kernel is the same at every place"),
        Place(
            ("01", "What it is good for"), "an edge is found wherever it stands, and a convolution needs few numbers"
        ),
        Place(("same_weights",), "the same 18 weights are used at every place. That is why a convolution needs so few"),
    ],
    "How does a weight of a kernel get its gradient?": [
        Place(
            ("06", "The gradient of one weight, by hand"), "says how much the loss grows when the number grows a little"
        ),
        Place(
            ("06", "The gradient of one weight, by hand"),
            "each output grows by its own pixel times as much, and the loss by that times the output's slope",
        ),
        Place(("kernel",), "its pixels, times the gradient of the number that it made"),
    ],
    "Why is that a sum over all places?": [
        Place(("06", "The gradient of one weight, by hand"), "It was used in all four windows"),
        Place(("06", "The gradient of one weight, by hand"), "Every place has a share, and the shares add up"),
        Place(("kernel",), "It was used in every window, so every window has a say"),
    ],
    "What does pooling keep, and what does it give up?": [
        Place(
            ("05", "What it gains: where exactly does not matter so much"),
            "Pooling keeps that a pattern is there, and how strongly; what it gives up is where exactly",
        ),
        Place(
            ("network",), "Pooling keeps the mean or the maximum of 2 × 2 numbers: that something is there, not exactly"
        ),
    ],
    "Why do nets of sigmoids stall?": [
        Place(("08", "Why sigmoids learn slowly"), "Its slope is 1/4 at best"),
        Place(
            ("08", "Why sigmoids learn slowly"),
            "each multiplies it by 1/4 or less, and too little arrives at the first layers to move them",
        ),
        Place(
            ("10", "What is lost on the way"), "what arrives at the first layer is a product of many factors below 1"
        ),
        Place(("plateau",), "every gradient is multiplied by the slope of the sigmoid, 1/4 at most"),
        Place(("plateau",), "its slope is 1 wherever it is above 0"),
    ],
    "What does a learning step change?": [
        Place(("08", "Training, the whole of it"), "a step moves every weight a little against its own"),
        Place(("08", "Training, the whole of it"), "Weights and biases are all that changes"),
        Place(("learning",), "At each step every weight moved a little against its gradient"),
    ],
}


def section(number, heading):
    """The text under a heading of a lesson, up to the next one, in one line."""
    (path,) = LESSONS.glob(f"{number}_*.py")
    parts = re.split(r"^# #+ ", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    found = {part.partition("\n")[0]: part for part in parts}
    assert heading in found, f"{path.name} has no heading {heading!r}; it has {sorted(found)}"
    text = "\n".join(line for line in found[heading].splitlines() if line.startswith("#"))
    return " ".join(re.sub(r"^# ?", "", text, flags=re.M).split())


def step(name, language="en"):
    """What a step of the tour says before and after its task."""
    found = table(language)["tour"]["steps"][name]
    return f"{found['text']} {found['because']}"


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_lessons_answer(question):
    places = [place for place in QUESTIONS[question] if len(place.where) == 2]
    assert places
    for place in places:
        assert place.words in section(*place.where), place


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_tour_answers(question):
    places = [place for place in QUESTIONS[question] if len(place.where) == 1]
    steps = (Path(bundle.STATIC) / "scripts" / "tour" / "steps.js").read_text(encoding="utf-8")
    assert places
    for place in places:
        (name,) = place.where
        assert place.words in step(name), place
        assert re.search(rf'stepOf\(\s*"{name}"', steps), f"the tour has no step {name!r}"
        assert all(step(name, language) for language in languages())


def test_there_are_ten_questions():
    assert len(QUESTIONS) == 10


def test_a_place_that_is_gone_is_told():
    with pytest.raises(AssertionError, match="01_convolution_by_hand.py has no heading 'Nowhere'"):
        section("01", "Nowhere")
    assert "Sobel" not in section("01", "Four sums you can do in your head")
