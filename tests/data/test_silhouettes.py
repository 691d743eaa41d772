import numpy as np
import pytest

from tinycnn.data import Silhouettes, silhouettes
from tinycnn.data.dataset import FASHION_CLASSES


def test_dataset():
    train = Silhouettes(train=True, size=1200)
    assert train.images.shape == (1200, 1, 28, 28) and train.images.dtype == np.uint8
    assert train.images.flags.c_contiguous and train.labels.dtype == np.int64
    assert repr(train) == "Silhouettes train: 1,200 images of 28x28 pixels in 10 classes"
    assert train.classes == FASHION_CLASSES == tuple(silhouettes.GARMENTS)


def test_default_sizes(monkeypatch):
    blank = np.zeros((silhouettes.CHUNK, 28, 28), np.uint8), np.zeros(silhouettes.CHUNK, np.intp)
    monkeypatch.setattr(silhouettes, "_chunk", lambda rng: blank)
    assert len(Silhouettes(train=True)) == 60_000 and len(Silhouettes(train=False)) == 10_000


@pytest.mark.parametrize("size", [0, 1, 499, 500, 501])
def test_image_i_does_not_depend_on_size(size):
    part, whole = Silhouettes(True, size, seed=3), Silhouettes(True, 1001, seed=3)
    assert len(part) == size
    assert np.array_equal(part.images, whole.images[:size]) and np.array_equal(part.labels, whole.labels[:size])


def test_seed():
    assert Silhouettes(False, 600, seed=5).sha256 == Silhouettes(False, 600, seed=5).sha256
    assert Silhouettes(False, 600, seed=5).sha256 != Silhouettes(False, 600, seed=6).sha256


def test_no_two_images_are_equal_in_training_and_test_together():
    parts = [Silhouettes(train, 2000, seed) for train in (True, False) for seed in (0, 1)]
    assert len({image.tobytes() for part in parts for image in part.images}) == 8000


def test_classes_are_balanced_and_mixed():
    labels = Silhouettes(True, 3000).labels
    assert np.bincount(labels).tolist() == [300] * 10
    assert len(set(labels[:20])) > 5


def test_pictures_vary_and_use_the_whole_range():
    images = Silhouettes(True, 2000).images[:, 0] / 255
    assert images.min() == 0 and images.max() == 1
    assert 0.1 < images.mean() < 0.4
    assert images.mean(axis=(1, 2)).std() > 0.05
    assert (images[:, 3:-3, 3:-3].std(axis=0) > 0.1).all()  # no pixel is always the same


def test_learnable_but_not_by_a_linear_model():
    """Least squares on pixels gets most of them, and is far from all; a network has something to gain."""
    train, test = Silhouettes(True, 6000), Silhouettes(False, 1000)
    x, x_test = (np.c_[part.images.reshape(len(part), -1) / 255, np.ones(len(part))] for part in (train, test))
    weight = np.linalg.solve(x.T @ x + 30 * np.eye(785), x.T @ np.eye(10)[train.labels])
    accuracy = np.mean((x_test @ weight).argmax(axis=1) == test.labels)
    assert 0.6 < accuracy < 0.85


def test_errors():
    for size, seed in ((-1, 0), (1, -2)):
        with pytest.raises(ValueError, match=f"Silhouettes: size is {size} and seed is {seed}, expected 0 or more"):
            Silhouettes(True, size, seed)
