"""nn: modules.  Parameters and shapes, no maths; names, keys and shapes are torch.nn's.

Read in this order: module, layers, activations, sequential, loss; state (what load_state_dict checks).
"""

from tinycnn.autograd.tensor import Parameter
from tinycnn.nn.activations import ACTIVATIONS, Activation, ReLU, Sigmoid, Tanh
from tinycnn.nn.layers import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d
from tinycnn.nn.loss import CrossEntropyLoss
from tinycnn.nn.module import Declared, Module
from tinycnn.nn.sequential import Sequential

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "AvgPool2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Declared",
    "Dropout",
    "Flatten",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
]
