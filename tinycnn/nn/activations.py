"""activations: elementwise functions as layers, a line each."""

from collections.abc import Callable
from typing import Any, ClassVar

from tinycnn import functional as F
from tinycnn import init
from tinycnn.autograd.tensor import Tensor
from tinycnn.nn.module import Module

ACTIVATIONS: dict[str, type["Activation"]] = {}  # by the names of their functions; what LeNet(activation=...) takes


class Activation(Module):
    """An elementwise function as a layer.  The line that opens the class says all there is to say about it:

        class Softplus(Activation, function=softplus, onnx="Softplus", gain=1.0):
            '''log(1 + exp(x)) of x, of any shape.'''

    function   of a Tensor of any shape; its name is the activation's, for LeNet(activation="softplus")
    onnx       as in Declared; without it, export refuses the layer by name
    gain       by how much weights before it should grow, for init.calculate_gain("softplus")
    fused      its name in the fused kernels; without it, they refuse the layer by name

    A class with options has an __init__ and a forward of its own, which calls the function with them.
    """

    function: "ClassVar[staticmethod[[Tensor], Tensor]]"

    def __init_subclass__(
        cls, function: Callable[..., Tensor] | None = None, gain: float | None = None, **declared: Any
    ) -> None:
        if function is None:  # a subclass of one that has it
            return super().__init_subclass__(**declared)
        super().__init_subclass__(sees="element", **declared)
        name = function.__name__
        if (other := ACTIVATIONS.get(name, cls)).__module__ != cls.__module__:
            raise ValueError(f"{cls.__name__}: {name} names {other.__name__} already; give the function another name")
        cls.function = staticmethod(function)
        ACTIVATIONS[name] = cls
        if gain is not None:
            init.GAINS[name] = gain

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Sigmoid(Activation, function=F.sigmoid, onnx="Sigmoid", gain=1.0, fused="SIGMOID"):
    """1 / (1 + exp(-x)), of any shape."""


class ReLU(Activation, function=F.relu, onnx="Relu", gain=2**0.5, fused="RELU"):
    """max(x, 0), of any shape."""


class Tanh(Activation, function=F.tanh, onnx="Tanh", gain=5 / 3, fused="TANH"):
    """The hyperbolic tangent, of any shape."""
