"""layer: any other layer without parameters that keeps examples apart, by the tape, as a stage of its own."""

import numpy as np

from tinycnn.autograd.tape import Leaf, no_grad, run_backward
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, batch_first
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage


class Layer(PartStage):
    """Values (N, C, H, W), or rows (N, F), through the layer's own forward and backward."""

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        assert stage.layer is not None
        self.x, self.layer, self.flat = x, stage.layer, stage.flat
        self.out = Values(stage.gives, x.images, x.dtype, frame=frame)
        self.input = self.output = Tensor(np.empty(0, x.dtype))

    def forward(self, train: bool) -> None:
        values = self.x.y * self.x.scale  # (C, H, W, N)
        values += self.x.shift
        x = batch_first(values)  # (N, C, H, W)
        self.input = Tensor(x.reshape(len(x), -1) if self.flat else x, requires_grad=train)
        if train:
            self.output = self.layer(self.input)
        else:
            with no_grad():
                self.output = self.layer(self.input)
        y = self.output.data
        self.out.y[...] = y.T.reshape(self.out.y.shape) if self.flat else y.transpose(1, 2, 3, 0)

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        if not pass_on:
            return None
        dx = np.zeros(self.x.y.shape, self.x.dtype)  # (C, H, W, N)

        def deposit(leaf: Leaf, gradient: Array) -> None:
            if leaf is self.input:
                dx[...] += gradient.T.reshape(dx.shape) if self.flat else gradient.transpose(1, 2, 3, 0)

        if self.output.grad_fn is not None:
            run_backward(self.output.grad_fn, batch_first(d).reshape(self.output.shape), deposit)
        dx *= self.x.scale  # from the values to the buffer's numbers
        return dx
