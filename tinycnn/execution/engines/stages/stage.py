"""stage: what all stages have in common."""

from collections.abc import Mapping

from tinycnn.backend import Array
from tinycnn.execution.engines.stages.values import Values

Gradients = Mapping[int, Array]  # by id of the parameter; those that want one


class PartStage:
    """One stage of a net for parts of one size.  Its input `x` and its output `out` are buffers of the net."""

    x: Values
    out: Values
    owns: frozenset[int] = frozenset()  # its parameters, by id

    def fold(self) -> None:
        """Take over the parameters as they are now; before the parts of a batch."""

    def forward(self, train: bool) -> None:
        """From x.y to out.y."""
        raise NotImplementedError

    def backward(self, d: Array, gradients: Gradients, pass_on: bool) -> Array | None:
        """From d (C, H, W, N), the derivative of the loss by out.y, to that by x.y, if it is to be passed on.

        Writes the parameters' gradients.  d may be written to, and so may out.y; what is returned may be scratch.
        """
        raise NotImplementedError
