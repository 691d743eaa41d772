"""averaging: a second model whose weights are a running average of those of the one that learns."""

import copy
from typing import Any

import numpy as np

from tinycnn.autograd.arguments import number
from tinycnn.nn import Buffer, Module


class AveragedModel(Module):
    """A copy of `model` with the exponential moving average of its weights: call update_parameters after each step.

        average = AveragedModel(net, decay=0.99)
        ...
        optimizer.step()
        average.update_parameters(net)

    average = decay * average + (1 - decay) * weights, from the first weights on, as torch.optim.swa_utils.AveragedModel
    with get_ema_multi_avg_fn(decay).  Buffers, such as running means, are those of the model.  It computes what the
    model would, of the same shapes, and often a little better: the noise of the last steps is averaged away.
    """

    def __init__(self, model: Module, decay: float = 0.999) -> None:
        self.decay = number("AveragedModel", "decay", decay, 0, 1)
        self.n_averaged = Buffer(np.array(0))
        self.module = copy.deepcopy(model)
        for p in self.module.parameters():
            p.grad = None

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)

    def update_parameters(self, model: Module) -> None:
        """Take in the weights of `model`, of the same layers as the one that this is a copy of."""
        first = int(self.n_averaged) == 0
        for average, p in zip(self.module.parameters(), model.parameters(), strict=True):
            average.data += (p.data - average.data) * (1.0 if first else 1 - self.decay)
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.data[...] = buffer.data
        self.n_averaged.data += 1
