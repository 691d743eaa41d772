"""images: Fashion-MNIST as the book loads it, in any size."""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.data import DataLoader, Dataset, TensorDataset, load

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def get_dataloader_workers() -> int:
    """4, as in the book; the number makes no difference here, see DataLoader."""
    return 4


def get_fashion_mnist_labels(labels: Iterable[Any]) -> list[str]:
    """The names of Fashion-MNIST's classes for their numbers, a tensor (N,) or a list."""
    return [CLASSES[int(label)] for label in labels]


def load_data_fashion_mnist(
    batch_size: int, resize: int | tuple[int, int] | None = None
) -> tuple[DataLoader, DataLoader]:
    """Training and test images as loaders of batches X (N, 1, H, W) float32 in [0, 1] and y (N,) int64.

    The training images come in another order each epoch.  `resize` makes them so many pixels high and wide, in memory:
    60,000 images of 96x96 take 0.6 GB.  Where Fashion-MNIST cannot be had, the stand-in that tinycnn draws takes its
    place, and the error stream says so.
    """
    train, test = load("auto", notice=lambda text: print(text, file=sys.stderr))
    sets = [data if resize is None else resized(data, resize) for data in (train, test)]
    workers = get_dataloader_workers()
    return (
        DataLoader(sets[0], batch_size, shuffle=True, num_workers=workers),
        DataLoader(sets[1], batch_size, shuffle=False, num_workers=workers),
    )


def resized(data: Dataset, size: int | tuple[int, int]) -> TensorDataset:
    """Images (N, C, H, W) of bytes in another height and width, by linear interpolation; labels as they are.

    As Pillow's BILINEAR: pixels are squares with their number in the middle, and where the image shrinks, a pixel is
    a mean over all that it covers.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"resize: got {size!r}, expected at least 1 pixel in each direction")
    N, C, H, W = data.images.shape
    down, across = _weights(H, height), _weights(W, width)
    out = np.empty((N, C, height, width), np.uint8)
    for first in range(0, N, 1000):  # a thousand at a time, for numbers take more room than bytes
        part = data.images[first : first + 1000].astype(np.float32)
        out[first : first + 1000] = np.rint(down @ np.rint(part @ across.T)).clip(0, 255)
    return TensorDataset(out, data.labels)


def _weights(before: int, after: int) -> Array:
    """(after, before): how much of each old pixel goes into each new one; every row sums to 1."""
    scale = before / after
    places = (np.arange(after)[:, None] + 0.5) * scale - 0.5 - np.arange(before)  # distances, in old pixels
    weights = np.maximum(0, 1 - np.abs(places) / max(scale, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
