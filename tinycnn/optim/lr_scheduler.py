"""lr_scheduler: learning rates that change from epoch to epoch, or from batch to batch, by a formula for each."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tinycnn.autograd.arguments import choice, count, number
from tinycnn.elsewhere import advising
from tinycnn.optim.optimizer import Optimizer


class Schedule:
    """A learning rate that depends on the epoch: call step() once after each epoch, or batch where `per_batch`."""

    per_batch: ClassVar[bool] = False  # what train() looks at

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]  # those of epoch 0
        self.last_epoch = 0

    def rate(self, epoch: int, base: float) -> float:
        """The learning rate in `epoch`, counted from 0, of a group that starts with `base`."""
        raise NotImplementedError

    def step(self) -> None:
        """An epoch (or batch) has passed: set the optimiser's lr for the next.

        A rate that was set in between, by hand or by another schedule, is scaled from then on, as in torch.
        """
        self._follow()
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each of the optimiser's groups, as it is now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _set(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(self.last_epoch, base)

    def _follow(self) -> None:
        """Where a group's rate is not the one that was set here, let it be this epoch's: its base rate moves along."""
        for i, group in enumerate(self.optimizer.param_groups):
            lr, expected = float(group["lr"]), self.rate(self.last_epoch, self.base_lrs[i])
            if lr != expected:
                least, most = (self.rate(self.last_epoch, base) for base in (0.0, 1.0))  # and straight between
                if least == most:
                    raise RuntimeError(
                        f"{type(self).__name__}: the schedule has come down to {expected:g}, and the optimizer's lr "
                        f"was set to {lr:g}; make a new schedule to go on from there"
                    )
                self.base_lrs[i] = (lr - least) / (most - least)

    def state_dict(self) -> dict[str, Any]:
        """All numbers of the schedule, by name."""
        return self._own()

    def _own(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name not in ("optimizer", "schedulers")}
        return {name: list(value) if isinstance(value, list) else value for name, value in own.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where state_dict() was taken, and set the optimiser's lr to that epoch's."""
        self.adopt(self.checked(f"load_state_dict of {type(self).__name__}", state_dict))
        self._set()

    def adopt(self, checked: Mapping[str, Any]) -> None:
        """Take a state that has been checked."""
        vars(self).update(checked)

    def checked(self, asker: str, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The state, each number in its own type; TypeError or ValueError in the name of `asker`."""
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{asker}: expected what state_dict() returned, got {type(state_dict).__name__}")
        own = self._own()
        if set(state_dict) != set(own):
            got = ", ".join(map(str, state_dict)) or "none"
            raise ValueError(f"{asker}: expected the entries {', '.join(own)}, got {got}; nothing was changed")
        return {name: _like(asker, name, state_dict[name], value) for name, value in own.items()}


def _like(asker: str, name: str, value: Any, own: Any) -> Any:
    """A saved value, checked to be of the kind that the schedule itself has."""
    if isinstance(own, list):
        if not isinstance(value, (list, tuple)) or len(value) != len(own):
            raise ValueError(f"{asker}: {name} must be {len(own)} values, one for each, got {value!r}")
        return [_like(asker, f"{name}[{i}]", v, o) for i, (v, o) in enumerate(zip(value, own, strict=True))]
    if isinstance(own, str):
        return choice(asker, name, value, ("cos", "linear"))
    if isinstance(own, bool):
        return bool(value)
    if isinstance(own, int):
        return count(asker, name, value, 0 if name == "last_epoch" else 1)
    return number(asker, name, value)


class StepLR(Schedule):
    """The learning rate times gamma every step_size epochs: base * gamma ** (epoch // step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        self.step_size, self.gamma = count("StepLR", "step_size", step_size), number("StepLR", "gamma", gamma)

    def rate(self, epoch: int, base: float) -> float:
        return base * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(Schedule):
    """From the base rate down half a cosine to eta_min at epoch T_max (Loshchilov and Hutter, SGDR, 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        super().__init__(optimizer)
        self.T_max = count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min)

    def rate(self, epoch: int, base: float) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LinearLR(Schedule):
    """A warm-up: from start_factor to end_factor times the base rate in total_iters epochs, on a straight line."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        super().__init__(optimizer)
        self.start_factor = number("LinearLR", "start_factor", start_factor, 0, 1)
        self.end_factor = number("LinearLR", "end_factor", end_factor, 0, 1)
        self.total_iters = count("LinearLR", "total_iters", total_iters)
        self._set()

    def rate(self, epoch: int, base: float) -> float:
        done = min(epoch / self.total_iters, 1.0)
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class SequentialLR(Schedule):
    """One schedule after another, each from its own beginning: the second from epoch milestones[0] on, and so forth.

    SequentialLR(optimizer, [LinearLR(optimizer, 0.1), CosineAnnealingLR(optimizer, 45)], milestones=[5])
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[Schedule], milestones: Sequence[int]) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(set(milestones)):
            raise ValueError(
                f"SequentialLR: expected a rising milestone between every two schedulers, got {list(milestones)} for "
                f"{len(schedulers)} schedulers"
            )
        super().__init__(optimizer)
        self.milestones = [count("SequentialLR", "milestones", epoch) for epoch in milestones]
        self.schedulers = list(schedulers)
        # a schedule that was made after a warm-up found the optimiser at the warm-up's first, lower rate
        self.base_lrs = [max(rates) for rates in zip(*(schedule.base_lrs for schedule in schedulers), strict=True)]
        self._set()

    def rate(self, epoch: int, base: float) -> float:
        begins = [0, *self.milestones]
        i = max(i for i, begin in enumerate(begins) if begin <= epoch)
        return self.schedulers[i].rate(epoch - begins[i], base)

    def state_dict(self) -> dict[str, Any]:
        own = super().state_dict()
        return {**own, "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def checked(self, asker: str, state_dict: Mapping[str, Any]) -> dict[str, Any]:
        own = dict(state_dict) if isinstance(state_dict, Mapping) else {}
        parts = own.pop("schedulers", None)
        if not isinstance(parts, (list, tuple)) or len(parts) != len(self.schedulers):
            raise ValueError(f"{asker}: expected the states of {len(self.schedulers)} schedulers; nothing was changed")
        states = [schedule.checked(asker, part) for schedule, part in zip(self.schedulers, parts, strict=True)]
        return {**super().checked(asker, own), "schedulers": states}

    def adopt(self, checked: Mapping[str, Any]) -> None:
        own = dict(checked)
        for schedule, state in zip(self.schedulers, own.pop("schedulers"), strict=True):
            schedule.adopt(state)
        super().adopt(own)


class OneCycleLR(Schedule):
    """Up from max_lr / div_factor to max_lr, and down to a final_div_factor of where it began; a step per batch.

    The way up takes pct_start of total_steps; both ways are half a cosine, or straight.  With cycle_momentum the
    momentum (Adam's first beta) goes the other way, from max_momentum to base_momentum and back.  The rates are this
    cycle's alone: one that is set in between, by hand or by another schedule, lasts until the next step().  As torch's;
    Smith and Topin, Super-Convergence (2018).
    """

    per_batch = True

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        super().__init__(optimizer)
        self.max_lr = number("OneCycleLR", "max_lr", max_lr, 0)
        self.total_steps = count("OneCycleLR", "total_steps", total_steps)
        self.pct_start = number("OneCycleLR", "pct_start", pct_start, 0, 1)
        self.anneal_strategy = choice("OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.cycle_momentum = bool(cycle_momentum)
        self.base_momentum = number("OneCycleLR", "base_momentum", base_momentum, 0, 1)
        self.max_momentum = number("OneCycleLR", "max_momentum", max_momentum, 0, 1)
        self.div_factor = number("OneCycleLR", "div_factor", div_factor, 1)
        self.final_div_factor = number("OneCycleLR", "final_div_factor", final_div_factor, 1)
        options = optimizer.param_groups[0]
        if self.cycle_momentum and "betas" not in options and not options.get("momentum"):
            raise ValueError("OneCycleLR: cycle_momentum needs an optimizer with momentum, or cycle_momentum=False")
        self._set()

    def between(self, step: int, first: float, top: float, last: float) -> float:
        """From first to top on the way up, and to last on the way down."""
        turn = self.pct_start * self.total_steps - 1
        if step <= turn:
            a, b, done = first, top, step / turn if turn else 1.0
        else:
            a, b, done = top, last, (step - turn) / (self.total_steps - 1 - turn)
        if self.anneal_strategy == "linear":
            return a + (b - a) * done
        return b + (a - b) / 2 * (1 + math.cos(math.pi * done))

    def _follow(self) -> None:
        """The cycle is its own: no other rate has a place in it."""

    def rate(self, epoch: int, base: float) -> float:
        first = self.max_lr / self.div_factor
        return self.between(epoch, first, self.max_lr, first / self.final_div_factor)

    def _set(self) -> None:
        if self.last_epoch >= self.total_steps + 1:
            raise ValueError(f"OneCycleLR: step() number {self.last_epoch}, but total_steps is {self.total_steps}")
        step = min(self.last_epoch, self.total_steps - 1)  # after the last batch nothing comes
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step, 0.0)
            if self.cycle_momentum:
                momentum = self.between(step, self.max_momentum, self.base_momentum, self.max_momentum)
                if "betas" in group:
                    group["betas"] = (momentum, group["betas"][1])
                else:
                    group["momentum"] = momentum


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("optim.lr_scheduler", globals())
