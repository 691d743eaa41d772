"""The frameworks that tinycnn is measured beside, each behind the same small interface.

A peer is a module with `NAMES`, its variants, and `make(variant, net, batch, train, threads) -> (step, loss)`:
`step()` runs one training step, or one inference, on the next of a few batches that are already in memory in the
framework's own form, and does not return before the result is there; `loss()` is the last training loss.  One that
cannot train says `TRAINS = False`.

    net     "lenet", the chapter's, or "wide": 32 and 64 channels, ReLU, max pooling
    batch   images per step

Every peer trains in float32 by plain SGD on the same images in the same order, from its own random weights.
"""

import functools

import numpy as np

from tinycnn import data

CHANNELS = {"lenet": (6, 16), "wide": (32, 64)}
LEARNING_RATE = {"lenet": 0.9, "wide": 0.05}


@functools.cache
def images(batch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of Fashion-MNIST (Silhouettes where it is not to be had): uint8 (batch, 1, 28, 28), int64 (batch,)."""
    train, _ = data.load("auto", download=False, notice=lambda text: None)
    few = range(max(2, min(len(train) // batch, 8192 // batch)))
    order = np.random.default_rng(0).permutation(len(train))
    cuts = [order[i * batch : (i + 1) * batch] for i in few]
    return [(train.images[cut], train.labels[cut]) for cut in cuts]


def cycle(batches: list):
    """An endless round over the batches, as a function that gives the next."""
    place = iter(range(1 << 62))
    return lambda: batches[next(place) % len(batches)]
