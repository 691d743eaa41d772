"""engine: what every engine promises to whoever runs the parts of a batch."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tinycnn.backend import Array

MOST = 64  # examples of a part, unless told otherwise: best for LeNet


class Engine(Protocol):
    """Computes parts of a batch for one worker, which calls it from one thread at a time.

    `begin` comes before a worker's parts of each batch.  Another edition than the last time says that something about
    the model has changed, not only its parameters' numbers.

    x, y are a part's examples (n, ...) and labels (n, ...) as the step was given them.  share is what the part's mean
    loss counts for in the batch's; 0 where all its labels are ignored.  note is the part's record, see `note_type`.
    """

    name: str

    def begin(self, edition: int) -> None: ...

    def fitting(self, x: Array) -> int:
        """How many examples like those of x are best computed at once: what fits in cache, MOST at most."""

    def train(self, x: Array, y: Array, share: float, gradients: Sequence[Array], note: Any) -> None:
        """Fill `gradients` with that of share * loss, one array per parameter, of its shape; fill in the note."""

    def evaluate(self, x: Array, y: Array, share: float, note: Any) -> None:
        """Fill in the note's loss and correct, in evaluation mode and without gradients."""


def note_type(parameters: int) -> "np.dtype[Any]":
    """A part's record: its share of the mean loss, right answers, random calls made, and the parameters it reached.

    The norm of its gradient is the step's to fill in, where it wants to know.
    """
    numbers = [("loss", "f8"), ("correct", "i8"), ("calls", "i8"), ("norm", "f8")]
    return np.dtype([*numbers, ("reached", "?", (parameters,))])


def counted(loss: Array | float, share: float) -> Array | float:
    """What a part's loss adds to the batch's: nothing where its labels are all ignored, and its own mean is 0 / 0."""
    return loss * share if share else 0.0
