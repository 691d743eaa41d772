"""cifar: CIFAR-10 from its binary files, 60,000 colour pictures of 32x32 pixels in ten classes.

A file is 10,000 records of 3,073 bytes: the label, then 1,024 bytes each of red, green and blue, row by row.  (The
edition for Python is pickled; to unpickle a file is to run it, so that one is not read.)

Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
"""

import os
from pathlib import Path

import numpy as np

from tinycnn.data.dataset import Dataset

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {True: tuple(f"data_batch_{i}.bin" for i in range(1, 6)), False: ("test_batch.bin",)}
RECORD = 1 + 3 * 32 * 32  # bytes


def read_cifar10(folder: str | os.PathLike[str], train: bool = True) -> Dataset:
    """The training or test images in a folder of the unpacked binary edition: uint8 (N, 3, 32, 32).

    The folder is that of the files, or the one above it.  ValueError names a file that is missing, is not made of whole
    records, or has a label above 9.
    """
    root = Path(folder).expanduser()
    inner = root / "cifar-10-batches-bin"
    root = inner if inner.is_dir() else root
    parts = []
    for name in FILES[bool(train)]:
        path = root / name
        if not path.is_file():
            raise ValueError(
                f"read_cifar10: {path} is not there; expected the unpacked binary edition, cifar-10-binary.tar.gz of "
                "https://www.cs.toronto.edu/~kriz/cifar.html"
            )
        records = np.fromfile(path, np.uint8)
        if records.size == 0 or records.size % RECORD:
            raise ValueError(f"read_cifar10: {path} has {records.size:,} bytes, expected a multiple of {RECORD:,}")
        parts.append(records.reshape(-1, RECORD))
        if (label := int(parts[-1][:, 0].max())) >= len(CLASSES):
            raise ValueError(f"read_cifar10: {path} has the label {label}, expected 0 to {len(CLASSES) - 1}")
    records = np.concatenate(parts)
    return Dataset("CIFAR-10", train, records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0], CLASSES)
