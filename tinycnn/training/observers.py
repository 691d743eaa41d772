"""observers: what can look on while a net trains.  The loop tells them what happened and knows nothing about them."""

from collections.abc import Iterable

from tinycnn.training.run import Epoch, Point, Run


class Observer:
    """Looks on while a net trains: progress, curves, files.  Subclasses define the methods they care about.

        class Confetti(Observer):
            def on_epoch_end(self, run, result):
                if result.test_acc > 0.9:
                    print("hooray")

    Every method gets the Run as it stands.  An error that an observer raises ends the run.
    """

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


class Told(Observer):
    """Several observers as one: each in turn, and at the end every one of them, whatever the others do."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self.observers = list(observers)

    def on_start(self, run: Run) -> None:
        for observer in self.observers:
            observer.on_start(run)

    def on_point(self, run: Run, point: Point) -> None:
        for observer in self.observers:
            observer.on_point(run, point)

    def on_batch(self, run: Run) -> None:
        for observer in self.observers:
            observer.on_batch(run)

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        for observer in self.observers:
            observer.on_epoch_end(run, result)

    def on_end(self, run: Run) -> None:
        error: BaseException | None = None
        for observer in self.observers:
            try:
                observer.on_end(run)
            except BaseException as raised:
                error = error or raised
        if error is not None:
            raise error
