"""step: the strategy "graph" as a training loop sees it: fused kernels in a CUDA graph, made anew when batches grow."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinycnn.backend import Array, array_module, device_of, to_device
from tinycnn.data import Batches
from tinycnn.execution.graph.plan import Plan, check_classes
from tinycnn.execution.graph.replay import Feed, Replay
from tinycnn.execution.reading import check_model
from tinycnn.execution.separable import Snapshot
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.step import Course, Loss, Result, Step, Swept, check_batch
from tinycnn.functional import cross_entropy
from tinycnn.nn import CrossEntropyLoss, Linear, Module
from tinycnn.optim import SGD, Optimizer

EVALUATION_BATCH = 256  # where nothing has been trained yet that could tell


class GraphStep(Step):
    """Training by fused kernels in a CUDA graph.  UnsupportedModel, naming the layer, for what has no kernel.

    It takes any Sequential of Conv2d (without groups), Sigmoid, ReLU, Tanh, AvgPool2d, MaxPool2d, Flatten and Linear,
    in float32 on the GPU; CrossEntropyLoss (the mean, label smoothing too); SGD without dampening.  Kernels are
    compiled for the first batch's size; smaller batches run through them too, for a larger one they are made anew.

    Beside what every Step does, it runs many steps on data that lives on the GPU, without the host in between:

        losses, corrects = step.run(images, labels, order, batch_size=256, first_batch=0, count=47)

    Parameters and momentum are the model's and the optimiser's own arrays, changed in place.  lr, momentum and
    weight_decay are read from the optimiser at every call.  A label that names no class, one to be ignored as well,
    gives a loss of NaN.
    """

    strategy = "graph"

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        super().__init__(model, loss, optimizer)
        self.description = "graph: fused kernels in a CUDA graph, to be compiled at the first batch"
        self._replay: Replay | None = None
        self._check()
        if any(device_of(p.data) != "gpu" for p in optimizer.params):
            raise UnsupportedModel('graph: the model is on the CPU; move it with model.to("gpu")')

    def _check(self) -> None:
        """UnsupportedModel for what has no kernel; remembers what the kernels will be made for."""
        check_model(self.model)
        if linears := [layer for layer in self.model.modules() if isinstance(layer, Linear)]:
            check_classes(linears[-1].out_features)  # what a net without any ends in is known with the first image
        self.sgd = _checked(self.optimizer, self.model)
        self._smoothing = _label_smoothing(self.loss)
        self._known = Snapshot(self.model, self.loss)

    def __call__(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        replay = self._ready(x, len(x))
        losses, corrects = self._one(replay, "train", x, y)
        return losses[0], corrects[0]

    def run(
        self,
        images: Array,
        labels: Array,
        order: Array | None = None,
        batch_size: int = 256,
        first_batch: int = 0,
        count: int | None = None,
    ) -> tuple[Array, Array]:
        """Train on `count` batches of an epoch from number `first_batch` on; on all that follow, where count is None.

        images uint8 (M, C, H, W) and labels int64 (M,) are on the GPU.  order (L,), integers, says which image comes
        when (None: as they lie): batch k is order[k*batch_size : (k + 1)*batch_size], and the last may be short.  A
        NumPy order is checked and copied to the GPU; do that once an epoch.  Returns (losses, corrects), float32 and
        int32 (count,) on the GPU: each batch's summed loss and right answers.  Nothing here waits for the GPU.
        ValueError for arrays that do not fit and batches that do not exist.
        """
        length = len(images) if order is None else len(order)
        batches = -(-length // batch_size) if batch_size >= 1 else 0
        count = batches - first_batch if count is None else count
        if count < 1 or not 0 <= first_batch <= batches - count:
            raise ValueError(
                f"run: {count} batches of {batch_size} from number {first_batch} on, but there are {batches} "
                f"({length} images); expected at least one, and all of them within the epoch"
            )
        replay, order = self._ready(images, batch_size), _indices(order, len(images))
        images, labels = _bytes(images, labels)
        return replay.run("train", Feed(images, labels, order, length, batch_size, first_batch), count, self.sgd)

    def evaluate(self, x: Array, y: Array) -> Result:
        """As calling, without a step.  x may hold any number of images: they go through in batches."""
        check_batch(x, y)
        replay = self._ready(x, None)
        size = replay.plan.images
        if x.dtype == np.uint8:
            batches = Feed(*_bytes(x, y), None, len(x), size)
            losses, corrects = replay.run("evaluate", batches, -(-len(x) // size), self.sgd)
            return losses.sum(), corrects.sum()
        cuts = range(0, len(x), size)
        parts = [self._one(replay, "evaluate", x[i : i + size], y[i : i + size]) for i in cuts]
        return sum(losses[0] for losses, _ in parts), sum(corrects[0] for _, corrects in parts)

    def sweep(self, batches: Batches, course: Course) -> Iterator[Swept]:
        """Images that lie on the GPU are run up to the next measurement, in which time the GPU waits for nobody."""
        if not _resident(batches):
            yield from super().sweep(batches, course)
            return
        size, first = batches.batch_size, course.batch
        order = to_device(batches.order(course.epoch)[: len(batches) * size], "gpu")  # without what is left out
        while first < len(batches):
            last = course.next_stop(first)
            course.clock.start()
            losses, corrects = self.run(batches.images, batches.labels, order, size, first, last - first)
            yield Swept(last - first, min(last * size, len(order)) - first * size, losses.sum(), corrects.sum())
            first = last

    def evaluate_all(self, batches: Batches) -> Iterator[Swept]:
        """Images that lie on the GPU go through in one run."""
        if not _resident(batches) or batches.drop_last:
            yield from super().evaluate_all(batches)
            return
        yield Swept(len(batches), len(batches.labels), *self.evaluate(batches.images, batches.labels))

    def predict(self, x: Array) -> Array:
        """The logits (N, classes) of any number of images, as an array on the GPU."""
        replay = self._ready(x, None)
        xp, size, classes = replay.xp, replay.plan.images, replay.plan.classes
        logits: Array = xp.empty((len(x), classes), np.float32)
        for i in range(0, len(x), size):
            part = x[i : i + size]
            self._one(replay, "evaluate", part, xp.zeros(len(part), np.int64))
            logits[i : i + size] = replay.arrays[replay.plan.logits].reshape(classes, size)[:, : len(part)].T
        return logits

    def launch_times(self, images: Array, labels: Array, batch_size: int, copies: int = 50) -> list[tuple[str, float]]:
        """(kernel, microseconds) of each launch of a training step, `copies` of it in a row; nothing is learnt."""
        replay = self._ready(images, batch_size)
        return replay.launch_times(Feed(*_bytes(images, labels), None, len(images), batch_size), copies)

    def close(self) -> None:
        """Give the graphs and their arrays back; the parameters stay as they are."""
        self._replay = None

    def _one(self, replay: Replay, way: str, x: Array, y: Array) -> Any:
        """The history of one batch that fits into the graphs at hand."""
        if x.dtype == np.uint8:
            return replay.run(way, Feed(*_bytes(x, y), None, len(x), len(x)), 1, self.sgd)
        return replay.run_floats(way, to_device(x, "gpu"), to_device(y, "gpu"), self.sgd)

    def _ready(self, x: Array, images: int | None) -> Replay:
        """Graphs for batches of up to `images` (None: any size will do) like x: those at hand, or new ones."""
        if x.dtype not in (np.uint8, np.float32):
            raise ValueError(f"graph: got a batch {x.dtype} {x.shape}, expected uint8 or float32")
        old, optimizer = self._replay, self.sgd
        size = images or (old.plan.images if old else EVALUATION_BATCH)
        fits = old is not None and old.shape == x.shape[1:] and size <= old.plan.images
        if old and fits and old.serves(optimizer) and not any(self._known.changes()):
            return old
        self._replay = old = None  # frees the memory of the old before the new takes its own
        self._check()
        plan = Plan(self.model, x.shape[1:], size, self._smoothing, optimizer.momentum != 0, optimizer.nesterov)
        self._replay = Replay(plan, x.shape[1:], optimizer)
        self.description = f"graph: {len(plan.train)} fused kernels in a CUDA graph, compiled for batches of {size}"
        return self._replay


def _resident(batches: Batches) -> bool:
    """Whether kernels can gather the batches by themselves: images that lie on the GPU, as bytes, and as they are."""
    return device_of(batches.images) == "gpu" and batches.images.dtype == "uint8" and batches.augment is None


def _bytes(images: Array, labels: Array) -> tuple[Array, Array]:
    """Images and labels on the GPU as the kernels take them.  ValueError where they do not belong together."""
    if images.dtype != np.uint8 or labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"graph: images {images.dtype} {images.shape} and labels {labels.dtype} {labels.shape}; expected uint8 "
            "(M, C, H, W) and an integer for each image"
        )
    images, labels = to_device(images, "gpu"), to_device(labels, "gpu")
    xp = array_module(images)
    return xp.ascontiguousarray(images), xp.ascontiguousarray(labels, dtype=np.int64)


def _indices(order: Array | None, images: int) -> Array | None:
    """The order as int64 on the GPU.  ValueError for a NumPy array that points outside the images."""
    if order is None:
        return None
    if order.ndim != 1 or order.dtype.kind not in "iu":
        raise ValueError(f"run: order is {order.dtype} {order.shape}, expected integers (L,)")
    if device_of(order) == "cpu" and not 0 <= order.min() <= order.max() < images:
        raise ValueError(f"run: order goes from {order.min()} to {order.max()}, but there are {images} images")
    order = to_device(order, "gpu")
    indices: Array = array_module(order).ascontiguousarray(order, dtype=np.int64)
    return indices


def _label_smoothing(loss: Loss) -> float:
    """That of a loss which the head can compute; UnsupportedModel for any other."""
    if loss is cross_entropy:
        return 0.0
    if type(loss) is not CrossEntropyLoss:
        raise UnsupportedModel(f'graph: the loss {loss!r} has no kernel, only CrossEntropyLoss; use strategy="plain"')
    options = {
        "class weights": loss.weight is not None,
        f"reduction={loss.reduction!r}": loss.reduction != "mean",
        f"ignore_index={loss.ignore_index}, which may be a class,": loss.ignore_index >= 0,
    }
    if option := next((option for option, asked in options.items() if asked), ""):
        raise UnsupportedModel(f'graph: CrossEntropyLoss with {option} has no kernel; use strategy="plain"')
    return loss.label_smoothing


def _checked(optimizer: Optimizer, model: Module) -> SGD:
    """The optimiser; UnsupportedModel unless it is SGD, without dampening, over all the model's parameters."""
    if not isinstance(optimizer, SGD) or type(optimizer) is not SGD or optimizer.dampening != 0:
        what = "SGD with dampening" if type(optimizer) is SGD else type(optimizer).__name__
        raise UnsupportedModel(f'graph: {what} has no kernel, only SGD without dampening; use strategy="plain"')
    if len(optimizer.param_groups) > 1:
        raise UnsupportedModel('graph: SGD with several groups has no kernel, only one for all; use strategy="plain"')
    known = {id(p) for p in optimizer.params}
    for name, p in model.named_parameters():
        if id(p) not in known or not p.requires_grad:
            raise UnsupportedModel(f'graph: {name} is frozen, and the kernels train all; use strategy="plain"')
    return optimizer
