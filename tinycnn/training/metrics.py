"""metrics: what a run measured, as files that other programs read.

metrics.jsonl holds one JSON object a line, written and flushed as soon as it is known:

    {"kind": "run", ...}                  the first line: what was trained on what, and how
    {"kind": "point", "epoch": 1, "batch": 47, "x": 0.2, "lr": 0.9, "train_loss": 2.3, "train_acc": 0.1}
    {"kind": "epoch", "epoch": 1, "x": 1.0, "lr": 0.9, "train_loss": 2.1, "train_acc": 0.2,
                                                                            "test_loss": 1.2, "test_acc": 0.5}

    epoch, batch            counted from 1; five points an epoch
    x                       place on an axis of epochs, as the curves are drawn
    lr                      the learning rate of the steps before
    train_loss, train_acc   mean cross-entropy (natural logarithm) and accuracy (0 to 1) over the epoch so far,
                            taken while the parameters changed
    test_loss, test_acc     the same of the test set, with the parameters as they are at the end of the epoch

Nothing in it depends on the clock: the same run writes the same bytes.  Times are in result.json.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

try:
    import fcntl
except ImportError:  # Windows lets nobody lock a file in this way
    fcntl = None  # type: ignore[assignment]  # then nothing is locked

from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Point, Run, as_row


class MetricsFile(Observer):
    """Writes every measurement to `path`, a new file; a run that goes on writes its history first.

    `about` is the first line's content.  RuntimeError at the start where another run is writing that file.
    """

    def __init__(self, path: str | Path, about: Mapping[str, Any]) -> None:
        self.path, self.about = Path(path), dict(about)
        self.file: TextIO | None = None

    def on_start(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = _alone(self.path)
        self._write({"kind": "run", **self.about})
        for record in run.history:
            self._write(as_row(record))
        self.essential = False  # a disk that is full is no reason to lose the training

    def on_point(self, run: Run, point: Point) -> None:
        self._write(as_row(point))

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        self._write(as_row(result))

    def on_end(self, run: Run) -> None:
        if self.file is not None:
            self.file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        if self.file is not None:
            self.file.write(json.dumps(row, allow_nan=False) + "\n")
            self.file.flush()


def _alone(path: Path) -> TextIO:
    """The file, emptied, and locked for as long as it is open; RuntimeError where another run has locked it."""
    file = path.open("a", encoding="utf-8", newline="\n")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise RuntimeError(
                f"{path}: another run is writing this file; give each run a folder of its own (--out DIR)"
            ) from error
    file.truncate(0)
    return file


def read_metrics(path: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The first line of a metrics file, and the others; ValueError names a line that is not a JSON object."""
    rows = []
    for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: expected a JSON object, got {line[:40].decode()}")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path}: the file is empty")
    return rows[0], rows[1:]
