"""progress: a bar per epoch on a terminal, a line per epoch everywhere else."""

import importlib.util
import os
import sys
from typing import Any, TextIO

from tinycnn.training.observers import Observer
from tinycnn.training.run import Epoch, Point, Run


class Progress(Observer):
    """How far training is, with loss, accuracy and examples per second (of this epoch), for people.

    `stream` is where it goes: by default a bar to the error stream where that is a terminal and tqdm is installed,
    otherwise lines to the output stream.  `bar` decides by hand.  `label` comes before everything, such as the name
    of a data set that is not the usual one.
    """

    essential = False

    def __init__(self, label: str = "", stream: TextIO | None = None, bar: bool | None = None) -> None:
        if bar is None:
            bar = _is_terminal(stream or sys.stderr) and importlib.util.find_spec("tqdm") is not None
        self.label, self.stream, self.wanted = label, stream, bar
        self.bar: Any = None
        self.since = 0, 0.0  # examples trained and seconds, when this epoch began

    def on_start(self, run: Run) -> None:
        self.since = run.trained, run.clock.seconds

    def on_batch(self, run: Run) -> None:
        if not self.wanted:
            return
        if self.bar is None:
            self.bar = self._new_bar(run)
        self.bar.update(run.batch - self.bar.n)

    def on_point(self, run: Run, point: Point) -> None:
        if self.bar is not None:
            self.bar.unit = self._found(run, point, short=True)  # shown at the next update

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        if self.bar is not None:
            self.bar.unit = self._found(run, result, short=True)
            self._close_bar()
        else:
            width = len(str(run.epochs))
            self._print(f"epoch {result.epoch:{width}}/{run.epochs}  {self._found(run, result)}")
        self.since = run.trained, run.clock.seconds

    def on_end(self, run: Run) -> None:
        self._close_bar()
        if run.interrupted:
            batch = f"batch {run.batch} of {run.num_batches} of epoch {run.epoch + 1}"
            self._print(f"stopped by {run.stopped_by} after {batch if run.batch else f'epoch {run.epoch}'}")

    def _found(self, run: Run, record: Point | Epoch, short: bool = False) -> str:
        trained, seconds = self.since
        rate = (run.trained - trained) / max(run.clock.seconds - seconds, 1e-9)
        text = f"loss {record.train_loss:.3f}, train acc {record.train_acc:.3f}"
        if isinstance(record, Epoch):
            text += f", test acc {record.test_acc:.3f}"
        text = text.replace("train acc", "acc").replace("test acc", "test") if short else text
        return f"{text}, {rate:.0f} examples/sec"

    def _print(self, text: str) -> None:
        stream = self.stream or (sys.stderr if self.wanted else sys.stdout)
        print(f"{self.label}: {text}" if self.label else text, file=stream, flush=True)

    def _new_bar(self, run: Run) -> Any:
        from tqdm import tqdm

        # without tqdm's thread that watches over bars: processes are forked while this one is open
        new_bar = type("Bar", (tqdm,), {"monitor_interval": 0})
        prefix = f"{self.label}: " if self.label else ""
        stream = self.stream or sys.stderr
        known = _columns(stream) > 0  # some terminals, such as a container's, do not say how large they are
        return new_bar(
            desc=f"{prefix}epoch {run.epoch + 1}/{run.epochs}",
            total=run.num_batches,
            file=stream,
            dynamic_ncols=known,
            ncols=None if known else 80,
            nrows=None if known else 24,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {unit}",  # tqdm's own place for texts begins with a comma
            unit="",
        )

    def _close_bar(self) -> None:
        if self.bar is not None:
            self.bar.refresh()
            self.bar.close()
            self.bar = None


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether people sit at the other end; a program without a console has no streams, and others put in their own."""
    return stream is not None and bool(getattr(stream, "isatty", lambda: False)())


def _columns(stream: TextIO) -> int:
    """The width of a terminal, 0 where it is not known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, AttributeError):  # a file, a pipe, or no file at all
        return 0
