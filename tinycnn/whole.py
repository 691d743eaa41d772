"""whole: the whole batch, as a layer that looks at all of it sees it from within one part.

A batch may be computed in parts, on several cores (execution/parts.py).  For most layers that makes no difference.
Batch normalisation, however, wants the mean over all examples: it asks here, and what it gets are the sums over all
parts.  Where nobody has cut the batch, as in the tape's own backward, what it has is the whole.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tinycnn.backend import Array


class Part(NamedTuple):
    """What the part of a batch that is being computed knows of the whole."""

    examples: int  # of the whole batch
    first: bool  # whether it is the part that remembers, for all, what the batch showed
    add_up: Callable[[Array], Array]  # from this part's numbers to the sum of all parts'; waits for them


class _State(threading.local):
    """Each thread's own: it computes one part at a time."""

    part: Part | None = None


_state = _State()


@contextmanager
def within(part: Part) -> Iterator[None]:
    """Within this block, in this thread, what is computed is this part of a batch."""
    kept, _state.part = _state.part, part
    try:
        yield
    finally:
        _state.part = kept


def total(numbers: Array) -> Array:
    """The sum of these numbers over all parts of the batch.  All parts ask in the same order, and wait here."""
    return numbers if _state.part is None else _state.part.add_up(numbers)


def examples(here: int) -> int:
    """How many examples the whole batch has, of which so many are here."""
    return here if _state.part is None else _state.part.examples


def remembers() -> bool:
    """Whether this part is the one that moves running statistics: they are moved once for a batch."""
    return _state.part is None or _state.part.first
