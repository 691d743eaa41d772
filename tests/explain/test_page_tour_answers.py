"""Eleven questions on convolution that a learner may ask, and where the tour answers them.

Whoever changes a step keeps its answer, or says here where it is now.
"""

import pytest

from tinycnn.explain.words import table

TOUR = table("en")["tour"]["steps"].values()

ANSWERS = {  # the question: the title of the step, and words that answer it there
    "What does one number of the output mean?": ("One number of the output", "says how well the filter fits there"),
    "How is it worked out?": ("One number of the output", "multiply what lies on top of each other, add it all up"),
    "Why does a filter have several kernels?": (
        "A filter has a kernel for every channel",
        "a kernel of 3 × 3 weights of",
    ),
    "How can a few numbers find an edge?": ("What a filter looks for", "grows brighter towards the right"),
    "Why does a convolution need so few weights?": ("The same weights everywhere", "are used at every place"),
    "What is padding for?": ("Padding", "makes room for more windows"),
    "What does a stride lose?": ("Stride, and what is lost", "no window reaches it"),
    "How does a convolution become a matrix product?": ("Every window becomes a column", "Row times column"),
    "What is col2im, and why does it add?": ("Back to the pixels", "nine shares come back and add up"),
    "Why does a network learn?": ("Why does it learn?", "every weight moved a little against its gradient"),
    "Why does learning stall?": ("When too little comes back", "multiplied by the slope of the sigmoid"),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_the_tour_answers(question):
    title, words = ANSWERS[question]
    found = [" ".join(map(str, step.values())) for step in TOUR if step["title"] == title]
    assert len(found) == 1, f"no step is called {title!r}"
    assert words in found[0], f"{title!r} no longer says {words!r}: where is {question!r} answered now?"


def test_there_are_at_most_sixteen_steps():
    assert 12 <= len(TOUR) <= 16
