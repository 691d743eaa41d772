"""dropout: the masks of the op, drawn in the same order from the same numbers (ops/dropout.py)."""

import numpy as np

from tinycnn import nn
from tinycnn.backend import Array, batch_first
from tinycnn.execution.engines.stages.stage import Gradients, PartStage
from tinycnn.execution.engines.stages.values import Scratch, Two, Values
from tinycnn.execution.stages import Stage
from tinycnn.ops.dropout import mask


class Dropout(PartStage):
    """While training, values (C, H, W, N) times a mask of 0 and 1 / (1 - p); else as they are."""

    def __init__(self, stage: Stage, x: Values, frame: Two, scratch: Scratch) -> None:
        assert isinstance(stage.layer, nn.Dropout)
        self.x, self.layer = x, stage.layer
        # What is dropped has the value 0, and so the buffer's 0 has to stand for it: there is no shift any more.
        self.out = Values(stage.gives, x.images, x.dtype, x.scale, 0.0, frame)
        self.lift = x.shift / x.scale
        self.mask: Array | None = None

    def forward(self, train: bool) -> None:
        np.add(self.x.y, self.lift, out=self.out.y)  # scale * (y + shift / scale) is the value
        if train:
            self.mask = mask(batch_first(self.x.y), self.layer.p).transpose(1, 2, 3, 0)  # (C, H, W, N)
            self.out.y *= self.mask

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        return d * self.mask if pass_on else None
