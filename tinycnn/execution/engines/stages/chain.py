"""chain: stages one after another; and the residual stage, which has two chains in it (nn/containers.py)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.execution.engines.stages.activations import ACTIVATIONS
from tinycnn.execution.engines.stages.conv import Conv
from tinycnn.execution.engines.stages.dropout import Dropout
from tinycnn.execution.engines.stages.layer import Layer
from tinycnn.execution.engines.stages.linear import Linear
from tinycnn.execution.engines.stages.norm import Norm
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage


def frame_for(stages: Sequence[Stage]) -> Two:
    """The frame that the first of these wants around what it reads."""
    if not stages:
        return 0, 0
    ways = [frame_for(way) for way in (stages[0].body, stages[0].shortcut)]
    (h, w), (i, j) = ways if stages[0].kind == "residual" else (stages[0].padding, (0, 0))
    return max(h, i), max(w, j)


class Chain:
    """Stages from the values x to the values `out`, in a frame as what reads them wants it; x itself if there are none.

    A residual's two chains read the same values, in the wider frame of the two.
    """

    def __init__(self, stages: Sequence[Stage], x: Values, frame: Two, scratch: Scratch) -> None:
        self.stages: list[PartStage] = []
        for i, stage in enumerate(stages):
            behind = frame_for(stages[i + 1 :]) if i + 1 < len(stages) else frame
            self.stages.append(KINDS[stage.kind](stage, x.as_taken(stage.takes), behind, scratch))
            x = self.stages[-1].out
        self.out = x
        self.owns = frozenset[int]().union(*(stage.owns for stage in self.stages))

    def fold(self) -> None:
        """Take over the parameters as they are now."""
        for stage in self.stages:
            stage.fold()

    def forward(self, train: bool) -> None:
        """From the numbers in x to those in out."""
        for stage in self.stages:
            stage.forward(train)

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        """From d, the gradient of out, to that of x, or down to the first stage of which somebody wants one."""
        wanted = (i for i, stage in enumerate(self.stages) if stage.owns & gradients.keys())
        last = 0 if pass_on else next(wanted, len(self.stages))
        for i in reversed(range(last, len(self.stages))):
            passed = self.stages[i].backward(d, gradients, pass_on or i > last)
            if passed is not None:
                d = passed.reshape(self.stages[i - 1].out.y.shape) if i else passed  # as it was before a Flatten
        return d if pass_on else None


class Residual(PartStage):
    """body(x) + shortcut(x), then an activation: x (C, H, W, N) -> (O, OH, OW, N).

    z = inner * (value of the body + value of the shortcut)        value of a buffer y = scale * y + shift
    """

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        self.x, self.activation = x, ACTIVATIONS[stage.activation]
        self.body, self.shortcut = (Chain(way, x.read_again(), (0, 0), scratch) for way in (stage.body, stage.shortcut))
        self.owns = self.body.owns | self.shortcut.owns
        self.out = Values(stage.gives, x.images, x.dtype, self.activation.scale, self.activation.shift, frame)
        inner, ways = self.activation.inner, (self.body.out, self.shortcut.out)
        self.factors = [inner * way.scale for way in ways]
        self.lift = inner * sum(way.shift for way in ways)
        self.d = np.empty_like(self.body.out.y)

    def fold(self) -> None:
        self.body.fold()
        self.shortcut.fold()

    def forward(self, train: bool) -> None:
        self.body.forward(train)
        self.shortcut.forward(train)
        z = self.out.y
        (a, b), body, shortcut = self.factors, self.body.out.y, self.shortcut.out.y
        if a == b:
            np.add(body, shortcut, out=z)
        else:
            np.multiply(shortcut, b / a, out=z)
            np.add(z, body, out=z)
        if a != 1:
            np.multiply(z, a, out=z)
        if self.lift:
            np.add(z, self.lift, out=z)
        self.activation.apply(z)

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        dz = self.out.y  # in place
        self.activation.back(self.out.y, d, dz)
        np.multiply(dz, self.factors[0], out=self.d)  # which the body may write to
        dx = self.body.backward(self.d, gradients, pass_on)
        if self.factors[1] != 1:
            np.multiply(dz, self.factors[1], out=dz)
        around = self.shortcut.backward(dz, gradients, pass_on)
        if dx is None or around is None:
            return None
        np.add(dx, around, out=dx)
        return dx


KINDS: Mapping[str, Any] = {
    "conv": Conv, "linear": Linear, "norm": Norm, "residual": Residual, "dropout": Dropout, "layer": Layer,
}  # fmt: skip
