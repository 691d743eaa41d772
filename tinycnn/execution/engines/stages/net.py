"""net: the stages of a model for parts of one size, one after another."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinycnn.backend import Array, batch_last
from tinycnn.execution.engines.stages.chain import Chain, frame_for
from tinycnn.execution.engines.stages.stage import Gradients
from tinycnn.execution.engines.stages.values import Scratch, Values
from tinycnn.execution.stages import Stage


class PartNet:
    """A model for `images` examples of one shape, over buffers of its own; to be used from one thread at a time."""

    def __init__(
        self,
        stages: Sequence[Stage],
        image: tuple[int, ...],
        images: int,
        kind: "np.dtype[Any]",
        dtype: "np.dtype[Any]",
    ) -> None:
        scale = 1 / 255 if kind == np.uint8 else 1.0  # bytes are taken as they are: see the first stage's weights
        x = Values(stages[0].takes, images, dtype, scale, frame=frame_for(stages))
        self.input = x.y if image == stages[0].takes else x.y.reshape(*image, images)
        self.chain = Chain(stages, x, (0, 0), Scratch(dtype))
        self.out = self.chain.out

    def fold(self) -> None:
        """Take over the parameters as they are now."""
        self.chain.fold()

    def forward(self, x: Array, train: bool) -> None:
        """From a part x (N, ...) to self.out; the gather into (C, H, W, N) is one pass, with the cast."""
        self.input[...] = batch_last(x)
        self.chain.forward(train)

    def backward(self, d: Array, gradients: Gradients) -> None:
        """From the gradient of the last buffer down to the first stage of which somebody wants one."""
        self.chain.backward(d.reshape(self.out.y.shape), gradients, pass_on=False)
