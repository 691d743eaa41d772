"""engine: parts of a batch by stages, for one worker."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array
from tinycnn.execution.engines.engine import MOST, counted
from tinycnn.execution.engines.stages.head import Head
from tinycnn.execution.engines.stages.net import PartNet
from tinycnn.execution.reading import check_model, read_stages
from tinycnn.execution.separable import meets
from tinycnn.execution.stages import STAGES, UnsupportedModel, each
from tinycnn.execution.step import Loss
from tinycnn.functional import cross_entropy
from tinycnn.nn import CrossEntropyLoss, Module

CACHE = 8 << 20  # bytes of a part's largest map; measured on images of 28 to 256 pixels, of 6 to 128 filters
FEW = 8  # images; NumPy's inner loops run over so many at least
MOST_KINDS = 4  # of parts whose nets are kept; a run has two sizes for training, and perhaps others for evaluation


class StagesEngine:
    """Training and evaluation by stages; UnsupportedModel, naming the layer, for what they cannot compute.

    The buffers are made for each size and shape of parts when the first such part comes, and made anew for another
    edition of the model.
    """

    name = "stages"

    def __init__(self, model: Module, loss: Loss, params: Sequence[Tensor]) -> None:
        self.model, self.loss, self.params = model, loss, params
        self.nets: dict[Any, list[tuple[PartNet, Head]]] = {}  # that are idle, by the kind of part
        self.sizes: dict[tuple[int, ...], int] = {}
        self._look(edition=0)

    def _look(self, edition: int) -> None:
        """What the stages are made for, as it is now; UnsupportedModel where they cannot be."""
        check_stages(self.model, self.loss)
        self.nets.clear()
        self.sizes.clear()
        self.edition, self.meets = edition, meets(self.model)
        in_model = {id(p) for p in self.model.parameters()}
        self.wanted = [i for i, p in enumerate(self.params) if p.requires_grad and id(p) in in_model]

    def begin(self, edition: int) -> None:
        if edition != self.edition:
            self._look(edition)
        self.folded: set[int] = set()  # nets that have the weights of this batch, by id

    def fitting(self, x: Array) -> int:
        """By the largest map of one image: parts of LeNet's 19 KB are best of 64, of 1 MB of 8 and more."""
        if (fitting := self.sizes.get(x.shape[1:])) is None:
            stages = each(read_stages(self.model, x.shape[1:], STAGES))
            largest = max(math.prod(stage.sums) for stage in stages)
            images = CACHE // (largest * self.params[0].data.itemsize)
            fitting = min(MOST, max(FEW, images if images < 16 else round(images / 16) * 16))  # whole cache lines
            self.sizes[x.shape[1:]] = fitting
        return fitting

    def train(self, x: Array, y: Array, share: float, gradients: Sequence[Array], note: Any) -> None:
        with self._run(x, train=True) as (net, head):
            loss, note["correct"] = head.forward(y)
            note["loss"] = counted(loss, share)
            wanted = set(self.wanted) if share or self.meets else set()  # at a meeting every part has its say
            for i, gradient in enumerate(gradients):
                if i not in wanted:
                    gradient[...] = 0
            if wanted:
                note["reached"][self.wanted] = True
                mine = {id(self.params[i]): gradients[i] for i in self.wanted}
                net.backward(head.backward(share) if share else np.zeros_like(head.z), mine)

    def evaluate(self, x: Array, y: Array, share: float, note: Any) -> None:
        with self._run(x, train=False) as (_, head):
            loss, note["correct"] = head.forward(y)
            note["loss"] = counted(loss, share)

    @contextmanager
    def _run(self, x: Array, train: bool) -> Iterator[tuple[PartNet, Head]]:
        """A net for parts like x, run on it: one that is idle, or a new one, as for parts that wait at a meeting.

        Its weights are folded anew for each batch.
        """
        key = x.shape, x.dtype
        idle = self.nets.pop(key, [])
        self.nets[key] = idle  # the last kind that is used comes last
        if len(self.nets) > MOST_KINDS:
            self.nets.pop(next(iter(self.nets)))
        net, head = made = idle.pop() if idle else self._make(x)
        try:
            if id(net) not in self.folded:
                net.fold()
                self.folded.add(id(net))
            net.forward(x, train)
            yield made
        finally:
            idle.append(made)

    def _make(self, x: Array) -> tuple[PartNet, Head]:
        dtype = self.params[0].data.dtype
        if x.dtype not in (np.uint8, dtype):
            raise TypeError(f"step: images must be uint8 or the parameters' {dtype}, got {x.dtype} (x {x.shape})")
        net = PartNet(read_stages(self.model, x.shape[1:], STAGES), x.shape[1:], len(x), x.dtype, dtype)
        return net, Head(as_module(self.loss), net.out)


def as_module(loss: Loss) -> CrossEntropyLoss:
    """The engine's loss, also where it was given as a function."""
    return loss if isinstance(loss, CrossEntropyLoss) else CrossEntropyLoss()


def check_stages(model: Module, loss: Loss) -> None:
    """UnsupportedModel, naming the layer, for a model or a loss that stages cannot compute."""
    if not (loss is cross_entropy or isinstance(loss, CrossEntropyLoss)) or "forward" in vars(as_module(loss)):
        raise UnsupportedModel(f"stages: {loss!r} is not a loss of the engine's; {STAGES.way_out}")
    if type(as_module(loss)).forward is not CrossEntropyLoss.forward or as_module(loss).reduction == "none":
        raise UnsupportedModel(f"stages: {loss!r} is not the mean or sum of cross-entropies; {STAGES.way_out}")
    check_model(model, STAGES)
    if not any(True for _ in model.parameters()):
        raise UnsupportedModel(f"stages: the model has no parameters, so there is nothing to train; {STAGES.way_out}")
