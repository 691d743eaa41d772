"""normalization: layers that bring each channel to mean 0 and variance 1, by the batch, and later by what it saw."""

import numpy as np

from tinycnn import functional as F
from tinycnn import whole
from tinycnn.autograd.arguments import count, number
from tinycnn.autograd.tensor import Parameter, Tensor
from tinycnn.backend import Array
from tinycnn.nn.module import Buffer, Module
from tinycnn.ops.batch_norm import move


class _BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share; they say which shapes they take."""

    shapes: dict[int, str]  # axes in words by their number

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        layer = type(self).__name__
        self.num_features = C = count(layer, "num_features", num_features)
        self.eps = number(layer, "eps", eps, 0)
        self.momentum = None if momentum is None else number(layer, "momentum", momentum, 0, 1)
        self.affine, self.track_running_stats = bool(affine), bool(track_running_stats)
        self.weight = Parameter(np.ones(C, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(C, np.float32)) if affine else None
        self.running_mean = Buffer(np.zeros(C, np.float32)) if track_running_stats else None
        self.running_var = Buffer(np.ones(C, np.float32)) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.array(0)) if track_running_stats else None

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim not in self.shapes or x.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected {' or '.join(self.shapes.values())} with C = {self.num_features} "
                f"channels, got shape {x.shape}"
            )
        mean, var, seen = self.running_mean, self.running_var, self.num_batches_tracked
        training = self.training or mean is None
        momentum = self._momentum() if training else 0.0
        y = F.batch_norm(x, mean, var, self.weight, self.bias, training, momentum, self.eps)
        if training and seen is not None and whole.remembers():
            seen.data += 1
        return y

    def _momentum(self) -> float:
        """By how much running statistics move towards a batch's; where momentum is None they are the mean of all."""
        if self.momentum is not None:
            return self.momentum
        return 0.0 if self.num_batches_tracked is None else 1 / (int(self.num_batches_tracked) + 1)

    def remember(self, mean: Array, var: Array) -> None:
        """Move the running statistics towards a batch's mean and variance (C,), the latter divided by M - 1, as
        forward does; for whoever computes what forward computes in another way."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            move((self.running_mean.data, self.running_var.data), (mean, var), self._momentum())
            self.num_batches_tracked.data += 1

    def extra_repr(self) -> str:
        names = ("eps", "momentum", "affine", "track_running_stats")
        return f"{self.num_features}, " + ", ".join(f"{name}={getattr(self, name)}" for name in names)


class BatchNorm1d(_BatchNorm, sees="batch", meets=True, onnx="BatchNormalization"):
    """Each feature of a batch (N, C), or channel of (N, C, L), normalised, then scaled and shifted; as in torch.nn.

    In training by the batch's own mean and variance, in evaluation by their running means.  `weight` and `bias` are
    (C,) or None; momentum None averages over all batches alike.
    """

    shapes = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm, sees="batch", meets=True, onnx="BatchNormalization"):
    """Each channel of a batch (N, C, H, W) normalised over images and pixels, then scaled and shifted; as in torch.nn.

    In training by the batch's own mean and variance, in evaluation by their running means.  `weight` and `bias` are
    (C,) or None; momentum None averages over all batches alike.
    """

    shapes = {4: "(N, C, H, W)"}
