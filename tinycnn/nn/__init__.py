"""nn: modules.  Parameters and shapes, no maths; names, keys and shapes are torch.nn's.

Read in this order: module, layers, activations, normalization, sequential, containers, loss; state (what
load_state_dict checks).
"""

from typing import TYPE_CHECKING

from tinycnn.autograd.tensor import Parameter
from tinycnn.elsewhere import advising
from tinycnn.nn import functional as functional
from tinycnn.nn import init as init
from tinycnn.nn import utils as utils
from tinycnn.nn.activations import ACTIVATIONS, GELU, Activation, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from tinycnn.nn.containers import ModuleDict, ModuleList, Residual
from tinycnn.nn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool2d,
)
from tinycnn.nn.loss import CrossEntropyLoss
from tinycnn.nn.module import Buffer, Declared, Module
from tinycnn.nn.normalization import BatchNorm1d, BatchNorm2d
from tinycnn.nn.sequential import Sequential

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "CrossEntropyLoss",
    "Declared",
    "Dropout",
    "Flatten",
    "GELU",
    "Identity",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Tanh",
]


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("nn", __all__)
