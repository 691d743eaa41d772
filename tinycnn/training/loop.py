"""loop: training and evaluation, as in the LeNet chapter of Dive into Deep Learning.

    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=0.9)) as step:
        run = train(step, batches, test_batches, epochs=10)
    print(run.result.test_acc)

Read in this order: train, train_epoch, evaluate.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import type_name
from tinycnn.data import Batches
from tinycnn.execution import Step, make_step
from tinycnn.execution.step import OTHER_TASKS
from tinycnn.nn import CrossEntropyLoss, Module
from tinycnn.optim import SGD
from tinycnn.training.interrupt import Stop, stop_when_asked
from tinycnn.training.observers import Observer, Observers, warn
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

    `run` goes on where another left off, in the middle of an epoch if need be.  The order of the batches follows from
    the epoch's number; a new run goes on with the orders where the last one on the same batches ended.  Ctrl-C and
    SIGTERM end after the current batch (on a GPU's graph, after those up to the next measurement): the run is then
    marked `interrupted`, and its result is that of the epoch so far.

    Raises NonFiniteLoss where the loss is no longer a number, ValueError for epochs below 1 or nothing to train or test
    on, TypeError for another task than telling classes apart.
    """
    check(step, batches, test_batches)
    if epochs < 1 or not len(batches) or not len(test_batches):
        raise ValueError(
            f"train: got {epochs} epochs, {len(batches)} training and {len(test_batches)} test batches; "
            "expected at least one of each"
        )
    run = Run(first_epoch=batches.epoch) if run is None else run
    if run.num_batches not in (0, len(batches)):
        raise ValueError(
            f"train: the run goes on from epochs of {run.num_batches} batches, now there are {len(batches)}; expected "
            "the same images and the same batch size"
        )
    run.epochs, run.num_batches, run.rate_per_batch = epochs, len(batches), bool(getattr(schedule, "per_batch", False))
    run.heed(None)
    ordered = batches.since(run.first_epoch)
    tell = Observers([Watch(step, ordered), *observers])
    with stop_when_asked() as stop, ending(tell, run):
        tell.on_start(run)
        while run.epoch < epochs and not run.interrupted:
            train_epoch(step, ordered, run, tell, stop, schedule if run.rate_per_batch else None)
            batches.epoch = run.first_epoch + run.epoch + 1  # whoever trains on them next gets an order of their own
            lr, test = step.optimizer.lr, evaluate(step, test_batches)
            if run.interrupted:
                run.result = run.measured(lr, *test)
                break
            result = run.end_epoch(lr, *test)
            if schedule is not None and not run.rate_per_batch:
                schedule.step()
            tell.on_epoch_end(run, result)
            run.heed(step.agreed(stop.by))
    return run


@contextmanager
def ending(tell: Observer, run: Run) -> Iterator[None]:
    """After this block the observers hear of the end; an error there never hides the one that ended the run."""
    try:
        yield
    except BaseException:
        try:
            tell.on_end(run)
        except BaseException as error:
            warn(f"at the end of training: {error!r}")
        raise
    tell.on_end(run)


def check(step: Step, *several: Batches) -> None:
    """TypeError where what is to be trained or evaluated is of a kind that this loop does not know."""
    for batches in several:
        if not hasattr(batches, "from_batch"):
            raise TypeError(
                f"train: batches are a {type_name(batches)}, expected tinycnn.data.Batches; make them of arrays with "
                "Batches(images, labels, batch_size)"
            )
        if batches.labels.dtype.kind not in "iub":
            raise TypeError(
                f"train: labels are {batches.labels.dtype} {batches.labels.shape}, expected integers, the numbers of "
                f"classes; {OTHER_TASKS}"
            )
    if missing := [name for name in ("params", "lr", "zero_grad", "step") if not hasattr(step.optimizer, name)]:
        raise TypeError(f"train: the optimizer, a {type_name(step.optimizer)}, has no {' and no '.join(missing)}")


def train_epoch(
    step: Step, batches: Batches, run: Run, tell: Observer, stop: Stop, schedule: Schedule | None = None
) -> None:
    """The batches of epoch `run.epoch` from `run.batch` on, or as many as come before somebody asks to stop.

    `schedule` changes the learning rate after every batch.
    """
    device = step.optimizer.params[0].device
    for done in step.sweep(batches, run):  # forward, backward, update: of one batch, as a rule
        run.count(done.loss_sum, done.correct, done.examples, done.batches, done.counted)
        point = run.add_point(step.optimizer.lr) if run.at_point else None  # reads the sums: here a GPU is waited for
        run.clock.stop(settled=device == "cpu" or point is not None)
        run.heed(step.agreed(stop.by))
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
        params: list[Tensor] = [*trained.parameters()] or [Tensor(np.zeros(0, np.float32))]
        alike = {(p.device, p.dtype) for p in params} == {("cpu", params[0].dtype)}
        how = ("auto", 1) if alike else ("plain",)  # on the GPU, compiling kernels would take longer
        with make_step(trained, CrossEntropyLoss(), SGD(params, lr=0.0), *how) as step:
            return evaluate(step, batches)
    check(trained, batches)
    if not len(batches):
        raise ValueError("evaluate: there are no batches to evaluate on")
    run = Run()
    for done in trained.evaluate_all(batches):
        run.count(done.loss_sum, done.correct, done.examples, done.batches, done.counted)
    return run.means()
