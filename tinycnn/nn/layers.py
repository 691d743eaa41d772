"""layers: what a net is made of.  Each layer holds parameters and options, and calls one function of functional."""

import math

import numpy as np

from tinycnn import functional as F
from tinycnn import geometry, init
from tinycnn.autograd import arguments
from tinycnn.autograd.arguments import Pair, conv_padding, count, integer, number, pair, pool_padding
from tinycnn.autograd.tensor import Parameter, Tensor
from tinycnn.nn.module import Module


def _parameters(weight_shape: tuple[int, ...], bias: bool) -> tuple[Parameter, Parameter | None]:
    """Weight and bias as torch's layers start: both uniform in +-1/sqrt(fan_in), the numbers that meet one output.

    For the weight that is Kaiming's bound with gain sqrt(1/3), which torch writes as kaiming_uniform_(a=sqrt(5)).
    """
    weight = init.kaiming_uniform_(Parameter(np.empty(weight_shape, np.float32)), a=math.sqrt(5))
    if not bias:
        return weight, None
    bound = 1 / math.sqrt(math.prod(weight_shape[1:]))
    return weight, init.uniform_(Parameter(np.empty(weight_shape[0], np.float32)), -bound, bound)


class Conv2d(Module, sees="window", onnx="Conv", fused="conv"):
    """Convolution: (N, in_channels, H, W) -> (N, out_channels, OH, OW), as torch.nn.Conv2d.

    `weight` is (out_channels, in_channels/groups, KH, KW), `bias` (out_channels,) or None.
    OH = (H + 2*padding - dilation*(KH - 1) - 1) // stride + 1, and OW likewise.  padding="same" and "valid" become
    numbers; ValueError where "same" has none, that is for an even kernel_size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair | str = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        self.in_channels = count("Conv2d", "in_channels", in_channels)
        self.out_channels = count("Conv2d", "out_channels", out_channels)
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = pair("Conv2d", "stride", stride, 1)
        self.dilation = pair("Conv2d", "dilation", dilation, 1)
        self.padding, after = conv_padding("Conv2d", padding, self.kernel_size, self.stride, self.dilation)
        if any(after):
            raise ValueError(
                f'Conv2d: padding="same" would need one zero more after the image than before it, got kernel_size '
                f"{self.kernel_size}, dilation {self.dilation}; use an odd kernel_size, or F.conv2d in your own module"
            )
        self.groups = arguments.groups("Conv2d", groups, self.in_channels, self.out_channels)
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight, self.bias = _parameters(shape, bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        return geometry.conv2d_multiply_adds(self.weight.shape, output_shape[2:])

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if (value := getattr(self, name)) != usual:
                text += f", {name}={value}"
        return text + (", bias=False" if self.bias is None else "")


class Linear(Module, sees="row", onnx="Gemm", fused="linear"):
    """x @ weight.T + bias: (..., in_features) -> (..., out_features), as torch.nn.Linear.

    `weight` is (out_features, in_features), `bias` (out_features,) or None.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        self.in_features = count("Linear", "in_features", in_features)
        self.out_features = count("Linear", "out_features", out_features)
        self.weight, self.bias = _parameters((self.out_features, self.in_features), bias)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        return geometry.linear_multiply_adds(self.weight.shape, rows=math.prod(output_shape[1:-1]))

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class _Pool2d(Module):
    """What average and max pooling share: windows, by default side by side."""

    def __init__(self, kernel_size: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool) -> None:
        layer = type(self).__name__
        self.kernel_size = pair(layer, "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair(layer, "stride", stride, 1)
        self.padding = pool_padding(layer, padding, self.kernel_size)
        self.ceil_mode = bool(ceil_mode)

    def extra_repr(self) -> str:
        names = ("kernel_size", "stride", "padding")
        return ", ".join(f"{name}={_plain(getattr(self, name))}" for name in names)


class AvgPool2d(_Pool2d, sees="window", onnx="AveragePool", fused="AVERAGE"):
    """The mean of every window: (N, C, H, W) -> (N, C, OH, OW), as torch.nn.AvgPool2d."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.count_include_pad = bool(count_include_pad)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class MaxPool2d(_Pool2d, sees="window", onnx="MaxPool", fused="MAXIMUM"):
    """The greatest number of every window: (N, C, H, W) -> (N, C, OH, OW), as torch.nn.MaxPool2d."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode)
        self.dilation = pair("MaxPool2d", "dilation", dilation, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dilation={_plain(self.dilation)}, ceil_mode={self.ceil_mode}"


class AdaptiveAvgPool2d(Module, sees="map", onnx="AdaptiveAveragePool"):
    """The mean over output_size windows that cover the image: (N, C, H, W) -> (N, C, OH, OW), as in torch.nn."""

    def __init__(self, output_size: int | None | tuple[int | None, int | None]) -> None:
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
        for size in sizes:
            if size is not None:
                count("AdaptiveAvgPool2d", "output_size", size)
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class Flatten(Module, sees="element", onnx="Flatten", fused="flatten"):
    """Axes from start_dim on merged into one: (N, C, H, W) -> (N, C*H*W)."""

    def __init__(self, start_dim: int = 1) -> None:
        self.start_dim = integer("Flatten", "start_dim", start_dim)

    def forward(self, x: Tensor) -> Tensor:
        return F.flatten(x, self.start_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}"


class Identity(Module, sees="element", onnx="Identity"):
    """x itself, of any shape: what stands where a layer could be.  Takes any arguments, as torch's does."""

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return x


class Dropout(Module, sees="element", onnx="Identity"):  # in evaluation mode it is none other
    """In training, each number is dropped with probability p and the others grow by 1/(1 - p); else the identity."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = number("Dropout", "p", p, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def _plain(value: tuple[int, int]) -> int | tuple[int, int]:
    """2 for (2, 2), as it was most likely written."""
    return value[0] if value[0] == value[1] else value
