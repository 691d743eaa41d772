"""Augment: what may happen to an image, and that it follows from seed, epoch and number alone."""

import numpy as np
import pytest

from tinycnn.backend import to_device, to_numpy
from tinycnn.data import Augment, Batches


def images(rng, n, C=1, H=6, W=8):
    return rng.integers(1, 256, (n, C, H, W), np.uint8)  # no 0, which is what comes in at the rim


def changed(augment, x, epoch=0):
    return to_numpy(augment(x, epoch, np.arange(len(x)), len(x)))


def test_a_shift_moves_the_image_and_fills_with_zeros(rng):
    x, found = images(rng, 300, 2), set()
    for before, after in zip(x, changed(Augment(shift=2), x), strict=True):
        framed = np.pad(before, ((0, 0), (2, 2), (2, 2)))
        places = [(i, j) for i in range(5) for j in range(5) if (framed[:, i : i + 6, j : j + 8] == after).all()]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) == 25, "every place is taken by some image"


def test_a_flip_mirrors_about_half_of_the_images(rng):
    x = images(rng, 400)
    y = changed(Augment(flip=True), x)
    mirrored = (y == x[..., ::-1]).all(axis=(1, 2, 3))
    assert ((y == x).all(axis=(1, 2, 3)) ^ mirrored).all() and 150 < mirrored.sum() < 250


def test_an_erased_rectangle_is_of_the_size_that_is_promised(rng):
    x, sizes = images(rng, 400, 3, 20, 20), []
    for before, after in zip(x, changed(Augment(erase=0.5), x), strict=True):
        gone = (after == 0).all(axis=0)
        assert (after[:, ~gone] == before[:, ~gone]).all()
        if gone.any():
            rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
            assert gone.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            sizes.append(gone.sum() / 400)
    assert 150 < len(sizes) < 250 and 0.01 < min(sizes) < 0.1 and 0.25 < max(sizes) < 0.45
    assert (changed(Augment(erase=1.0, fill=7), x) == 7).any(axis=(1, 2, 3)).all()


ALL = {"shift": 2, "flip": True, "erase": 0.5}


def test_an_image_gets_the_same_in_any_batch_and_on_any_device_and_other_things_in_other_epochs(rng, device):
    x, augment = images(rng, 50, 2), Augment(**ALL, seed=3)
    before = x.copy()
    whole = changed(augment, x, epoch=4)
    assert np.array_equal(x, before)
    chosen = rng.permutation(50)[:7]
    part = augment(to_device(x[chosen], device), 4, chosen, 50)
    assert type(part) is type(to_device(x, device)) and part.dtype == np.uint8
    assert np.array_equal(to_numpy(part), whole[chosen])
    for other in (changed(augment, x, epoch=5), changed(Augment(**ALL, seed=4), x, epoch=4)):
        assert (other != whole).any(axis=(1, 2, 3)).sum() > 40


def test_batches_of_an_epoch_are_augmented_and_go_on_in_its_middle(rng):
    x, y = images(rng, 20), np.arange(20)
    batches = Batches(x, y, 6, seed=1, augment=Augment(**ALL))
    epoch = list(batches.from_batch(2, 0))
    expected = changed(batches.augment, x, epoch=2)
    for found, labels in epoch:
        assert np.array_equal(found, expected[labels])  # a label is its image's number
    later = list(Batches(x, y, 6, seed=1, augment=Augment(**ALL)).from_batch(2, 2))
    for (a, b), (c, d) in zip(epoch[2:], later, strict=True):
        assert np.array_equal(a, c) and np.array_equal(b, d)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"shift": -1}, ValueError, "Augment: shift must be at least 0, got -1"),
        ({"shift": 1.5}, TypeError, "Augment: shift must be an int, got 1.5"),
        ({"erase": 2}, ValueError, "Augment: erase must be between 0 and 1, got 2"),
        ({"fill": 256}, ValueError, "Augment: fill must be between 0 and 255, got 256"),
        ({"seed": -1}, ValueError, "Augment: seed must be at least 0"),
    ],
)
def test_what_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        Augment(**options)
