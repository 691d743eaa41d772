"""activations: elementwise functions at the end of a stage, forward in place and backward from the result alone.

    z -> t = apply(inner * z)      value = scale * t + shift      dt/d(inner * z) = slope(t)

`inner` is a factor that the stage's weights take on beforehand.  All of these never decrease, so that the maximum of a
window may be taken before them, of which there are fewer numbers left to pass through.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinycnn.backend import Array


@dataclass(frozen=True)
class Activation:
    """One of ACTIVATIONS.  `slope` writes the slope for a result t into an array, which may be t itself; None is 1."""

    apply: Callable[[Array], object]
    slope: Callable[[Array, Array], object] | None
    inner: float = 1.0
    scale: float = 1.0
    shift: float = 0.0

    def back(self, t: Array, dt: Array, dz: Array) -> None:
        """dz = dt * slope(t); dz may be t."""
        if self.slope is None:
            np.copyto(dz, dt)
        else:
            self.slope(t, dz)
            np.multiply(dz, dt, out=dz)


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _tanh_slope(t: Array, slope: Array) -> None:
    """1 - t * t."""
    np.multiply(t, t, out=slope)
    np.subtract(1, slope, out=slope)


def _relu(z: Array) -> None:
    """max(z, 0), with rows of zeros: against one zero for all, NumPy's maximum takes three times as long."""
    np.maximum(z, np.zeros(z.shape[-2:], z.dtype), out=z)


def _relu_slope(t: Array, slope: Array) -> None:
    """1 where the result is above 0, and 0 elsewhere."""
    np.greater(t, 0, out=slope)


ACTIVATIONS = {
    "IDENTITY": Activation(lambda z: None, None),
    "RELU": Activation(_relu, _relu_slope),
    "TANH": Activation(_tanh, _tanh_slope),
    "SIGMOID": Activation(_tanh, _tanh_slope, inner=0.5, scale=0.5, shift=0.5),  # tanh(z / 2) / 2 + 1 / 2
}
