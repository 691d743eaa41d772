"""random: the engine's random numbers, of two kinds, both set by one seed.

`generator()` is an ordinary stream; initialisers draw from it, and tinycnn.rand from its sister `maker()`.

`rows()` is counter-based: it computes row r of its n-th call from (seed, n, r) alone.  Dropout draws from it, one row
per example, so a batch that is cut into parts, on any threads and in any order, drops the same numbers as the
whole batch would.

Source of the counter-based kind: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), Philox 4x64.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from tinycnn.backend import Array

BLOCK = 8  # uint32 numbers per step of Philox's counter: four words of 64 bits


class _Family:
    """The seed that was set last, in whatever thread, and how many threads have begun with one of its children."""

    seed, children = 0, 0


class _State(threading.local):
    """Each thread's own.  A new thread draws other numbers than the one that set the seed, and than its siblings."""

    call = 0  # how often rows() has been called since the seed was set
    first_row = 0  # which row of the batch the next rows() starts with
    generator: np.random.Generator | None = None
    maker: np.random.Generator | None = None

    def __init__(self) -> None:
        child, _Family.children = _Family.children, _Family.children + 1
        family = np.random.SeedSequence([_Family.seed, child])
        self.seed = int(family.generate_state(1, np.uint64)[0]) if child else _Family.seed


_state = _State()


def manual_seed(seed: int) -> None:
    """Start this thread's random numbers again from `seed`, an int of 0 or more.

    Threads that begin afterwards draw numbers of their own, which follow from the seed and from who begins first.
    """
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool):
        raise TypeError(f"manual_seed: seed must be an int, got {seed!r}")
    if seed < 0:
        raise ValueError(f"manual_seed: seed must be 0 or more, got {seed}")
    _state.seed, _state.call, _state.first_row = int(seed), 0, 0
    _state.generator = _state.maker = None
    _Family.seed, _Family.children = _state.seed, 1


def maker() -> np.random.Generator:
    """The stream that tinycnn.rand and its like draw from: one of its own, so that making a tensor changes no net."""
    if _state.maker is None:
        _state.maker = np.random.default_rng([_state.seed, 1])
    return _state.maker


def generator() -> np.random.Generator:
    """The stream of random numbers that initialisers draw from, on the host; this thread's own."""
    if _state.generator is None:
        _state.generator = np.random.default_rng(_state.seed)
    return _state.generator


def rows(n: int, width: int) -> Array:
    """Random uint32 (n, width), on the host: row r depends on the seed, the number of this call, and r alone.

    Each call has a number of its own, so two layers, or two steps, draw differently.  Within `at`, rows are counted
    from its first_row.
    """
    blocks = -(-width // BLOCK)  # a row starts on a counter of its own, whatever its width
    counter = [_state.first_row * blocks, 0, _state.call, 0]  # 4 words: the place within the call, and the call
    words = np.random.Philox(counter=counter, key=_key(_state.seed)).random_raw(n * blocks * BLOCK // 2)
    _state.call += 1
    numbers: Array = words.view(np.uint32).reshape(n, blocks * BLOCK)[:, :width]  # (n, width)
    return numbers


@lru_cache(maxsize=16)
def _key(seed: int) -> Array:
    """Philox's key, two words of 64 bits: the seed stirred, so that neighbouring seeds have nothing in common."""
    return np.random.SeedSequence(seed).generate_state(2, np.uint64)


def get_state() -> tuple[int, int]:
    """(seed, number of the next call): what `rows` needs to go on from here.  generator() is not part of it."""
    return _state.seed, _state.call


def set_state(state: tuple[int, int]) -> None:
    """Let this thread's `rows` go on from a state that get_state gave."""
    _state.seed, _state.call = state


@contextmanager
def at(state: tuple[int, int], first_row: int) -> Iterator[None]:
    """Within this block, in this thread, `rows` goes on from `state` and counts rows from first_row.

    Examples first_row to first_row + n of a batch then draw what the whole batch would have drawn for them:

        state = get_state()
        with at(state, first_row=32):
            model(x[32:64])

    Afterwards this thread's own state is back.
    """
    kept = _state.seed, _state.call, _state.first_row
    _state.seed, _state.call, _state.first_row = *state, first_row
    try:
        yield
    finally:
        _state.seed, _state.call, _state.first_row = kept


@contextmanager
def apart(seed: int) -> Iterator[None]:
    """Within this block random numbers of both kinds start from `seed`; afterwards this thread's own go on, as if
    nothing had been drawn."""
    kept = vars(_state).copy()
    manual_seed(seed)
    try:
        yield
    finally:
        vars(_state).clear()
        vars(_state).update(kept)
