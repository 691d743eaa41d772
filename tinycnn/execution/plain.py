"""plain: the training step of the textbook.  One tape, the whole batch, on CPU or GPU: the reference for the others."""

from tinycnn.backend import Array
from tinycnn.execution.step import Loss, Result, Step, as_input, check_batch, count_correct, evaluate_whole, number
from tinycnn.nn import Module
from tinycnn.optim import Optimizer


class PlainStep(Step):
    """Forward, backward and update, one after the other, in the calling thread."""

    strategy = "plain"

    def __init__(self, model: Module, loss: Loss, optimizer: Optimizer) -> None:
        super().__init__(model, loss, optimizer)
        self.description = "plain: the whole batch on one tape"

    def __call__(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        self.model.train()
        self.optimizer.zero_grad()
        logits = self.model(as_input(x, self.optimizer.params[0]))
        loss = self.loss(logits, y)
        loss.backward()
        self.optimizer.step()
        return number(loss.data * len(y)), number(count_correct(logits, y))

    def evaluate(self, x: Array, y: Array) -> Result:
        check_batch(x, y)
        with self.model.evaluating():
            return evaluate_whole(self.model, self.loss, self.optimizer.params[0], x, y)
