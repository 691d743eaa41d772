"""optim: SGD, and schedules for its learning rate; names and arithmetic are torch.optim's."""

from tinycnn.optim.schedules import CosineAnnealingLR, StepLR
from tinycnn.optim.sgd import SGD

__all__ = ["SGD", "CosineAnnealingLR", "StepLR"]
