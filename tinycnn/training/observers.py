"""observers: what can look on while a net trains.  The loop tells them what happened and knows nothing about them."""

import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from tinycnn.training.run import Epoch, Point, Run


class Observer:
    """Looks on while a net trains: progress, curves, files.  Subclasses define the methods they care about.

        class Confetti(Observer):
            def on_epoch_end(self, run, result):
                if result.test_acc > 0.9:
                    print("hooray")

    Every method gets the Run as it stands.  An error that an observer raises ends the run, unless it is one of those
    that only show how things are going (not `essential`): those warn once, and are told nothing more.
    """

    essential = True

    def on_start(self, run: Run) -> None:
        """Before the first batch; a run that goes on from a checkpoint has a history already."""

    def on_point(self, run: Run, point: Point) -> None:
        """Five times an epoch, before on_batch; `point` is the last of run.history."""

    def on_batch(self, run: Run) -> None:
        """After each batch, or after all up to the next point where the graph strategy runs them at once.

        On a GPU run.loss_sum may still be on its way; run.interrupted tells of Ctrl-C.
        """

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        """After the evaluation; run.epoch has moved on, `result` is the last of run.history."""

    def on_end(self, run: Run) -> None:
        """At the end, whatever ended it; run.result is None if not one epoch was complete when an error came."""


class Observers(Observer):
    """Several observers as one: each in turn, and at the end all that began, whatever the others do."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self.observers = list(observers)
        self.begun: list[Observer] = []

    def on_start(self, run: Run) -> None:
        for observer in self.observers:
            self.begun.append(observer)  # on_end puts away what a start that failed has left
            self._tell(observer, observer.on_start, run)

    def on_point(self, run: Run, point: Point) -> None:
        for observer in list(self.begun):
            self._tell(observer, observer.on_point, run, point)

    def on_batch(self, run: Run) -> None:
        for observer in list(self.begun):
            self._tell(observer, observer.on_batch, run)

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        for observer in list(self.begun):
            self._tell(observer, observer.on_epoch_end, run, result)

    def on_end(self, run: Run) -> None:
        errors: list[BaseException] = []
        for observer in list(self.begun):
            try:
                self._tell(observer, observer.on_end, run)
            except BaseException as error:
                errors.append(error)
        for other in errors[1:]:
            warn(f"at the end of training: {other!r}")
        if errors:
            raise errors[0]

    def _tell(self, observer: Observer, method: Callable[..., None], *what: Any) -> None:
        try:
            method(*what)
        except Exception as error:
            if observer.essential:
                raise
            self.begun.remove(observer)
            if method != observer.on_end:
                with suppress(Exception):
                    observer.on_end(what[0])  # what it holds open
            warn(f"{type(observer).__name__} steps aside, training goes on: {error!r}")


def warn(text: str) -> None:
    """A warning that reaches people, but ends nothing where there is nobody to warn, or warnings are errors."""
    with suppress(Exception):
        warnings.warn(text, RuntimeWarning, stacklevel=3)
