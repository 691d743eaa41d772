"""loop: training and evaluation, as in the LeNet chapter of Dive into Deep Learning.

    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=0.9)) as step:
        run = train(step, batches, test_batches, epochs=10)
    print(run.result.test_acc)

Read in this order: train, train_epoch, evaluate.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from tinycnn.data import Batches
from tinycnn.execution import Step, make_step
from tinycnn.nn import CrossEntropyLoss, Module
from tinycnn.optim import SGD
from tinycnn.training.interrupt import Stop, stop_on_ctrl_c
from tinycnn.training.observers import Observer, Told
from tinycnn.training.run import Run
from tinycnn.training.trouble import Watch


class Schedule(Protocol):
    """What changes the learning rate: optim.StepLR and its like; by the batch where `per_batch`, else by the epoch."""

    def step(self) -> Any: ...


def train(
    step: Step,
    batches: Batches,
    test_batches: Batches,
    epochs: int,
    observers: Iterable[Observer] = (),
    run: Run | None = None,
    schedule: Schedule | None = None,
) -> Run:
    """Train until `epochs` epochs are complete, and evaluate after each; returns the Run with its history and result.

    `run` goes on where another left off, in the middle of an epoch if need be; the order of the batches follows from
    the epoch's number.  Ctrl-C ends after the current batch: the run is then marked `interrupted`, its result is that
    of the epoch so far.  Raises NonFiniteLoss where the loss is no longer a number, ValueError for epochs below 1 or
    nothing to train or test on.
    """
    if epochs < 1 or not len(batches) or not len(test_batches):
        raise ValueError(
            f"train: got {epochs} epochs, {len(batches)} training and {len(test_batches)} test batches; "
            "expected at least one of each"
        )
    run = Run() if run is None else run
    if run.num_batches not in (0, len(batches)):
        raise ValueError(
            f"train: the run goes on from epochs of {run.num_batches} batches, now there are {len(batches)}; expected "
            "the same images and the same batch size"
        )
    run.epochs, run.num_batches, run.interrupted = epochs, len(batches), False
    run.rate_per_batch = bool(getattr(schedule, "per_batch", False))
    tell = Told([Watch(step, batches), *observers])
    with stop_on_ctrl_c() as stop:
        try:
            tell.on_start(run)
            while run.epoch < epochs and not run.interrupted:
                train_epoch(step, batches, run, tell, stop, schedule if run.rate_per_batch else None)
                lr, test = step.optimizer.lr, evaluate(step, test_batches)
                if run.interrupted:
                    run.result = run.measured(lr, *test)
                    break
                result = run.end_epoch(lr, *test)
                if schedule is not None and not run.rate_per_batch:
                    schedule.step()
                tell.on_epoch_end(run, result)
                run.interrupted = stop.requested
        finally:
            tell.on_end(run)
    return run


def train_epoch(
    step: Step, batches: Batches, run: Run, tell: Observer, stop: Stop, schedule: Schedule | None = None
) -> None:
    """The batches of epoch `run.epoch` from `run.batch` on, or as many as come before somebody asks to stop.

    `schedule` changes the learning rate after every batch.
    """
    device = step.optimizer.params[0].device
    for done in step.sweep(batches, run):  # forward, backward, update: of one batch, as a rule
        run.count(done.loss_sum, done.correct, done.examples, done.batches)
        point = run.add_point(step.optimizer.lr) if run.at_point else None  # reads the sums: here a GPU is waited for
        run.clock.stop(settled=device == "cpu" or point is not None)
        run.interrupted = stop.requested
        if schedule is not None:
            schedule.step()
        if point is not None:
            tell.on_point(run, point)
        tell.on_batch(run)
        if run.interrupted:
            break


def evaluate(trained: Step | Module, batches: Batches) -> tuple[float, float]:
    """Mean loss and accuracy over all batches, in evaluation mode, without a tape, on the parameters' device.

    `trained` is a step that is open, or a model, whose loss is then the cross-entropy.  ValueError without batches.
    """
    if not isinstance(trained, Step):
        optimizer = SGD(trained.parameters(), lr=0.0)
        with make_step(trained, CrossEntropyLoss(), optimizer, strategy="plain") as step:
            return evaluate(step, batches)
    if not len(batches):
        raise ValueError("evaluate: there are no batches to evaluate on")
    run = Run()
    for done in trained.evaluate_all(batches):
        run.count(done.loss_sum, done.correct, done.examples, done.batches)
    return run.means()
