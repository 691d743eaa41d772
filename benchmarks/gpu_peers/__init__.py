"""The frameworks that tinycnn is measured beside on a GPU, each behind the same small interface.

A peer is a module with `NAMES`, its variants, and `make(variant, net, batch, tf32)`, which gives an object with

    run(epochs)      train for so many epochs; need not wait for them
    seconds(epochs)  train for so many epochs and say how long the GPU took, by the device's own events
    loss()           the mean loss per image over the last call's epochs
    setup            seconds of importing, making the context, and compiling, by name
    kernels()        how many kernels the GPU runs per step; None where that cannot be told
    in_a_row()       how many of them wait for each other; None where that is not known

    net     "lenet", the chapter's, or "wide": 32 and 64 channels, ReLU, max pooling
    batch   images per step; an epoch has as many steps as there are full batches

Every peer trains in float32 by plain SGD, with TF32 as `tf32` says, from its own random weights.  Images and the
orders of the epochs lie on the GPU before anything is measured; a step gathers its batch of bytes by index and
scales it.  All peers see the same batches.
"""

import functools
import time

import numpy as np

from tinycnn import data

CHANNELS = {"lenet": (6, 16), "wide": (32, 64)}
LEARNING_RATE = {"lenet": 0.9, "wide": 0.05}


@functools.cache
def resident() -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST's training set (Silhouettes where it is not to be had): uint8 (M, 1, 28, 28), int64 (M,)."""
    train, _ = data.load("auto", download=False, notice=lambda text: None)
    return train.images, train.labels


@functools.cache
def orders(batch: int) -> list[np.ndarray]:
    """Eight epochs, after which they come again: the indices of their batches, int64 (steps, batch)."""
    images, labels = resident()
    shuffled = data.Batches(images, labels, batch, seed=0)
    full = len(labels) // batch * batch
    return [shuffled.order(epoch)[:full].reshape(-1, batch) for epoch in range(8)]


class Stopwatch:
    """Names stretches of time: `with watch("import"): ...` adds to `times`."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def __call__(self, name: str) -> "Stopwatch":
        self.name = name
        return self

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self.times[self.name] = self.times.get(self.name, 0.0) + time.perf_counter() - self.start


def count_kernels(peer) -> int | None:
    """Kernels per step of whatever runs in this process, by the driver's own records, which PyTorch can read."""
    try:
        import torch
        from torch.profiler import ProfilerActivity, profile
    except ImportError:
        return None
    with profile(activities=[ProfilerActivity.CUDA]) as records:
        peer.run(1)
        torch.cuda.synchronize()
    names = [e.name for e in records.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    return round(sum(not name.startswith(("Memcpy", "Memset")) for name in names) / len(orders(peer.batch)[0]))
