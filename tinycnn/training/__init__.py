"""training: the loop, and all that looks on while it runs.

    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=0.9)) as step:
        run = train(step, Batches(...), test_batches, epochs=10, observers=[Progress(), Curves("curves.png")])

Read in this order: loop; run and observers; progress, curves, metrics, tensorboard; trouble and diagnosis.
"""

from tinycnn.training.curves import Curves, draw_curves
from tinycnn.training.loop import evaluate, train
from tinycnn.training.metrics import MetricsFile, read_metrics
from tinycnn.training.observers import Observer
from tinycnn.training.progress import Progress
from tinycnn.training.run import Epoch, Point, Run
from tinycnn.training.tensorboard import TensorBoard
from tinycnn.training.trouble import NonFiniteLoss, StuckHint

__all__ = [
    "Curves",
    "Epoch",
    "MetricsFile",
    "NonFiniteLoss",
    "Observer",
    "Point",
    "Progress",
    "Run",
    "StuckHint",
    "TensorBoard",
    "draw_curves",
    "evaluate",
    "read_metrics",
    "train",
]
