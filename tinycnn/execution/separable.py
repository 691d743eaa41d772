"""separable: which models and losses may be computed part by part, and what would be wrong if a worker had a copy.

A batch may be cut where every example goes through the model by itself, and the loss is a mean or a sum over examples.
That cannot be seen from outside, so a layer's class declares it (nn/module.py).  A model with layers that look at the
whole batch may be cut too, if they declare that the parts meet there (together.py).

Workers in processes of their own, and graphs once captured, hold what forward read when they were made.  A Snapshot
tells whether any of it has changed since: a layer replaced, a parameter frozen, a dropout's p, a loss's weights.
"""

from collections.abc import Iterator
from operator import is_
from typing import Any

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.execution.step import Loss
from tinycnn.functional import cross_entropy
from tinycnn.nn import Buffer, CrossEntropyLoss, Flatten, Module, Parameter

SIMPLE = (int, float, str, type(None), np.generic)  # values that cannot change, only be replaced
SMALL = 4096  # bytes of an array whose numbers are looked at; a larger one would take too long at every step


def why_not_separable(model: Module, loss: Loss) -> str:
    """Empty where the batch may be cut; else what is in the way, in words: "Mine does not declare per_example"."""
    for module in model.modules():
        if not (apart(module) or _meets(module)):
            whole = module.declared.sees == "batch"
            return f"{type(module).__name__} {'looks at the whole batch' if whole else 'does not declare per_example'}"
    if loss is cross_entropy or (isinstance(loss, CrossEntropyLoss) and apart(loss)):
        return ""
    return f"{_called(loss)} is not a loss of the engine's"


def apart(module: Module) -> bool:
    """Whether the class that writes the module's forward declares that examples stay apart in it."""
    if "forward" in vars(module) or (isinstance(module, Flatten) and module.start_dim == 0):
        return False  # it was replaced; it merges the examples as well
    return module.declared.per_example or module.declared.sees not in (None, "batch")


def meets(model: Module) -> str:
    """The first kind of layer that looks at the whole batch, so that its parts must meet; empty where there is none."""
    return next((type(module).__name__ for module in model.modules() if _meets(module)), "")


def _meets(module: Module) -> bool:
    """Whether the class declares that its forward asks for the whole batch's sums where it sees a part (whole.py)."""
    return module.declared.meets and "forward" not in vars(module)


def _called(loss: Loss) -> str:
    return str(getattr(loss, "__qualname__", type(loss).__name__))


class Snapshot:
    """The attributes of a model's modules and of a loss at one moment, but for parameters' numbers and the mode."""

    def __init__(self, model: Module, loss: Loss) -> None:
        self.model, self.loss = model, loss
        self.kept = [(place, owner, dict(vars(owner))) for place, owner in _owners(model, loss)]
        self.params = list(model.parameters())  # others, or in another order, are seen as attributes
        self.frozen = [p.requires_grad for p in self.params]
        self.contents = [(place, value, _content(value)) for place, value in self._values() if not _fixed(value)]

    def changes(self) -> Iterator[str]:
        """What is not as it was, as "p of layer 3 (Dropout(p=0.5))"; nothing where all is."""
        for place, owner, kept in self.kept:
            now = vars(owner)
            if len(now) == len(kept) and all(map(is_, now.values(), kept.values())):
                continue  # as a rule; this is asked before every batch
            for name in now if len(now) == len(kept) else {**kept, **now}:
                if name != "training" and not _same(now.get(name, kept), kept.get(name, now)):
                    yield f"{name} of {place}"
        for place, value, content in self.contents:
            if content and _content(value) != content:
                yield f"what is in {place}"
        if [p.requires_grad for p in self.params] != self.frozen:
            yield "which parameters require a gradient"

    def unseen(self) -> Iterator[str]:
        """Attributes whose changes would not be noticed, as "history of layer 3 (Mine), a deque"."""
        for place, value, content in self.contents:
            if not content:
                yield f"{place}, a {type(value).__name__}"

    def _values(self) -> Iterator[tuple[str, Any]]:
        for place, owner, kept in self.kept:
            moving = isinstance(owner, Module) and _meets(owner)  # its statistics are moved by one part for all
            for name, value in kept.items():
                if not (moving and isinstance(value, Buffer)):
                    yield f"{name} of {place}", value


def _fixed(value: object) -> bool:
    """Whether a value can only be replaced, which is seen, or is a part of the model that is looked at by itself."""
    if isinstance(value, tuple):
        return all(map(_fixed, value))
    return isinstance(value, (Module, Parameter, *SIMPLE)) or callable(value)


def _content(value: object) -> str | bytes:
    """What is in a small array, or in a list or dict of simple values; empty where that cannot be told."""
    array = value.data if isinstance(value, Tensor) else value
    if isinstance(array, np.ndarray):
        return array.tobytes() + b"." if array.nbytes <= SMALL else b""
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [object()]
    return repr(value) if all(isinstance(v, (list, *SIMPLE)) for v in inside) else ""


def _owners(model: Module, loss: Loss) -> Iterator[tuple[str, object]]:
    for name, module in model.named_modules():
        yield f"layer {name} ({type(module).__name__})" if name else f"the {type(module).__name__}", module
    if hasattr(loss, "__dict__"):
        yield f"the loss {_called(loss)}", loss


def _same(a: object, b: object) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (tuple, *SIMPLE)) and bool(a == b))
