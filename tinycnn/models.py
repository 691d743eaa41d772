"""models: LeNet, with every variant that the exercises of the LeNet chapter ask for, and two deeper nets."""

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
    activation, and with batch_norm a BatchNorm2d each convolution, which then has no bias.  Weights start
    Xavier-uniform, biases uniform in +-1/sqrt(fan_in).  LeNet(**net.config) is a new net of the same layers.
    ValueError where a map becomes too small for the next window.
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
        batch_norm: bool = False,
    ) -> None:
        choice("LeNet", "activation", activation, ACTIVATIONS)
        choice("LeNet", "pool", pool, POOLS)
        self.config: dict[str, Any] = {
            "in_channels": count("LeNet", "in_channels", in_channels),
            "num_classes": count("LeNet", "num_classes", num_classes),
            "image_size": count("LeNet", "image_size", image_size),
            "channels": _counts("LeNet", "channels", channels),
            "kernel_size": count("LeNet", "kernel_size", kernel_size),
            "activation": activation,
            "pool": pool,
            "hidden": _counts("LeNet", "hidden", hidden),
            "dropout": number("LeNet", "dropout", dropout),
            "same_padding": bool(same_padding),
            "batch_norm": bool(batch_norm),
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
    batch_norm: bool,
) -> list[nn.Module]:
    """The layers from image to logits; `size` follows the height and width of the map, `features` its channels."""
    layers: list[nn.Module] = []
    features, size = in_channels, image_size
    for i, filters in enumerate(channels):
        padding = kernel_size // 2 if i == 0 or same_padding else 0
        size = _shrunk(size, kernel_size, 1, padding, f"convolution {i + 1}")
        layers += [nn.Conv2d(features, filters, kernel_size, padding=padding, bias=not batch_norm)]
        layers += [nn.BatchNorm2d(filters)] if batch_norm else []
        layers += [ACTIVATIONS[activation]()]
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


def _counts(model: str, name: str, values: Sequence[int]) -> list[int]:
    """As a list, which is what JSON makes of it, so that a config survives being saved."""
    if not isinstance(values, (tuple, list)):
        raise TypeError(f"{model}: {name} must be a sequence of ints, one per layer, got {values!r}")
    return [count(model, f"{name}[{i}]", value) for i, value in enumerate(values)]


def _xavier(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        init.xavier_uniform_(layer.weight)


class VGG(nn.Sequential):
    """Blocks of 3x3 convolutions with batch normalisation, each halved by a pooling: (N, C, H, W) -> (N, num_classes).

    A block of `convolutions` layers, or as many as that says block by block, for each number in `channels`; at last the
    mean of every map, dropout, and one linear layer.  So images may have any size of at least 2**len(channels).
    Weights start Kaiming-normal.
    VGG(**net.config) is a new net of the same layers.  After Simonyan and Zisserman, Very Deep Convolutional Networks
    (2015), whose nets had more of everything.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        convolutions: int | Sequence[int] = 2,
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        self.config: dict[str, Any] = {
            "in_channels": count("VGG", "in_channels", in_channels),
            "num_classes": count("VGG", "num_classes", num_classes),
            "channels": _counts("VGG", "channels", channels),
            "convolutions": (
                count("VGG", "convolutions", convolutions)
                if isinstance(convolutions, int)
                else _counts("VGG", "convolutions", convolutions)
            ),
            "activation": choice("VGG", "activation", activation, ACTIVATIONS),
            "dropout": number("VGG", "dropout", dropout, 0, 1),
        }
        depths = [convolutions] * len(channels) if isinstance(convolutions, int) else convolutions
        if len(depths) != len(channels):
            raise ValueError(
                f"VGG: convolutions has {len(depths)} numbers and channels {len(channels)}, expected one for each block"
            )
        layers: list[nn.Module] = []
        features = in_channels
        for filters, depth in zip(channels, depths, strict=True):
            for _ in range(depth):
                layers += [*_convolution(features, filters), ACTIVATIONS[activation]()]
                features = filters
            layers.append(nn.MaxPool2d(2))
        layers += [nn.Dropout(dropout)] if dropout else []
        super().__init__(*layers, *_head(features, num_classes))
        self.apply(_kaiming)


class ResNet(nn.Sequential):
    """Residual blocks of two 3x3 convolutions: (N, C, H, W) -> (N, num_classes).

    As given it has 20 layers with weights, and 0.27 M parameters.  `blocks` of them for each number in `channels`; the
    first block of every later stage halves the map.  At last the mean of every map and one linear layer, so images may
    have any size.  Weights start Kaiming-normal, but what a block adds starts at 0: its last normalisation has weight
    0.  ResNet(**net.config) is a new net of the same layers.  The net for small images of He et al., Deep Residual
    Learning for Image Recognition (2015), section 4.2.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        channels: Sequence[int] = (16, 32, 64),
        blocks: int = 3,
        activation: str = "relu",
    ) -> None:
        self.config: dict[str, Any] = {
            "in_channels": count("ResNet", "in_channels", in_channels),
            "num_classes": count("ResNet", "num_classes", num_classes),
            "channels": _counts("ResNet", "channels", channels),
            "blocks": count("ResNet", "blocks", blocks),
            "activation": choice("ResNet", "activation", activation, ACTIVATIONS),
        }
        if not channels:
            raise ValueError("ResNet: channels must have at least one number, got none")
        features = channels[0]
        layers: list[nn.Module] = [*_convolution(in_channels, features), ACTIVATIONS[activation]()]
        for stage, filters in enumerate(channels):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                layers += [_residual(features, filters, stride, activation), ACTIVATIONS[activation]()]
                features = filters
        super().__init__(*layers, *_head(features, num_classes))
        self.apply(_kaiming)


def _convolution(features: int, filters: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size of the map, or halves it, and its normalisation."""
    return [nn.Conv2d(features, filters, size, stride, size // 2, bias=False), nn.BatchNorm2d(filters)]


def _residual(features: int, filters: int, stride: int, activation: str) -> nn.Residual:
    last = nn.BatchNorm2d(filters)
    if last.weight is not None:
        init.zeros_(last.weight)
    first = [*_convolution(features, filters, 3, stride), ACTIVATIONS[activation]()]
    body = [*first, nn.Conv2d(filters, filters, 3, padding=1, bias=False), last]
    same = (features, stride) == (filters, 1)
    return nn.Residual(*body, shortcut=None if same else nn.Sequential(*_convolution(features, filters, 1, stride)))


def _head(features: int, num_classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, num_classes)]


def _kaiming(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d):
        init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


Net = LeNet | VGG | ResNet
MODELS: dict[str, type[LeNet] | type[VGG] | type[ResNet]] = {"LeNet": LeNet, "VGG": VGG, "ResNet": ResNet}
