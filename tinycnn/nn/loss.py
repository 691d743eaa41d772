"""loss: what training makes small."""

from tinycnn import functional as F
from tinycnn.autograd.arguments import choice, integer, number
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array
from tinycnn.nn.module import Module


class CrossEntropyLoss(Module, per_example=True):
    """-log of the probability that softmax gives to the right class, from logits, as torch.nn.CrossEntropyLoss.

    Called with logits (N, C) or (N, C, d1, ...) and class numbers (N,) or (N, d1, ...); the result is one number
    (reduction "mean" or "sum") or one per example ("none").  `weight` (C,) weighs the classes.
    """

    def __init__(
        self,
        weight: Tensor | Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.reduction = choice("CrossEntropyLoss", "reduction", reduction, ("mean", "sum", "none"))
        self.ignore_index = integer("CrossEntropyLoss", "ignore_index", ignore_index)
        self.label_smoothing = number("CrossEntropyLoss", "label_smoothing", label_smoothing, 0, 1)
        self.weight = weight if weight is None or isinstance(weight, Tensor) else Tensor(as_array(weight))

    def forward(self, logits: Tensor, target: Tensor | Array) -> Tensor:
        return F.cross_entropy(logits, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)
