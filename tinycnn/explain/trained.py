"""trained: the LeNet of the lesson page: its weights, which come with the package, and the run that made them.

    python -c "from tinycnn.explain import trained; trained.make()"      trains it again, and writes the file anew

The file holds the weights in half precision, the kernels of the first convolution while they learned, and the run's
history; whatever else the page shows is worked out by the engine when the page is written.

Read in this order: load, make.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinycnn.backend import Array
from tinycnn.data import Batches, Silhouettes
from tinycnn.execution import make_step
from tinycnn.explain.snapshots import Snapshots
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.random import apart
from tinycnn.training import Progress, train
from tinycnn.training.run import as_row

FILE = Path(__file__).with_name("silhouettes.npz")
SEED, IMAGES, TEST_IMAGES, EPOCHS, BATCH = 0, 20_000, 1000, 6, 64
LR, MOMENTUM, WEIGHT_DECAY = 0.05, 0.9, 5e-4  # the decay keeps the kernels of one size, to look at


class Trained(NamedTuple):
    """A LeNet that has learnt Silhouettes, the same LeNet before it had, and the run in between."""

    model: LeNet
    untrained: LeNet
    history: list[dict[str, Any]]
    snapshots: list[tuple[float, Array]]


def beginning() -> LeNet:
    """The net as it is before training: always the same weights."""
    with apart(SEED):
        return LeNet(activation="relu")


def load(file: Path = FILE) -> Trained:
    """What the file holds, in float32.  RuntimeError where the package lies in a zip archive."""
    if not file.parent.is_dir():
        raise RuntimeError(
            f"explain: tinycnn lies in an archive, {file} cannot be read there; unpack it, or install it with pip"
        )
    with np.load(file, allow_pickle=False) as saved:
        weights = {name: saved[name].astype(np.float32) for name in saved.files if name[0].isdigit()}
        kernels, steps = saved["kernels"].astype(np.float32), saved["steps"]
        history = json.loads(str(saved["history"]))
    untrained, model = beginning(), beginning()
    model.load_state_dict(weights)
    return Trained(model, untrained, history, list(zip(steps.tolist(), kernels, strict=True)))


def make(file: Path = FILE, images: int = IMAGES, epochs: int = EPOCHS) -> None:
    """Train the net and write the file."""
    model = beginning()
    data, test = Silhouettes(train=True, size=images), Silhouettes(train=False, size=TEST_IMAGES)
    batches = Batches(data.images, data.labels, BATCH, seed=SEED)
    test_batches = Batches(test.images, test.labels, TEST_IMAGES, shuffle=False)
    snapshots = Snapshots(model)
    optimizer = SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    with make_step(model, CrossEntropyLoss(), optimizer, "plain") as step:
        run = train(step, batches, test_batches, epochs, [snapshots, Progress()])
    weights = {name: array.astype(np.float16) for name, array in model.state_dict().items()}
    steps, kernels = zip(*snapshots.taken, strict=True)
    history = json.dumps([as_row(record) for record in run.history])
    kept = {"history": history, "steps": np.array(steps), "kernels": np.array(kernels, np.float16)}
    arrays: dict[str, Any] = {**kept, **weights}
    np.savez_compressed(file, **arrays)
