"""training: the book's training and evaluation, standing on the engine's loop.

Read in this order: train_ch6, Animated; evaluate_accuracy; train_ch3, ByHand; TrainCallback.
"""

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import tinycnn
from tinycnn import nn
from tinycnn.autograd.tape import Node, no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module, as_array, to_device
from tinycnn.d2l.counting import Timer, accuracy
from tinycnn.d2l.drawing import Animator, show_images
from tinycnn.d2l.images import get_fashion_mnist_labels
from tinycnn.data import Batches, DataLoader
from tinycnn.execution import Step, make_step
from tinycnn.execution.step import Result, as_input
from tinycnn.optim import SGD, Optimizer
from tinycnn.training import Epoch, Observer, Point, Run, evaluate, train
from tinycnn.training.interrupt import Stop
from tinycnn.training.loop import train_epoch

LEGEND = ("train loss", "train acc", "test acc")
PAUSE = 1.0  # seconds between two drawings while the engine trains: one takes about as long as 50 steps


def train_ch6(
    net: nn.Module, train_iter: Any, test_iter: Any, num_epochs: int, lr: float, device: str | None = None
) -> None:
    """Train a net on a device: Xavier-uniform weights, SGD, cross-entropy, curves that are drawn while it learns.

    Prints the device, and at the end loss, accuracies and examples per second.  The iterators are DataLoaders, such as
    load_data_fashion_mnist's, or lists of batches (X, y).  Ctrl-C ends it after the current batch.
    """
    device = tinycnn.device(device or "cpu")
    net.apply(_xavier)
    print("training on", device)
    net.to(device)
    optimizer = SGD(net.parameters(), lr=lr)
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=LEGEND)
    with make_step(net, nn.CrossEntropyLoss(), optimizer) as step:
        run = _train(step, train_iter, test_iter, num_epochs, animator, per_epoch=False)
    if run.result is not None:
        _print_result(run.result)
        print(f"{run.examples_per_sec:.1f} examples/sec on {device}")


def _xavier(layer: nn.Module) -> None:
    if type(layer) is nn.Linear or type(layer) is nn.Conv2d:
        nn.init.xavier_uniform_(layer.weight)


def _print_result(result: Epoch) -> None:
    print(f"loss {result.train_loss:.3f}, train acc {result.train_acc:.3f}, test acc {result.test_acc:.3f}")


class Animated(Observer):
    """Hands the loop's measurements to an Animator, five times an epoch or once, and draws at most once a second."""

    essential = False

    def __init__(self, animator: Animator, per_epoch: bool = False) -> None:
        self.animator, self.per_epoch, self.drawn_at = animator, per_epoch, -math.inf

    def on_point(self, run: Run, point: Point) -> None:
        if not self.per_epoch:
            self._take(point.x, (point.train_loss, point.train_acc, None))

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        known = (result.train_loss, result.train_acc) if self.per_epoch else (None, None)
        self._take(result.epoch, (*known, result.test_acc))

    def on_end(self, run: Run) -> None:
        self.animator.draw()

    def _take(self, x: float, y: tuple[float | None, ...]) -> None:
        self.animator.take(x, y)
        if self.animator.live and time.monotonic() - self.drawn_at >= PAUSE:
            self.animator.draw()
            self.drawn_at = time.monotonic()


def batches_of(data_iter: Any, device: str = "cpu") -> Batches:
    """What the loop takes of an iterator of the book's: Batches, on the device if they are a DataLoader's.

    A list of batches (X, y) becomes Batches in the same order.  TypeError for what may be gone through only once.
    """
    if isinstance(data_iter, Batches):
        return data_iter
    if isinstance(data_iter, DataLoader):
        found = copy.copy(data_iter.batches)
        images: Any = to_device(found.images, device)
        found.images, found.labels = images, to_device(found.labels, device)
        return found
    if not isinstance(data_iter, (list, tuple)) or not data_iter:
        raise TypeError(
            f"d2l: expected a DataLoader or a list of batches (X, y), got {type(data_iter).__name__}; what can be gone "
            "through only once becomes one by list(...)"
        )
    xs, ys = ([t.data if isinstance(t, Tensor) else as_array(t) for t in part] for part in zip(*data_iter, strict=True))
    sizes = [len(y) for y in ys]
    if any(n != sizes[0] for n in sizes[:-1]) or sizes[-1] > sizes[0]:
        raise ValueError(f"d2l: batches of {sizes} examples, expected one size for all, and no more in the last")
    xp = array_module(xs[0])
    return Batches(xp.concatenate(xs), xp.concatenate(ys), sizes[0], shuffle=False)


def _train(step: Step, train_iter: Any, test_iter: Any, num_epochs: int, animator: Animator, per_epoch: bool) -> Run:
    """The engine's loop, on the step's device; the next run on the same iterator has orders of its own."""
    device = step.optimizer.params[0].device
    batches = batches_of(train_iter, device)
    run = train(step, batches, batches_of(test_iter, device), num_epochs, [Animated(animator, per_epoch)])
    if isinstance(train_iter, DataLoader):
        train_iter.batches.epoch = batches.epoch
    return run


# Evaluation


def evaluate_accuracy(net: Any, data_iter: Any) -> float:
    """The share of right answers of a net, a Module or a function of X, over all batches; without a tape."""
    device = next(iter(net.parameters())).device if isinstance(net, nn.Module) else "cpu"
    step = ByHand(net, None, None, [Tensor(np.zeros(1, np.float32)).to(device)])
    return evaluate(step, batches_of(data_iter, device))[1]


def evaluate_accuracy_gpu(net: nn.Module, data_iter: Any, device: str | None = None) -> float:
    """As evaluate_accuracy; a `device` moves the net there first."""
    if device:
        net.to(tinycnn.device(device))
    return evaluate_accuracy(net, data_iter)


# Nets that are functions, losses and updaters of one's own


class ByHand(Step):
    """The step of the softmax chapter: the whole batch on one tape, then an Optimizer's step or updater(batch size).

    `net` is a Module or a function of a tensor X, `loss` a function of (y_hat, y) that gives one number or one per
    example.  An Optimizer follows the mean loss, an updater the sum, as in the book.
    """

    strategy, description = "by hand", "the whole batch on one tape, as it was written by hand"

    def __init__(self, net: Any, loss: Any, updater: Any, params: Iterable[Tensor]) -> None:
        model = net if isinstance(net, nn.Module) else Function(net)
        self.given, self.updater = loss, updater
        optimizer = updater if isinstance(updater, Optimizer) else Updater(params, updater)
        super().__init__(model, lambda y_hat, y: self._losses(y_hat, y).mean(), optimizer)

    def _losses(self, y_hat: Tensor, y: Array) -> Tensor:
        found: Tensor = self.given(y_hat, Tensor(y))
        return found

    def __call__(self, x: Array, y: Array) -> Result:
        self.model.train()
        y_hat = self.model(as_input(x, self.optimizer.params[0]))
        losses = self._losses(y_hat, y)
        if isinstance(self.updater, Optimizer):
            self.updater.zero_grad()
            losses.mean().backward()
            self.updater.step()
        else:
            losses.sum().backward()
            self.updater(len(y))
        return float(losses.mean()) * len(y), int(accuracy(y_hat, Tensor(y)))

    @no_grad()
    def evaluate(self, x: Array, y: Array) -> Result:
        with self.model.evaluating():
            y_hat = self.model(as_input(x, self.optimizer.params[0]))
            loss = 0.0 if self.given is None else float(self._losses(y_hat, y).mean())
        return loss * len(y), int(accuracy(y_hat, Tensor(y)))


class Function(nn.Module):
    """A function of a tensor as a Module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Updater(Optimizer):
    """A function updater(batch size) as an optimiser, whose learning rate nobody but it knows."""

    names = ()

    def __init__(self, params: Iterable[Tensor], updater: Any) -> None:
        super().__init__(params, {"lr": math.nan})
        self.updater = updater

    def checked(self, asker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {"lr": options["lr"]}

    def step(self) -> None:
        self.updater(1)  # of a mean, which is as good as the sum by the batch size


def leaves(result: Tensor) -> list[Tensor]:
    """The leaves, of any shape, whose gradients backward from `result` would add to."""
    found: list[Tensor] = []
    waiting: list[Any] = [result.grad_fn]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Node):
            waiting += node.sources
        else:
            found.append(node)
    return found


def _step(net: Any, loss: Any, updater: Any, train_iter: Any) -> Step:
    """The engine's fastest step where it knows all three, else by hand."""
    if isinstance(net, nn.Module) and isinstance(updater, Optimizer) and type(loss) is nn.CrossEntropyLoss:
        mean = nn.CrossEntropyLoss(loss.weight, loss.ignore_index, "mean", loss.label_smoothing)
        return make_step(net, mean, updater)
    if isinstance(updater, Optimizer):
        return ByHand(net, loss, updater, ())
    x, _ = next(batches_of(train_iter).from_batch(0, 0))
    params = leaves(net(as_input(x[:1], Tensor(np.zeros(1, np.float32)))))
    if not params:
        raise ValueError("train_ch3: the net's result depends on no tensor with requires_grad=True; nothing can learn")
    return ByHand(net, loss, updater, params)


def train_ch3(net: Any, train_iter: Any, test_iter: Any, loss: Any, num_epochs: int, updater: Any) -> None:
    """Train a net, a Module or a function, by an Optimizer or a function updater(batch size); draws curves.

    `loss` is a function of (y_hat, y) that gives one number or one per example.  A net that is a function, with an
    updater of one's own, works in main memory.
    """
    animator = Animator(xlabel="epoch", xlim=[1, num_epochs], ylim=[0.3, 0.9], legend=LEGEND)
    with _step(net, loss, updater, train_iter) as step:
        _train(step, train_iter, test_iter, num_epochs, animator, per_epoch=True)


def train_epoch_ch3(net: Any, train_iter: Any, loss: Any, updater: Any) -> tuple[float, float]:
    """One epoch of train_ch3: mean loss and the share of right answers while the net changed."""
    with _step(net, loss, updater, train_iter) as step:
        batches = batches_of(train_iter, step.optimizer.params[0].device)
        run = Run(num_batches=len(batches))
        train_epoch(step, batches.since(batches.epoch), run, Observer(), Stop())
    own = train_iter.batches if isinstance(train_iter, DataLoader) else batches
    own.epoch += 1
    return run.means()


def predict_ch3(net: Any, test_iter: Any, n: int = 6) -> None:
    """Show the first n test images, each under its class's name and the net's answer."""
    X, y = next(iter(test_iter))
    pairs = zip(get_fashion_mnist_labels(y), get_fashion_mnist_labels(net(X).argmax(dim=1)), strict=True)
    titles = [f"{true}\n{predicted}" for true, predicted in pairs]
    show_images(X[:n].reshape(n, *X.shape[-2:]), 1, n, titles=titles[:n])


class TrainCallback(Observer):
    """What the chapter's TensorFlow cell hands to fit: curves by the epoch, and the result when the last one ends."""

    essential = False

    def __init__(self, net: nn.Module, train_iter: Any, test_iter: Any, num_epochs: int, device_name: str) -> None:
        self.net, self.train_iter, self.test_iter = net, train_iter, test_iter
        self.num_epochs, self.device_name = num_epochs, device_name
        self.timer = Timer()
        self.animator = Animator(xlabel="epoch", xlim=[1, num_epochs], legend=LEGEND)

    def on_start(self, run: Run) -> None:
        self.timer.start()

    def on_epoch_end(self, run: Run, result: Epoch) -> None:
        self.timer.stop()
        self.animator.add(result.epoch, (result.train_loss, result.train_acc, result.test_acc))
        if result.epoch == self.num_epochs:
            _print_result(result)
            examples = self.train_iter.batch_size * len(self.train_iter)
            print(f"{examples / self.timer.avg():.1f} examples/sec on {self.device_name}")
        self.timer.start()
