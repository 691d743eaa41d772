"""linear: a fully connected layer and an activation (ops/linear.py).

out = activation(A @ rows)          A (O, I + 1): the weights, folded, and the folded bias as the last column
"""

import numpy as np

from tinycnn.backend import Array, aligned
from tinycnn.execution.engines.stages.activations import ACTIVATIONS
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage


class Linear(PartStage):
    """x (I, N) and a row of ones -> (O, N)."""

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        self.x, self.weight, self.bias = x, stage.parameters["weight"], stage.parameters.get("bias")
        self.owns = frozenset(map(id, stage.parameters.values()))
        self.activation = ACTIVATIONS[stage.activation]
        self.out = Values(stage.gives, x.images, x.dtype, self.activation.scale, self.activation.shift, frame)
        self.out.read_once = self.activation.slope is None
        (O, I) = self.weight.shape
        self.inputs = I + (self.bias is not None or x.shift != 0)  # with the row of ones, if there is anything to add
        self.X = x.rows[: self.inputs]  # (I + 1, N)
        self.Y = self.out.y.reshape(O, x.images)  # (O, N)
        self.A = aligned((O, self.inputs), x.dtype, 0)
        self.sum_up = aligned((I,), x.dtype, 1)  # a product with them is a sum, at four times the speed
        self.dA = aligned(self.A.shape, self.A.dtype)
        self.dX = aligned((I, x.images), x.dtype)

    def fold(self) -> None:
        I, w, factor = self.weight.shape[1], self.weight.data, self.activation.inner
        np.multiply(w, factor * self.x.scale, out=self.A[:, :I])
        if self.inputs > I:
            bias = 0 if self.bias is None else self.bias.data
            self.A[:, I] = factor * (bias + self.x.shift * (w @ self.sum_up))

    def forward(self, train: bool) -> None:
        np.matmul(self.A, self.X, out=self.Y)  # (O, N)
        self.activation.apply(self.Y)

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        dY = self.Y  # the gradient takes the place of the result
        self.activation.back(self.Y, d.reshape(dY.shape), dY)  # (O, N)
        if gradients.keys() & self.owns:
            np.matmul(dY, self.X.T, out=self.dA)  # (O, I + 1)    from Y = A @ X
            self.deposit(gradients)
        if not pass_on:
            return None
        I = self.weight.shape[1]
        return np.matmul(self.A[:, :I].T, dY, out=self.dX).reshape(self.x.y.shape)

    def deposit(self, gradients: Gradients) -> None:
        """From the folded weights' gradients to the parameters', by the chain rule: see `Conv.deposit`."""
        I, factor = self.weight.shape[1], self.activation.inner
        if (dw := gradients.get(id(self.weight))) is not None:
            np.multiply(self.dA[:, :I], factor * self.x.scale, out=dw)
            if self.x.shift:
                dw += factor * self.x.shift * self.dA[:, I:]
        if (db := gradients.get(id(self.bias))) is not None:
            np.multiply(self.dA[:, I], factor, out=db)
