"""activations: elementwise functions as layers, a line each."""

from collections.abc import Callable
from typing import Any, ClassVar

from tinycnn import functional as F
from tinycnn import init
from tinycnn.autograd.arguments import choice, number
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

    function: ClassVar[Any]  # a static method: Tensor -> Tensor

    def __init__(self, inplace: bool = False) -> None:
        if inplace:
            name = type(self).__name__
            raise ValueError(f"{name}: inplace is not there, got {inplace!r}; write {name}(): the numbers are the same")

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


class GELU(Activation, function=F.gelu, onnx="Gelu"):
    """x times the probability that a standard normal number is less than x, of any shape; "none" or by "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = choice("GELU", "approximate", approximate, ("none", "tanh"))

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Activation, function=F.silu, onnx="Silu"):
    """x times its sigmoid, of any shape; also called swish."""


class LeakyReLU(Activation, function=F.leaky_relu, onnx="LeakyRelu", gain=2**0.5):  # the gain of slope 0
    """x, or negative_slope * x where x is not above 0, of any shape."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"
