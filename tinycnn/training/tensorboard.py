"""tensorboard: the same measurements for people who watch their runs in TensorBoard."""

import importlib.util
from pathlib import Path
from typing import Any

from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Point, Run

TO_INSTALL = 'pip install "tinycnn[tensorboard]" (or tensorboardX)'


class TensorBoard(Observer):
    """Writes an event file into `folder`, by tensorboardX: `tensorboard --logdir folder` shows it.

    Scalars loss/train, accuracy/train, loss/test, accuracy/test, learning_rate and examples_per_sec; the step is the
    number of batches since the run began.  RuntimeError where tensorboardX is not installed.
    """

    essential = False

    def __init__(self, folder: str | Path) -> None:
        if importlib.util.find_spec("tensorboardX") is None:
            raise RuntimeError(f"TensorBoard: tensorboardX is not installed; {TO_INSTALL}")
        self.folder = Path(folder)
        self.writer: Any = None

    def on_start(self, run: Run) -> None:
        from tensorboardX import SummaryWriter

        done = run.epoch * run.num_batches + run.batch
        self.writer = SummaryWriter(str(self.folder), purge_step=done + 1 if done else None)  # redone after a resume

    def on_point(self, run: Run, point: Point) -> None:
        scalars = {"loss/train": point.train_loss, "accuracy/train": point.train_acc, "learning_rate": point.lr}
        self._write(run, point, {**scalars, "examples_per_sec": run.examples_per_sec})

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        self._write(run, result, {"loss/test": result.test_loss, "accuracy/test": result.test_acc})
        self.writer.flush()

    def on_end(self, run: Run) -> None:
        if self.writer is not None:
            self.writer.close()

    def _write(self, run: Run, record: Point | Epoch, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, round(record.x * run.num_batches))
