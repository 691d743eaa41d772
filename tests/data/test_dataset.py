"""Dataset: images of one's own, their parts and their numbers."""

import numpy as np
import pytest

from tinycnn.data import Dataset


def mine(rng, shape=(20, 3, 4, 5), classes=("cat", "dog")):
    return Dataset("mine", True, rng.integers(0, 256, shape, np.uint8), np.arange(shape[0]) % len(classes), classes)


def test_images_of_any_size_and_number_of_channels(rng):
    data = mine(rng)
    assert data.images.shape == (20, 3, 4, 5) and data.labels.dtype == np.int64 and data.images.flags.c_contiguous
    assert repr(data) == "mine train: 20 images of 4x5 pixels with 3 channels in 2 classes"
    assert mine(rng, (6, 4, 5)).images.shape == (6, 1, 4, 5)
    assert data.sha256 != mine(rng).sha256 and len(data.sha256) == 64


def test_a_part_of_every_class_is_for_testing(rng):
    data = mine(rng, (50, 1, 2, 2), ("a", "b", "c"))
    data.images[:, 0, 0, 0] = np.arange(50)
    train, test = data.split(0.2, seed=5)
    assert (train.train, test.train, train.classes) == (True, False, data.classes)
    assert sorted([*train.images[:, 0, 0, 0], *test.images[:, 0, 0, 0]]) == list(range(50))
    assert np.bincount(test.labels).tolist() == [3, 3, 3]
    assert (train.labels == train.images[:, 0, 0, 0] % 3).all()
    again, other = data.split(0.2, seed=5)[1], data.split(0.2, seed=6)[1]
    assert np.array_equal(again.images, test.images) and not np.array_equal(other.images, test.images)
    assert [np.bincount(part.labels).min() for part in data.split(0.0)] == [15, 1]
    assert [np.bincount(part.labels).min() for part in data.split(1.0)] == [1, 15]


def test_what_is_refused(rng):
    x, y = np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 1, 0, 1])
    for images, labels, error, text in [
        (x.astype(float), y, TypeError, r"Dataset: images are float64 \(4, 1, 2, 2\), expected uint8"),
        (x[0, 0], y, TypeError, r"Dataset: images are uint8 \(2, 2\)"),
        (x, y[:3], TypeError, r"Dataset: labels are int64 \(3,\), expected integers \(4,\), one an image"),
        (x, y * 1.0, TypeError, r"Dataset: labels are float64"),
        (x, y * 2, ValueError, "Dataset: labels are from 0 to 2, expected 0 to 1, one for each of 2 classes"),
        (x, -y, ValueError, "Dataset: labels are from -1 to 0"),
    ]:
        with pytest.raises(error, match=text):
            Dataset("mine", True, images, labels, ("cat", "dog"))
    with pytest.raises(ValueError, match="split: class 'dog' has 1 images, expected at least 2, one for each part"):
        Dataset("mine", True, x[:3], np.array([0, 0, 1]), ("cat", "dog")).split()
