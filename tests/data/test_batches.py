import numpy as np
import pytest

from tinycnn.data import Batches, scale


@pytest.fixture
def xp(device):
    """NumPy, and CuPy where there is a GPU."""
    return np if device == "cpu" else pytest.importorskip("cupy")


def host(array):
    return array if isinstance(array, np.ndarray) else array.get()


def numbered(xp, count):
    """Images and labels that say which they are."""
    labels = xp.arange(count)
    return xp.broadcast_to(labels.astype(np.uint8)[:, None, None, None], (count, 1, 2, 3)).copy(), labels


def labels_of(batches):
    return [host(labels).tolist() for _, labels in batches]


def test_batches(xp):
    images, labels = numbered(xp, 10)
    seen = []
    for batch, batch_labels in Batches(images, labels, batch_size=4):
        assert isinstance(batch, xp.ndarray) and isinstance(batch_labels, xp.ndarray)
        assert batch.dtype == np.uint8 and batch_labels.dtype == np.int64 and batch.shape[1:] == (1, 2, 3)
        assert (host(batch)[:, 0, 0, 0] == host(batch_labels)).all()  # a label stays with its image
        seen.append(host(batch_labels).tolist())
    assert [len(batch) for batch in seen] == [4, 4, 2]
    assert sorted(sum(seen, [])) == list(range(10)) and sum(seen, []) != list(range(10))


@pytest.mark.parametrize("drop_last, batches, last", [(False, 235, 96), (True, 234, 256)])
def test_sixty_thousand(drop_last, batches, last):
    images, labels = np.zeros((60_000, 1, 1, 1), np.uint8), np.arange(60_000)
    epoch = Batches(images, labels, 256, drop_last=drop_last)
    sizes = [len(batch) for _, batch in epoch]
    assert len(epoch) == len(sizes) == batches and sizes[-1] == last and set(sizes[:-1]) == {256}


@pytest.mark.parametrize("count, drop_last, expected", [(8, False, 2), (8, True, 2), (3, True, 0), (0, False, 0)])
def test_length(count, drop_last, expected):
    batches = Batches(*numbered(np, count), 4, drop_last=drop_last)
    assert len(batches) == len(labels_of(batches)) == expected


def test_every_epoch_has_an_order_of_its_own_given_by_seed_and_number(xp):
    first, second, other = (Batches(*numbered(xp, 50), 8, seed=seed) for seed in (1, 1, 2))
    epochs = [labels_of(first) for _ in range(3)]
    assert first.epoch == 3
    assert epochs[0] != epochs[1] != epochs[2] and labels_of(other) != epochs[0]
    second.epoch = 2
    assert labels_of(second) == epochs[2] and second.epoch == 3
    assert sum(epochs[1], []) == first.order(1).tolist()  # on the CPU, whatever the device


def test_breaking_off_does_not_change_the_next_epoch():
    whole, broken = (Batches(*numbered(np, 50), 8) for _ in range(2))
    for _ in broken:
        break
    labels_of(whole)
    assert labels_of(broken) == labels_of(whole)


def test_going_on_in_the_middle_of_an_epoch(xp):
    batches = Batches(*numbered(xp, 50), 8, seed=4)
    epochs = [labels_of(batches) for _ in range(2)]
    for epoch in (0, 1):
        for first in (0, 3, len(batches)):
            assert labels_of(batches.from_batch(epoch, first)) == epochs[epoch][first:]
    assert batches.epoch == 2


def test_without_shuffling():
    batches = Batches(*numbered(np, 5), 2, shuffle=False)
    assert labels_of(batches) == labels_of(batches) == [[0, 1], [2, 3], [4]]


def test_the_order_goes_to_the_device_once_an_epoch():
    class Elsewhere(np.ndarray):
        """Stands for CuPy's array: NumPy hands its functions over to the array's own."""

        asked = []

        def __array_function__(self, function, types, args, kwargs):
            self.asked.append(function.__name__)
            if function is np.asarray:  # called with like=, which NumPy 2.0 cannot hand back to itself
                return np.asarray(*args, **kwargs)
            return super().__array_function__(function, types, args, kwargs)

    images, labels = numbered(np, 50)
    labels_of(Batches(images.view(Elsewhere), labels, 8))
    assert Elsewhere.asked == ["asarray"]


def test_batches_errors():
    images, labels = numbered(np, 5)
    with pytest.raises(ValueError, match="Batches: 5 images but 4 labels, expected one label an image"):
        Batches(images, labels[:4], 2)
    for size, seed in ((0, 0), (1, -1)):
        with pytest.raises(
            ValueError, match=rf"batch_size is {size} \(expected 1 or more\), seed {seed} \(0 or more\)"
        ):
            Batches(images, labels, size, seed=seed)


# scale


def test_scale_is_exact_for_every_byte(xp):
    images = xp.arange(256).astype(np.uint8).reshape(2, 2, 8, 8)
    for dtype in (np.float32, np.float64):
        scaled = scale(images, dtype)
        assert isinstance(scaled, xp.ndarray) and scaled.dtype == dtype and scaled.shape == images.shape
        assert host(scaled).reshape(-1).tolist() == [float(dtype(byte) / dtype(255)) for byte in range(256)]
    assert scale(images).dtype == np.float32
    assert host(images).reshape(-1).tolist() == list(range(256))  # the images stay as they are


def test_scale_agrees_with_totensor():
    torch = pytest.importorskip("torch")
    images = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    assert np.array_equal(scale(images), torch.from_numpy(images).to(torch.float32).div(255).numpy())


@pytest.mark.parametrize("shape", [(5, 3, 2, 4), (1, 1, 28, 28), (0, 1, 2, 2)])
def test_scale_puts_the_batch_last_in_memory(xp, shape):
    images = xp.ones(shape, np.uint8)
    for view in (images, images[::-1]):
        scaled = scale(view)
        assert scaled.shape == shape and scaled.transpose(1, 2, 3, 0).flags.c_contiguous


def test_scale_errors(xp):
    for images in (xp.zeros((2, 1, 4, 4), np.float32), xp.zeros((2, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"scale: images are .*\(2, .*, expected uint8 \(N, C, H, W\)"):
            scale(images)


def test_labels_of_any_shape_go_through_whole():
    x, y = np.arange(3), np.array([[0, 1], [2, 3], [4, 5]])
    ((_, labels),) = Batches(x, y, 3, shuffle=False)
    assert labels.tolist() == y.tolist()
    for (images, labels), rows in zip(Batches(x, y, 2, seed=3), (2, 1), strict=True):
        assert labels.tolist() == y[images].tolist() and labels.shape == (rows, 2)


@pytest.mark.parametrize("library", ["list", "pandas", "torch"])
def test_labels_of_any_library(library):
    make = {"list": list, "pandas": "Series", "torch": "tensor"}[library]
    make = getattr(pytest.importorskip(library), make) if isinstance(make, str) else make
    ((_, labels),) = Batches(np.arange(3), make([4, 5, 6]), 3, shuffle=False)
    assert type(labels) is np.ndarray and labels.tolist() == [4, 5, 6]


@pytest.mark.parametrize("labels", [5, None, "abc", [None, 1, 2], [[1], [2, 3], [4]]], ids=str)
def test_error_for_labels_that_are_no_array(labels):
    with pytest.raises(TypeError, match="Batches: labels are "):
        Batches(np.arange(3), labels, 2)


def test_batches_since_an_epoch_have_the_orders_of_those_epochs():
    batches = Batches(np.arange(20), np.arange(20), 6, seed=2)
    later = batches.since(3)
    assert [y.tolist() for _, y in later.from_batch(2, 1)] == [y.tolist() for _, y in batches.from_batch(5, 1)]
    assert later.order(0).tolist() == batches.order(3).tolist() != batches.order(0).tolist()
