"""together: the parts of a batch side by side, for models with layers that look at the whole batch.

In batch normalisation no part can go on before all have come there: the mean is that of all of them.  So a worker
gives each of its parts a thread, and lets one at a time run up to its next meeting (whole.total).  When all are there,
their numbers are added up with those of the other workers' parts, and each goes on with the sum:

    part 0   conv  sum|                |normalise  conv  sum|                | ...
    part 1            |conv  sum|      |                    |normalise  ...
    part 2                      |conv  sum|
                                       meet                           meet

The threads are there to be interrupted, not to be fast: a worker runs one of them at a time.  The sum is the tree of
parts.py, so that the bits are the same whoever computes which part.
"""

import contextvars
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

import numpy as np

from tinycnn import whole
from tinycnn.backend import Array

Meet = Callable[[Array], Array]  # from the numbers of a worker's parts, a row for each, to the sum over all parts


class NotTogether(RuntimeError):
    """Some parts of a batch came to a meeting, and others did not: they failed, or took another way."""

    def __init__(self, *text: str) -> None:
        super().__init__(
            *text
            or (
                "step: a layer looked at the whole batch in some of its parts and not in others, which happens where "
                'what forward does depends on the numbers; use strategy "plain", which computes the batch in one piece',
            )
        )


class _Dropped(BaseException):
    """Ends a part that waits at a meeting which will not take place."""


class _Walk:
    """One part's computation, which can be stopped at a meeting and told to go on."""

    def __init__(self, compute: Callable[[], None], examples: int, first: bool) -> None:
        self._told: SimpleQueue[Any] = SimpleQueue()  # the sum with which to go on, or None: there will be none
        self._says: SimpleQueue[Any] = SimpleQueue()  # numbers for the sum, None at the end, or an error
        self._compute, self._part = compute, whole.Part(examples, first, self._meet)
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), daemon=True)

    def _run(self) -> None:
        try:
            with whole.within(self._part):
                self._compute()
            self._says.put(None)
        except _Dropped:
            pass
        except BaseException as error:
            self._says.put(error)

    def _meet(self, numbers: Array) -> Array:
        self._says.put(numbers)
        if (total := self._told.get()) is None:
            raise _Dropped
        given: Array = total
        return given

    def go_on(self, total: Array | None = None) -> Array | None:
        """Compute up to the next meeting; what this part brings to it, or None at its end.  Raises what it raised."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._told.put(total)
        said = self._says.get()
        if isinstance(said, BaseException):
            raise said
        brought: Array | None = said
        return brought

    def drop(self) -> None:
        """Wait for the thread to end, which is now or at its next meeting."""
        self._told.put(None)
        if self._thread.ident is not None:
            self._thread.join()


def side_by_side(parts: Mapping[int, Callable[[], None]], examples: int, first: int, meet: Meet) -> None:
    """Run the computations of one worker's parts of a batch of so many examples; it meets the other workers by `meet`.

    Part `first`, if it is among them, moves running statistics.  Raises what a part raised, and NotTogether where some
    parts come to a meeting and others to their end.
    """
    walks = [_Walk(compute, examples, k == first) for k, compute in parts.items()]
    try:
        brought = [walk.go_on() for walk in walks]
        while any(numbers is not None for numbers in brought):
            rows = [numbers for numbers in brought if numbers is not None]
            if len(rows) < len(walks) or len({row.shape for row in rows}) > 1:
                raise NotTogether
            total = meet(np.stack(rows))
            brought = [walk.go_on(total) for walk in walks]
    finally:
        for walk in walks:
            walk.drop()
