"""Dataset: images, labels and the names of the classes, all in memory."""

import functools

import numpy as np
import numpy.typing as npt

from tinycnn.data.idx import idx_sha256

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DIGIT_CLASSES = tuple("0123456789")


class Dataset:
    """N labelled grey images of 28x28 pixels.

    images   uint8 (N, 1, 28, 28), C-contiguous; 0 is black, 255 white
    labels   int64 (N,); each is an index into classes
    classes  the class names
    name     "Fashion-MNIST", "MNIST" or "Silhouettes"
    train    True for the training images, False for the test images
    """

    def __init__(
        self,
        name: str,
        train: bool,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        classes: tuple[str, ...],
    ) -> None:
        self.name = name
        self.train = train
        self.images = images.reshape(-1, 1, 28, 28)
        self.labels = labels.astype(np.int64)
        self.classes = classes

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        split = "train" if self.train else "test"
        return f"{self.name} {split}: {len(self):,} images of 28x28 pixels in {len(self.classes)} classes"

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the two IDX files with these images and labels, unpacked, the images first.

        For files on disk the same digest comes from
        zcat train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz | sha256sum
        """
        return idx_sha256(self.images[:, 0], self.labels.astype(np.uint8))
