"""tape: a part of a batch by the tape, whatever the model is: forward, loss, backward, as anybody would write it."""

from collections.abc import Sequence
from typing import Any

from tinycnn.autograd.tape import Leaf, run_backward
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module
from tinycnn.execution.engines.engine import MOST, counted
from tinycnn.execution.separable import meets
from tinycnn.execution.step import Loss, as_input, count_correct, evaluate_whole
from tinycnn.nn import Module


class TapeEngine:
    """Keeps nothing between parts, so that one serves all threads."""

    name = "tape"

    def __init__(self, model: Module, loss: Loss, params: Sequence[Tensor]) -> None:
        self.model, self.loss, self.params = model, loss, params
        self.place = {id(p): i for i, p in enumerate(params)}
        self.meets = meets(model)

    def begin(self, edition: int) -> None:
        """Nothing is kept, so nothing can be out of date."""

    def fitting(self, x: Array) -> int:
        """It does not know the arrays that a model makes."""
        return MOST

    def train(self, x: Array, y: Array, share: float, gradients: Sequence[Array], note: Any) -> None:
        def deposit(leaf: Leaf, gradient: Array) -> None:
            if (i := self.place.get(id(leaf))) is not None:
                gradients[i][...] += gradient
                note["reached"][i] = True

        for gradient in gradients:
            gradient[...] = 0
        logits = self.model(as_input(x, self.params[0]))
        loss = self.loss(logits, y)
        note["loss"] = float(counted(loss.data, share))  # waits for a GPU
        note["correct"] = int(count_correct(logits, y))
        if loss.grad_fn is not None and share:
            run_backward(loss.grad_fn, array_module(loss.data).full_like(loss.data, share), deposit)
        elif logits.grad_fn is not None and self.meets:  # all labels are ignored, but in the batch's mean it has a part
            run_backward(logits.grad_fn, array_module(loss.data).zeros_like(logits.data), deposit)

    def evaluate(self, x: Array, y: Array, share: float, note: Any) -> None:
        summed, correct = evaluate_whole(self.model, self.loss, self.params[0], x, y)
        note["loss"], note["correct"] = float(counted(summed / len(y), share)), int(correct)
