"""whole: what a layer within a part of a batch is told of the whole, by thread, and what it has where nobody cut it."""

import threading

import numpy as np
import pytest

from tinycnn import whole


def test_an_uncut_batch_is_the_whole():
    numbers = np.arange(3.0)
    assert whole.total(numbers) is numbers and whole.examples(7) == 7 and whole.remembers()


def test_a_part_asks_for_the_sum_in_its_own_thread_and_until_its_end():
    part = whole.Part(examples=10, first=False, add_up=lambda numbers: numbers + 100)
    elsewhere = []
    with whole.within(part):
        assert whole.total(np.ones(2)).tolist() == [101, 101]
        assert whole.examples(3) == 10 and not whole.remembers()
        thread = threading.Thread(target=lambda: elsewhere.append((whole.examples(3), whole.remembers())))
        thread.start()
        thread.join()
    with pytest.raises(ArithmeticError), whole.within(part):
        raise ArithmeticError
    assert whole.examples(3) == 3 and elsewhere == [(3, True)]
