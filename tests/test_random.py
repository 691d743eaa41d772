import threading

import numpy as np
import pytest

from tinycnn import random


@pytest.fixture(autouse=True)
def seeded():
    random.manual_seed(3)


def rows_of(seed, call, first_row, n, width):
    with random.at((seed, call), first_row):
        return random.rows(n, width)


def test_same_numbers_on_every_machine_and_in_every_version():
    random.manual_seed(0)
    assert random.rows(2, 3).tolist() == [[582496169, 60417458, 4027530181], [713897366, 4205350656, 2464596519]]
    assert random.rows(1, 2).tolist() == [[717143755, 104536930]]


def test_a_row_depends_on_seed_call_and_row_alone(rng):
    whole = rows_of(5, 2, 0, 40, 21)
    assert whole.shape == (40, 21) and whole.dtype == np.uint32
    for first in rng.integers(0, 40, 10).tolist():
        assert np.array_equal(rows_of(5, 2, first, 40 - first, 21), whole[first:])
    assert not np.array_equal(rows_of(6, 2, 0, 40, 21), whole)
    assert not np.array_equal(rows_of(5, 3, 0, 40, 21), whole)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 1176])
def test_no_number_comes_twice(width):
    n = 4000 // width + 2
    draws = [random.rows(n, width) for _ in range(3)]
    assert all(d.shape == (n, width) for d in draws)
    numbers = np.concatenate(draws).ravel()
    assert len(np.unique(numbers)) > 0.999 * len(numbers)  # of 4 billion values some 12,000 draws may share one


def test_every_bit_is_set_half_of_the_time():
    numbers = random.rows(100, 100)
    for bit in range(32):
        assert abs((numbers >> np.uint32(bit) & 1).mean() - 0.5) < 0.025  # five standard deviations
    neighbours = np.corrcoef(numbers[:, :-1].ravel(), numbers[:, 1:].ravel())[0, 1]
    between_rows = np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.05 and abs(between_rows) < 0.05


def test_the_seed_starts_everything_again():
    drawn = [(random.rows(2, 5).tolist(), random.generator().random()) for _ in range(2)]
    assert drawn[0] != drawn[1]
    random.manual_seed(3)
    assert [(random.rows(2, 5).tolist(), random.generator().random()) for _ in range(2)] == drawn
    random.manual_seed(4)
    assert (random.rows(2, 5).tolist(), random.generator().random()) != drawn[0]


def test_generator_is_one_stream():
    first, again = random.generator().random(), random.generator().random()
    assert [first, again] == np.random.default_rng(3).random(2).tolist()


def test_state_goes_on_where_it_was():
    random.rows(1, 1)
    state = random.get_state()
    assert state == (3, 1)
    following = [random.rows(2, 4).tolist() for _ in range(2)]
    random.manual_seed(99)
    random.set_state(state)
    assert [random.rows(2, 4).tolist() for _ in range(2)] == following


def test_at_gives_back_what_was_even_after_an_error():
    random.rows(1, 1)
    with pytest.raises(KeyError), random.at((8, 5), 100):
        assert random.get_state() == (8, 5)
        random.rows(1, 1)
        assert random.get_state() == (8, 6)
        with random.at((9, 0), 1):
            pass
        assert random.get_state() == (8, 6)
        raise KeyError
    assert random.get_state() == (3, 1)
    assert np.array_equal(random.rows(2, 4), rows_of(3, 1, 0, 2, 4))


def test_each_thread_has_its_own():
    found = {}

    def work():
        found["start"] = random.get_state()
        random.manual_seed(50)
        random.rows(1, 1)
        found["end"] = random.get_state()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found["start"] != (3, 0) and found["start"][1] == 0 and found["end"] == (50, 1)
    assert random.get_state() == (3, 0)


@pytest.mark.parametrize("drawn", [0, 2])
def test_numbers_drawn_apart_leave_ones_own_alone(drawn):
    random.manual_seed(7)
    expected = [random.generator().integers(1000) for _ in range(4)], random.rows(2, 3)
    random.manual_seed(7)
    found = [random.generator().integers(1000) for _ in range(drawn)]
    with pytest.raises(KeyError), random.apart(3):
        assert random.get_state() == (3, 0)
        inside = random.generator().integers(1000), random.rows(2, 3)
        raise KeyError
    found += [random.generator().integers(1000) for _ in range(4 - drawn)]
    assert found == expected[0] and np.array_equal(random.rows(2, 3), expected[1])
    random.manual_seed(3)
    assert inside[0] == random.generator().integers(1000) and np.array_equal(inside[1], random.rows(2, 3))


@pytest.mark.parametrize("seed", [0, 2**40, 2**64 - 1, 2**100, np.int64(3)])
def test_seeds_of_any_size(seed):
    random.manual_seed(seed)
    assert random.get_state() == (int(seed), 0)
    assert random.rows(1, 1).shape == (1, 1)


def test_errors():
    with pytest.raises(ValueError, match="manual_seed: seed must be 0 or more, got -1"):
        random.manual_seed(-1)
    with pytest.raises(TypeError, match="manual_seed: seed must be an int, got 1.5"):
        random.manual_seed(1.5)
    with pytest.raises(TypeError, match="manual_seed: seed must be an int, got True"):
        random.manual_seed(True)
    assert random.get_state() == (3, 0)


def test_nets_made_in_threads_after_one_seed_differ_and_come_again():
    def numbers():
        found = []

        def work():
            found.append((random.generator().random(3).tolist(), random.rows(1, 3).tolist()))

        random.manual_seed(7)
        work()
        for _ in range(3):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        return found

    found = numbers()
    assert all(a[k] != b[k] for k in (0, 1) for i, a in enumerate(found) for b in found[:i])
    assert numbers() == found
