"""Batches: the images of an epoch in a new order each time, and scale: bytes to numbers in [0, 1]."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tinycnn.autograd.arguments import NUMERIC
from tinycnn.backend import as_array, batch_first, batch_last, type_name
from tinycnn.data.augment import Augment


class Batches:
    """Cuts (images, labels) into batches; each `for` loop over it is one epoch in an order of its own.

        batches = Batches(train.images, train.labels, batch_size=256)
        for epoch in range(10):
            for images, labels in batches:  # uint8 (256, 1, 28, 28), int64 (256,); the last batch is smaller
                ...

    images is an array (N, C, H, W) and labels (N,), or both of any shape (N, ...), NumPy's, CuPy's or of a library
    whose arrays turn into NumPy's; the batches stay where they are.  The order of an epoch depends on seed and the
    epoch's number alone and is drawn on the CPU, so it is the same on every device, and a run can go on in the middle
    of an epoch: see from_batch.  drop_last leaves out a last batch that is not full, and augment changes the images, in
    each epoch in another way (augment.py).  Raises TypeError for what is no array of numbers, ValueError for images and
    labels of different number, batch_size below 1, or a negative seed.
    """

    def __init__(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.int64],
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        augment: Augment | None = None,
    ) -> None:
        images, labels = _array("images", images), _array("labels", labels)
        if len(images) != len(labels):
            raise ValueError(f"Batches: {len(images)} images but {len(labels)} labels, expected one label an image")
        if batch_size < 1 or seed < 0:
            raise ValueError(f"Batches: batch_size is {batch_size} (expected 1 or more), seed {seed} (0 or more)")
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.augment = augment
        self.epoch = 0  # the epoch that the next `for` loop runs, counted from 0; may be set
        self.first_epoch = 0  # which epoch `from_batch` and `order` call 0; see since

    def __len__(self) -> int:
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        self.epoch += 1
        return self.from_batch(self.epoch - 1, 0)

    def from_batch(self, epoch: int, first: int) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
        """The batches of an epoch from batch `first` on: how a run resumes.  Leaves self.epoch alone."""
        numbers = self.order(epoch)
        order = np.asarray(numbers, like=self.images)  # to the images' device, once an epoch
        for batch in range(first, len(self)):
            place = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            images = self.images.take(order[place], axis=0)
            if self.augment is not None:
                images = self.augment(images, self.first_epoch + epoch, numbers[place], len(self.images))
            yield images, self.labels.take(order[place], axis=0)

    def since(self, epoch: int) -> "Batches":
        """The same batches, whose epoch 0 has the order of this one's `epoch`: for a run that is not the first."""
        later = copy.copy(self)
        later.first_epoch = self.first_epoch + epoch
        return later

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """The indices of the images in the order in which the epoch takes them, (N,), on the CPU."""
        if not self.shuffle:
            return np.arange(len(self.images))
        return np.random.default_rng([self.seed, self.first_epoch + epoch]).permutation(len(self.images))


def _array(name: str, values: Any) -> npt.NDArray[Any]:
    """What was given as an array with at least one axis; TypeError or ValueError says what else it is."""
    try:
        array: Any = np.asarray(values) if isinstance(values, (list, tuple)) else values
        array = array if isinstance(array, np.ndarray) else as_array(array)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Batches: {name} are a {type_name(values)}, expected an array with one row an example"
        ) from error
    if array.ndim == 0 or array.dtype.kind not in NUMERIC:
        raise TypeError(f"Batches: {name} are {array.dtype} {array.shape}, expected numbers (N, ...), a row an example")
    found: npt.NDArray[Any] = array
    return found


def scale(images: npt.NDArray[np.uint8], dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.floating]:
    """images / 255: uint8 (N, C, H, W) to numbers in [0, 1] of the same shape, on the same device.

    In memory N comes last, the order in which every operation of tinycnn reads its input.  The images are
    turned while they are bytes, which moves a quarter of the memory, and divided rather than multiplied by
    1/255, which gives the numbers of torchvision's ToTensor to the last bit.  Raises ValueError for another
    shape or type.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(f"scale: images are {images.dtype} {images.shape}, expected uint8 (N, C, H, W)")
    scaled = batch_last(images).copy().astype(dtype)  # (C, H, W, N)
    scaled /= 255
    return batch_first(scaled)  # (N, C, H, W)
