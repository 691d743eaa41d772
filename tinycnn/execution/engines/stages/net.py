"""net: the stages of a model for parts of one size, one after another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinycnn.backend import Array, batch_last
from tinycnn.execution.engines.stages.conv import Conv
from tinycnn.execution.engines.stages.dropout import Dropout
from tinycnn.execution.engines.stages.layer import Layer
from tinycnn.execution.engines.stages.linear import Linear
from tinycnn.execution.engines.stages.norm import Norm
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.values import Scratch, Values
from tinycnn.execution.stages import Stage

KINDS: Mapping[str, Any] = {"conv": Conv, "linear": Linear, "norm": Norm, "dropout": Dropout, "layer": Layer}


class PartNet:
    """A model for `images` examples of one shape, over buffers of its own; to be used from one thread at a time."""

    def __init__(
        self, stages: list[Stage], image: tuple[int, ...], images: int, kind: "np.dtype[Any]", dtype: "np.dtype[Any]"
    ) -> None:
        scratch = Scratch(dtype)
        frames = [stage.padding if stage.kind == "conv" else (0, 0) for stage in stages] + [(0, 0)]
        scale = 1 / 255 if kind == np.uint8 else 1.0  # bytes are taken as they are: see the first stage's weights
        x = Values(stages[0].takes, images, dtype, scale, frame=frames[0])
        self.input = x.y if image == stages[0].takes else x.y.reshape(*image, images)
        self.stages: list[PartStage] = []
        for stage, frame in zip(stages, frames[1:], strict=True):
            self.stages.append(KINDS[stage.kind](stage, x, frame, scratch))
            x = self.stages[-1].out
        self.out = x

    def fold(self) -> None:
        """Take over the parameters as they are now."""
        for stage in self.stages:
            stage.fold()

    def forward(self, x: Array, train: bool) -> None:
        """From a part x (N, ...) to self.out; the gather into (C, H, W, N) is one pass, with the cast."""
        self.input[...] = batch_last(x)
        for stage in self.stages:
            stage.forward(train)

    def backward(self, d: Array, gradients: Gradients) -> None:
        """From the gradient of the last buffer down to the first stage of which somebody wants one."""
        first = next(i for i, stage in enumerate(self.stages) if stage.owns & gradients.keys())
        d = d.reshape(self.out.y.shape)
        for i in reversed(range(first, len(self.stages))):
            passed = self.stages[i].backward(d, gradients, pass_on=i > first)
            if passed is not None:
                d = passed
