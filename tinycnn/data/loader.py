"""loader: torch's TensorDataset and DataLoader, as a thin view of Batches whose batches are tensors."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinycnn import random
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array
from tinycnn.data.batches import Batches, scale
from tinycnn.data.dataset import Dataset


class TensorDataset:
    """Examples (N, ...) and their labels (N, ...) as one: `dataset[i]` is the pair of tensors of example i.

    Takes Tensors and arrays.  ValueError where their lengths differ.
    """

    def __init__(self, x: Tensor | Array, y: Tensor | Array) -> None:
        self.images, self.labels = (t.data if isinstance(t, Tensor) else as_array(t) for t in (x, y))
        if len(self.images) != len(self.labels):
            raise ValueError(f"TensorDataset: {len(self.images)} examples but {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return Tensor(self.images)[index], Tensor(self.labels)[index]


class DataLoader:
    """Batches as tensors: `for X, y in loader` is one epoch; images of bytes (N, C, H, W) are scaled to [0, 1].

        loader = DataLoader(TensorDataset(x, y), batch_size=256, shuffle=True)
        loader = DataLoader(FashionMNIST(train=True), batch_size=256, shuffle=True)

    `batches` is what the engine trains on.  The order follows from the seed, manual_seed's unless given, and from the
    epoch's number.  num_workers and pin_memory are accepted and of no use: all is in memory, and none could be faster.
    """

    def __init__(
        self,
        dataset: TensorDataset | Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        num_workers: int = 0,
        drop_last: bool = False,
        seed: int | None = None,
        pin_memory: bool = False,
    ) -> None:
        if not hasattr(dataset, "images") or not hasattr(dataset, "labels"):
            raise TypeError(
                f"DataLoader: expected a TensorDataset or a Dataset like FashionMNIST, got {type(dataset).__name__}; "
                "write DataLoader(TensorDataset(x, y), ...)"
            )
        self.dataset, self.seed, self.num_workers = dataset, seed, num_workers
        self.epoch = 0  # of the next loop over this, which changes no order that a training run takes
        images: Any = dataset.images
        self._batches = Batches(images, dataset.labels, batch_size, shuffle, 0, drop_last)

    @property
    def batches(self) -> Batches:
        """The same batches as arrays, bytes unscaled, in the order of the seed as it is now."""
        self._batches.seed = random.get_state()[0] if self.seed is None else self.seed
        return self._batches

    @property
    def batch_size(self) -> int:
        """The examples of a full batch."""
        return self._batches.batch_size

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Tensor]]:
        self.epoch += 1
        for x, y in self.batches.from_batch(self.epoch - 1, 0):
            yield [Tensor(scale(x) if x.dtype == np.uint8 and x.ndim == 4 else x), Tensor(y)]
