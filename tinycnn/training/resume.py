"""resume: a run saved while it goes on, and taken up again as if it had never stopped.

A resumed run takes the batches that the other would have taken, in the same order, with the same random numbers, from
the same parameters, sums and history; on the same machine it ends with the same bits.
"""

from pathlib import Path
from typing import Any

from tinycnn.checkpoint import Checkpoint, CheckpointError, save
from tinycnn.data import Dataset
from tinycnn.files import check_writable
from tinycnn.nn import Module
from tinycnn.optim import Optimizer
from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Run


class Checkpoints(Observer):
    """Saves to `path` after each epoch, after every `every` batches if given, and when Ctrl-C ends the run.

    Where several batches are run at once, it saves after those that complete another `every`.  `about` is kept in the
    file; `schedule` is the one that `train` got.
    """

    def __init__(
        self,
        path: str | Path,
        model: Module,
        optimizer: Optimizer,
        schedule: Any = None,
        every: int | None = None,
        about: dict[str, Any] | None = None,
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"Checkpoints: every is {every}, expected 1 batch or more")
        self.path, self.model, self.optimizer, self.schedule = Path(path), model, optimizer, schedule
        self.every, self.about = every, about or {}
        self.complete = 0  # how many times `every` batches have been run, as of the last batch

    def on_start(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        check_writable(self.path)  # now, and not after the first epoch
        self.complete = self._complete(run)

    def on_batch(self, run: Run) -> None:
        before, self.complete = self.complete, self._complete(run)
        if run.interrupted or self.complete > before:
            self._save(run)

    def _complete(self, run: Run) -> int:
        return (run.epoch * run.num_batches + run.batch) // self.every if self.every else 0

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        self._save(run)

    def _save(self, run: Run) -> None:
        save(self.path, self.model, self.optimizer, self.schedule, {**self.about, "run": run.state_dict()})


def continued(checkpoint: Checkpoint, model: Module, optimizer: Optimizer, schedule: Any = None) -> Run:
    """Put everything back to where the checkpoint was saved, and the Run that stood there, for `train` to go on with.

    CheckpointError where the file holds no run, or not of this model.
    """
    try:
        run = Run.from_state_dict(checkpoint.about["run"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{checkpoint.path}: entry 'run' is not a training run's ({error!r})") from error
    checkpoint.restore(model, optimizer, schedule)
    return run


def describe(data: Dataset) -> dict[str, str]:
    """What tells a data set from all others: its name, and the SHA-256 of its content."""
    return {"name": data.name, "sha256": data.sha256}


def check_dataset(checkpoint: Checkpoint, data: Dataset) -> None:
    """CheckpointError unless the run was on this data."""
    saved, own = checkpoint.about.get("dataset"), describe(data)
    if saved != own:
        name = saved.get("name") if isinstance(saved, dict) else saved
        raise CheckpointError(
            f"{checkpoint.path}: entry 'dataset' is {name}, this is {data.name}"
            + (" with other images" if name == data.name else "")
        )
