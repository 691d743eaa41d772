"""optim: what moves parameters, and schedules for its learning rate; names and arithmetic are torch.optim's.

Read in this order: sgd, optimizer (what all share), adam, lr_scheduler, averaging.
"""

from typing import TYPE_CHECKING

from tinycnn.elsewhere import advising
from tinycnn.optim.adam import Adam, AdamW
from tinycnn.optim.averaging import AveragedModel
from tinycnn.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR, StepLR
from tinycnn.optim.optimizer import Optimizer
from tinycnn.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "AveragedModel",
    "CosineAnnealingLR",
    "LinearLR",
    "OneCycleLR",
    "Optimizer",
    "SequentialLR",
    "StepLR",
]


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("optim", __all__)
