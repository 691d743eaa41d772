"""Dataset: images, labels and the names of the classes, all in memory."""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinycnn.autograd.arguments import count, number
from tinycnn.data.idx import idx_sha256

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
DIGIT_CLASSES = tuple("0123456789")


class Dataset:
    """N labelled images.

        mine = Dataset("mine", True, images, labels, ("cat", "dog"))

    images   uint8 (N, C, H, W), C-contiguous; 0 is black, 255 white; of (N, H, W) the one channel gets its axis
    labels   int64 (N,); each is an index into classes
    classes  the class names
    name     "Fashion-MNIST", "CIFAR-10", or what you call yours
    train    True for the training images, False for the test images

    TypeError or ValueError where images are no such bytes, and where a label is missing or names no class.
    """

    def __init__(
        self,
        name: str,
        train: bool,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.integer],
        classes: Sequence[str],
    ) -> None:
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise TypeError(
                f"Dataset: images are {images.dtype} {images.shape}, expected uint8 (N, C, H, W) or (N, H, W)"
            )
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise TypeError(
                f"Dataset: labels are {labels.dtype} {labels.shape}, expected integers ({len(images)},), one an image"
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
            raise ValueError(
                f"Dataset: labels are from {labels.min()} to {labels.max()}, expected 0 to {len(classes) - 1}, one for "
                f"each of {len(classes)} classes"
            )
        self.name = name
        self.train = train
        self.images = np.ascontiguousarray(images if images.ndim == 4 else images[:, None])
        self.labels = labels.astype(np.int64)
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        split = "train" if self.train else "test"
        _, C, H, W = self.images.shape
        colour = "" if C == 1 else f" with {C} channels"
        return f"{self.name} {split}: {len(self):,} images of {H}x{W} pixels{colour} in {len(self.classes)} classes"

    def split(self, part: float = 0.2, seed: int = 0) -> tuple["Dataset", "Dataset"]:
        """Two Datasets: `part` of each class, drawn by chance and at least one image, is for testing; the rest trains.

        Every image is in one of them.  ValueError for a class of fewer than two images.
        """
        share, rng = number("split", "part", part, 0, 1), np.random.default_rng(count("split", "seed", seed, 0))
        testing = np.zeros(len(self), bool)
        for label, name in enumerate(self.classes):
            found = np.flatnonzero(self.labels == label)
            if len(found) < 2:
                raise ValueError(
                    f"split: class {name!r} has {len(found)} images, expected at least 2, one for each part"
                )
            testing[rng.permutation(found)[: min(max(1, round(share * len(found))), len(found) - 1)]] = True
        first, second = (
            Dataset(self.name, train, self.images[which], self.labels[which], self.classes)
            for train, which in ((True, ~testing), (False, testing))
        )
        return first, second

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the two IDX files with these images (one channel has no axis there) and labels, images first.

        For files on disk the same digest comes from
        zcat train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz | sha256sum
        """
        images = self.images[:, 0] if self.images.shape[1] == 1 else self.images
        return idx_sha256(images, self.labels.astype(np.uint8))
