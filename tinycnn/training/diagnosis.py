"""diagnosis: one training step in slow motion, to find where its numbers stop being finite.

Read in this order: first_not_finite, Place.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module
from tinycnn.execution import Step
from tinycnn.execution.step import as_input
from tinycnn.nn import Module
from tinycnn.optim import Optimizer


@dataclass(frozen=True)
class Place:
    """Where numbers first were not finite, in words, and whether training can be blamed for it."""

    what: str  # 'the output of layer 3 (Tanh()): 512 of 25,600 numbers'
    cause: str = ""  # where it is plain; else "", and growing weights are the likely one


def first_not_finite(step: Step, x: Array, y: Array) -> Place | None:
    """Take one step on the whole batch with a plain tape, looking at every array; None where all are finite.

    The order is that of the computation: input, parameters, outputs from first to last, loss, gradients from last to
    first, updated parameters.
    """
    model, optimizer = step.model, step.optimizer
    outputs: list[tuple[str, Tensor]] = []

    def see(name: str, layer: Module, x: Tensor, y: Tensor) -> None:
        outputs.append((f"layer {name} ({layer!r})" if name else repr(layer), y))

    with np.errstate(all="ignore"), model.watching(see):
        images = as_input(x, optimizer.params[0])
        model.train()
        optimizer.zero_grad()
        for place in _before(images, model):
            return place
        loss = step.loss(model(images), y)
        for place in _forward(outputs, loss):
            return place
        for _, out in outputs:
            if out.grad_fn is not None:
                out.retain_grad()
        loss.backward()
        for place in _backward(outputs, model):
            return place
        optimizer.step()
        return _updated(model, optimizer)


def not_finite(*arrays: Array) -> int:
    """How many numbers in some arrays are infinite or NaN; waits for a GPU once."""
    finite = sum(array_module(x).isfinite(x).sum() for x in arrays)
    return sum(int(x.size) for x in arrays) - int(finite)


def largest(tensors: Iterable[Tensor]) -> float:
    """The greatest absolute value in several tensors."""
    return max(float(abs(t.data).max()) for t in tensors)


def _before(images: Tensor, model: Module) -> Iterator[Place]:
    if not_finite(images.data):
        yield Place(_counted("the images", images), "the data itself; check where the images come from")
    for name, p in model.named_parameters():
        if not_finite(p.data):
            yield Place(_counted(f"the parameter {name!r}", p), "the parameters were so before this step began")


def _forward(outputs: list[tuple[str, Tensor]], loss: Tensor) -> Iterator[Place]:
    for name, out in outputs:
        if not_finite(out.data):
            yield Place(_counted(f"the output of {name}", out))
    if not_finite(loss.data):
        logits = largest([outputs[-1][1]]) if outputs else 0.0
        yield Place(f"the loss itself, from logits of up to {logits:.3g}")


def _backward(outputs: list[tuple[str, Tensor]], model: Module) -> Iterator[Place]:
    for name, out in reversed(outputs):
        if out.grad is not None and not_finite(out.grad.data):
            yield Place(_counted(f"the gradient of the output of {name}", out.grad))
    for name, p in reversed(list(model.named_parameters())):
        if p.grad is not None and not_finite(p.grad.data):
            yield Place(_counted(f"the gradient of the parameter {name!r}", p.grad))


def _updated(model: Module, optimizer: Optimizer) -> Place | None:
    for name, p in model.named_parameters():
        if bad := not_finite(p.data):
            gradient = 0.0 if p.grad is None else largest([p.grad])
            what = f"the parameter {name!r} after its update: {bad:,} of {p.numel():,} numbers"
            return Place(f"{what} (learning rate {optimizer.lr:g} times a gradient of up to {gradient:.3g})")
    return None


def _counted(what: str, t: Tensor) -> str:
    return f"{what}: {not_finite(t.data):,} of {t.numel():,} numbers"
