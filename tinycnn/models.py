"""models: LeNet, and every variant of it that the exercises of the LeNet chapter ask for."""

from collections.abc import Sequence
from typing import Any

from tinycnn import geometry, init, nn
from tinycnn.autograd.arguments import choice, count, number
from tinycnn.nn import ACTIVATIONS

POOLS = {"avg": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNet(nn.Sequential):
    """The net of the LeNet chapter of Dive into Deep Learning: (N, 1, 28, 28) -> logits (N, 10).

      layer                       output shape      parameters     multiply-adds per image
      0  Conv2d 5x5, padding 2    (N, 6, 28, 28)           156     117,600
      1  Sigmoid                  (N, 6, 28, 28)
      2  AvgPool2d 2x2            (N, 6, 14, 14)
      3  Conv2d 5x5               (N, 16, 10, 10)        2,416     240,000
      4  Sigmoid                  (N, 16, 10, 10)
      5  AvgPool2d 2x2            (N, 16, 5, 5)
      6  Flatten                  (N, 400)
      7  Linear                   (N, 120)              48,120      48,000
      8  Sigmoid                  (N, 120)
      9  Linear                   (N, 84)               10,164      10,080
      10 Sigmoid                  (N, 84)
      11 Linear                   (N, 10)                  850         840
                                                        61,706     416,520

    One convolution, activation and pooling per number in `channels`, one linear layer and activation per number in
    `hidden`, and a last linear layer.  Convolutions are kernel_size square; the first is padded by half of that,
    the others not, or all of them with same_padding, which makes room for more.  `dropout` follows each hidden
    activation.  Weights start Xavier-uniform, biases uniform in +-1/sqrt(fan_in).  LeNet(**net.config) is a new net
    of the same layers.  ValueError where a map becomes too small for the next window.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        image_size: int = 28,
        channels: Sequence[int] = (6, 16),
        kernel_size: int = 5,
        activation: str = "sigmoid",
        pool: str = "avg",
        hidden: Sequence[int] = (120, 84),
        dropout: float = 0.0,
        same_padding: bool = False,
    ) -> None:
        choice("LeNet", "activation", activation, ACTIVATIONS)
        choice("LeNet", "pool", pool, POOLS)
        self.config: dict[str, Any] = {
            "in_channels": count("LeNet", "in_channels", in_channels),
            "num_classes": count("LeNet", "num_classes", num_classes),
            "image_size": count("LeNet", "image_size", image_size),
            "channels": _counts("channels", channels),
            "kernel_size": count("LeNet", "kernel_size", kernel_size),
            "activation": activation,
            "pool": pool,
            "hidden": _counts("hidden", hidden),
            "dropout": number("LeNet", "dropout", dropout),
            "same_padding": bool(same_padding),
        }
        super().__init__(*_layers(**self.config))
        self.apply(_xavier)


def _layers(
    in_channels: int,
    num_classes: int,
    image_size: int,
    channels: list[int],
    kernel_size: int,
    activation: str,
    pool: str,
    hidden: list[int],
    dropout: float,
    same_padding: bool,
) -> list[nn.Module]:
    """The layers from image to logits; `size` follows the height and width of the map, `features` its channels."""
    layers: list[nn.Module] = []
    features, size = in_channels, image_size
    for i, filters in enumerate(channels):
        padding = kernel_size // 2 if i == 0 or same_padding else 0
        size = _shrunk(size, kernel_size, 1, padding, f"convolution {i + 1}")
        layers += [nn.Conv2d(features, filters, kernel_size, padding=padding), ACTIVATIONS[activation]()]
        size = _shrunk(size, 2, 2, 0, f"pooling {i + 1}")
        layers += [POOLS[pool](2)]
        features = filters
    layers.append(nn.Flatten())
    features *= size * size
    for width in hidden:
        layers += [nn.Linear(features, width), ACTIVATIONS[activation]()]
        layers += [nn.Dropout(dropout)] if dropout else []
        features = width
    return [*layers, nn.Linear(features, num_classes)]


def _shrunk(size: int, kernel: int, stride: int, padding: int, layer: str) -> int:
    """The size of the map after a layer, or an error that says which layer is one too many."""
    after = geometry.output_size(size, kernel, stride, padding)
    if after < 1:
        raise ValueError(
            f"LeNet: {layer} has a window of {kernel}x{kernel} pixels but its input has {size}x{size}, padded by "
            f"{padding}; use fewer convolutions, a smaller kernel_size, a larger image_size, or same_padding=True"
        )
    return after


def _counts(name: str, values: Sequence[int]) -> list[int]:
    """As a list, which is what JSON makes of it, so that a config survives being saved."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(f"LeNet: {name} must be a sequence of ints, one per layer, got {values!r}")
    return [count("LeNet", f"{name}[{i}]", value) for i, value in enumerate(values)]


def _xavier(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        init.xavier_uniform_(layer.weight)
