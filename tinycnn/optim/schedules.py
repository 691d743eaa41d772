"""schedules: learning rates that change from epoch to epoch, by a formula for each epoch."""

import math
from collections.abc import Mapping
from typing import Any

from tinycnn.autograd.arguments import count, number
from tinycnn.optim.sgd import SGD


class Schedule:
    """A learning rate that depends on the epoch: call step() once after each epoch."""

    def __init__(self, optimizer: SGD) -> None:
        self.optimizer = optimizer
        self.base_lr = float(optimizer.lr)  # that of epoch 0
        self.last_epoch = 0

    def rate(self, epoch: int) -> float:
        """The learning rate in `epoch`, counted from 0."""
        raise NotImplementedError

    def step(self) -> None:
        """An epoch has passed: set the optimiser's lr for the next."""
        self.last_epoch += 1
        self.optimizer.lr = self.rate(self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """All numbers of the schedule, by name."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where state_dict() was taken, and set the optimiser's lr to that epoch's."""
        asker = f"load_state_dict of {type(self).__name__}"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{asker}: expected what state_dict() returned, got {type(state_dict).__name__}")
        own = self.state_dict()
        if set(state_dict) != set(own):
            got = ", ".join(map(str, state_dict)) or "none"
            raise ValueError(f"{asker}: expected the entries {', '.join(own)}, got {got}; nothing was changed")
        checked = {
            name: count(asker, name, value, 0 if name == "last_epoch" else 1)
            if isinstance(own[name], int)
            else number(asker, name, value)
            for name, value in state_dict.items()
        }
        vars(self).update(checked)
        self.optimizer.lr = self.rate(self.last_epoch)


class StepLR(Schedule):
    """The learning rate times gamma every step_size epochs: base * gamma ** (epoch // step_size)."""

    def __init__(self, optimizer: SGD, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.step_size, self.gamma = count("StepLR", "step_size", step_size), number("StepLR", "gamma", gamma)

    def rate(self, epoch: int) -> float:
        return self.base_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(Schedule):
    """From the base rate down half a cosine to eta_min at epoch T_max (Loshchilov and Hutter, SGDR, 2017)."""

    def __init__(self, optimizer: SGD, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer)
        self.T_max = count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min)

    def rate(self, epoch: int) -> float:
        return self.eta_min + (self.base_lr - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2
