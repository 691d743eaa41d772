"""The nets of growth.py, of tinycnn's layers or of PyTorch's, which have the same names, and their steps."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

RATE = 0.01


def plain(nn: Any, widths: tuple[int, ...], pixels: int) -> list[Any]:
    """For each width a convolution of 5 x 5, ReLU, and a maximum over 2 x 2; then one linear layer."""
    layers, channels = [], 3
    for width in widths:
        layers += [nn.Conv2d(channels, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return [*layers, nn.Flatten(), nn.Linear(channels * (pixels // 2 ** len(widths)) ** 2, 10)]


def vgg(nn: Any, widths: tuple[int, ...], pixels: int) -> list[Any]:
    """For each width two convolutions of 3 x 3 with ReLU, and a maximum over 2 x 2; then two linear layers."""
    layers, channels = [], 3
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    features = channels * (pixels // 2 ** len(widths)) ** 2
    return [*layers, nn.Flatten(), nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, 10)]


def residual(nn: Any, widths: tuple[int, ...], pixels: int) -> list[Any]:
    """For each width two convolutions of 3 x 3 with batch normalisation and a way around them, then half the size."""
    first = widths[0]
    layers, channels = [nn.Conv2d(3, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU()], first
    for width in widths:
        if width != channels:
            layers += [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        block = [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        block += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
        layers += [nn.Residual(*block), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return [*layers, nn.Flatten(), nn.Linear(channels * (pixels // 2 ** len(widths)) ** 2, 10)]


NETS = {"plain": plain, "vgg": vgg, "residual": residual}


def maker(contender: str) -> Callable[..., Callable[[], object]]:
    """What makes `step()`; the framework is imported here, so that its own memory is not the net's."""
    if contender == "tinycnn":
        importlib.import_module("tinycnn.execution")
        return tinycnn_step
    import torch

    torch.ones(1).sum().item()
    return torch_channels_last_step if contender.endswith("channels_last") else torch_step


def data(pixels: int, images: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.random((images, 3, pixels, pixels), np.float32), rng.integers(0, 10, images)


def tinycnn_step(
    net: str, widths: tuple[int, ...], pixels: int, images: int, train: bool, threads: int
) -> Callable[[], object]:
    from tinycnn import nn, optim
    from tinycnn.execution import Inference, make_step

    model = nn.Sequential(*NETS[net](nn, widths, pixels))
    x, y = data(pixels, images)
    if not train and images == 1:
        serve = Inference(model, x.shape, x.dtype)
        return lambda: serve(x)
    runner = make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), RATE), "auto", threads)

    def step() -> object:
        return (runner if train else runner.evaluate)(x, y)

    step.close = runner.close
    return step


def torch_step(
    net: str, widths: tuple[int, ...], pixels: int, images: int, train: bool, threads: int, layout: Any = None
) -> Callable[[], object]:
    import torch
    from torch import nn

    class Residual(nn.Sequential):
        def forward(self, x: Any) -> Any:
            return x + super().forward(x)

    torch.set_num_threads(threads)
    names = type("Names", (), {**vars(nn), "Residual": Residual})
    layout = layout or torch.contiguous_format
    model = nn.Sequential(*NETS[net](names, widths, pixels)).to(memory_format=layout).train(train)
    images_, labels = (torch.from_numpy(a) for a in data(pixels, images))
    x = images_.to(memory_format=layout)
    optimizer, loss_of = torch.optim.SGD(model.parameters(), RATE), nn.CrossEntropyLoss()

    def train_step() -> float:
        optimizer.zero_grad()
        loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer() -> float:
        with torch.no_grad():
            return loss_of(model(x), labels).item()

    return train_step if train else infer


def torch_channels_last_step(*case: Any) -> Callable[[], object]:
    import torch

    return torch_step(*case, layout=torch.channels_last)
