import numpy as np
import pytest

from tinycnn import d2l, tensor
from tinycnn.d2l.images import resized
from tinycnn.data import Dataset


def test_batches_are_as_the_book_has_them(few_images):
    train_iter, test_iter = d2l.load_data_fashion_mnist(64)
    X, y = next(iter(train_iter))
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((64, 1, 28, 28), np.float32, (64,), np.int64)
    assert 0 <= X.numpy().min() and X.numpy().max() <= 1 and len(train_iter) == 5
    first, again = (next(iter(train_iter))[1].tolist() for _ in range(2))
    assert first != again and next(iter(test_iter))[1].tolist() == few_images[1].labels[:64].tolist()
    assert d2l.get_dataloader_workers() == train_iter.num_workers == 4


@pytest.mark.parametrize("size", [64, 28, 7, (10, 45)])
def test_resized_is_pillows_bilinear(size, few_images):
    image = pytest.importorskip("PIL.Image")
    images = few_images[0].images[:8]
    height, width = (size, size) if isinstance(size, int) else size
    ours = resized(few_images[0], size).images
    assert ours.shape == (300, 1, height, width) and ours.dtype == np.uint8
    for mine, original in zip(ours, images, strict=False):
        theirs = np.asarray(image.fromarray(original[0]).resize((width, height), image.Resampling.BILINEAR))
        assert np.abs(mine[0].astype(int) - theirs).max() <= 1


def test_resize_of_more_than_a_thousand_images_and_of_nothing(rng):
    data = Dataset("x", True, rng.integers(0, 256, (1003, 28, 28), np.uint8), np.zeros(1003, np.uint8), ("a",))
    assert np.array_equal(resized(data, 28).images, data.images)
    with pytest.raises(ValueError, match="resize: got 0, expected at least 1 pixel"):
        resized(data, 0)


def test_load_resizes():
    X, _ = next(iter(d2l.load_data_fashion_mnist(batch_size=32, resize=64)[0]))
    assert X.shape == (32, 1, 64, 64)


def test_labels():
    assert d2l.get_fashion_mnist_labels(tensor([9, 0])) == ["ankle boot", "t-shirt"]
    assert d2l.get_fashion_mnist_labels([8]) == ["bag"]
