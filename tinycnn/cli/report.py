"""report: what a training program says and leaves behind, besides the loop's own result.

Read in this order: Report, clear_errors.
"""

import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import tinycnn
from tinycnn.checkpoint import Checkpoint
from tinycnn.cli.options import Options
from tinycnn.data import SHORT_NAMES, Dataset
from tinycnn.execution import Step
from tinycnn.files import write_atomically
from tinycnn.training import curves
from tinycnn.training.curves import Curves
from tinycnn.training.metrics import MetricsFile
from tinycnn.training.observers import Observer
from tinycnn.training.progress import Progress
from tinycnn.training.resume import Checkpoints, check_dataset, continued, describe
from tinycnn.training.run import Run
from tinycnn.training.tensorboard import TensorBoard
from tinycnn.training.trouble import StuckHint

STARTED = time.perf_counter()  # when the program did, near enough
USUAL = "Fashion-MNIST"  # results on anything else carry its name


class Report:
    """A training program's observers and files, and its last words.

        report = Report(options, train_set, step, checkpoint)
        run = train(step, ..., observers=report.observers, run=report.run)
        report.print_result()

    The observers draw curves, write metrics.jsonl and show progress, and do what the options ask for.  `run` is a new
    one, or the one to go on with, and then model and optimiser are put back to where it was.
    """

    def __init__(
        self,
        options: Options,
        data: Dataset,
        step: Step,
        checkpoint: Checkpoint | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.options, self.data, self.step, self.say = options, data, step, say
        self.device = step.optimizer.params[0].device
        self.label = "" if data.name == USUAL else data.name
        self.folder = options.out or Path("runs", f"lenet-{SHORT_NAMES.get(data.name, data.name)}")
        self.files: list[Path] = []
        self.run = Run()
        if checkpoint is not None:
            check_dataset(checkpoint, data)
            self.run = continued(checkpoint, step.model, step.optimizer)
        self.observers: list[Observer] = []
        if step.leads:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.observers += self._observers()

    def _observers(self) -> Iterator[Observer]:
        options = self.options  # what is kept comes before what is shown
        if options.save is not None:
            self.files.append(options.save)
            about = {"dataset": describe(self.data), "options": options.as_dict()}
            model, optimizer = self.step.model, self.step.optimizer
            yield Checkpoints(options.save, model, optimizer, every=options.save_every, about=about)
        yield MetricsFile(self._file("metrics.jsonl"), self.about())
        yield Progress(self.label)
        yield StuckHint(len(self.data.classes), self.step.model, self.say)
        if curves.can_draw():
            yield Curves(self._file("curves.png"), f"LeNet on {self.data.name}")
        else:
            self.say(f"no curves will be drawn: matplotlib is not installed; {curves.TO_INSTALL}")
        if options.tensorboard is not None:
            self.files.append(options.tensorboard)
            yield TensorBoard(options.tensorboard)

    def add(self, observer: Observer, path: Path) -> None:
        """Let one more observer look on, which writes the file `path`."""
        if not self.step.leads:
            return
        self.observers.append(observer)
        self.files.append(path)

    def _file(self, name: str) -> Path:
        self.files.append(self.folder / name)
        return self.files[-1]

    def about(self) -> dict[str, Any]:
        """What is trained on what, in words that do not depend on the machine."""
        names = ("limit", "batch_size", "lr", "momentum", "seed")
        chosen = {name: getattr(self.options, name) for name in names}
        return {"engine": tinycnn.__version__, "dataset": self.data.name, "model": self.options.model, **chosen}

    def lines(self) -> list[str]:
        """The chapter's two lines of result; none where no epoch has begun."""
        if (result := self.run.result) is None:
            return []
        prefix = f"{self.label}: " if self.label else ""
        return [
            f"{prefix}loss {result.train_loss:.3f}, train acc {result.train_acc:.3f}, test acc {result.test_acc:.3f}",
            f"{prefix}{self.run.examples_per_sec:.1f} examples/sec on {self.device}",
        ]

    def print_result(self) -> int:
        """Say the result, the whole time, and the files; write result.json; of several ranks the first does.  Returns
        the program's exit status: 143 where SIGTERM ended the run, so that whoever sent it knows, else 0."""
        if self.step.leads:
            seconds = time.perf_counter() - STARTED
            path = self._file("result.json")
            write_atomically(path, (json.dumps(self._result(seconds), indent=2) + "\n").encode())
            for line in [*self.lines(), f"{seconds:.1f} s in all", *(f"wrote {path}" for path in self.files)]:
                self.say(line)
        return 128 + signal.SIGTERM if self.run.stopped_by == "SIGTERM" else 0

    def _result(self, seconds: float) -> dict[str, Any]:
        """The content of result.json: the result, what it took, and on what machine."""
        run, found = self.run, {}
        if run.result is not None:
            names = ("epoch", "train_loss", "train_acc", "test_loss", "test_acc")
            found = {name: getattr(run.result, name) for name in names}
        return {
            "dataset": self.data.name,
            **found,
            "interrupted": run.interrupted,
            "examples_per_sec": run.examples_per_sec,
            "step_seconds": run.clock.seconds,
            "wall_seconds": seconds,
            "device": self.device,
            "execution": self.step.description,
            "options": self.options.as_dict(),
            "machine": machine(),
        }


def machine() -> dict[str, Any]:
    """The computer, and the versions that run on it."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "tinycnn": tinycnn.__version__,
    }


def processor() -> str:
    """The processor's name; Linux keeps it in a file."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@contextmanager
def clear_errors() -> Iterator[None]:
    """Within this block, errors that are meant for people end the program with their message, without a traceback."""
    try:
        yield
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except MemoryError as error:  # CuPy's OutOfMemoryError is one
        gpu = type(error).__module__.startswith("cupy")
        other = "; nvidia-smi shows whether another program holds the GPU's" if gpu else ""
        sys.exit(
            f"error: memory ran out ({error}): take smaller batches or fewer images (--batch-size, --limit){other}"
        )
    except (ValueError, RuntimeError) as error:  # among them CheckpointError, DatasetError, DeviceError, NonFiniteLoss
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells have it
