"""sgd: stochastic gradient descent, which moves parameters against their gradients.

The arithmetic is torch.optim.SGD's.  For a parameter p with gradient g:

    g = g + weight_decay * p
    v = momentum * v + (1 - dampening) * g          the first v is g itself
    g = g + momentum * v   if nesterov, else v
    p = p - lr * g
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tinycnn.autograd.arguments import number
from tinycnn.backend import Array, fused
from tinycnn.optim.optimizer import Optimizer, Params, option


@fused
def move(
    xp: ModuleType,
    p: Array,
    g: Array,
    v: Array | None,
    lr: float,
    momentum: float,
    share: float | None,
    weight_decay: float | None,
    ahead: float | None,
) -> None:
    """The formulas above, into p and v.  share is 1 - dampening, ahead Nesterov's momentum; None takes no part."""
    if weight_decay is not None:
        g = g + p * weight_decay
    if v is not None:
        v *= momentum
        v += g if share is None else g * share
        g = v if ahead is None else g + v * ahead
    p -= g * lr


class SGD(Optimizer):
    """Stochastic gradient descent; as torch.optim.SGD.

    `momentum_buffers[i]` is the v of `params[i]`, None until its first step with momentum.
    """

    names = ("momentum_buffer",)
    momentum, dampening = option("momentum"), option("dampening")
    weight_decay, nesterov = option("weight_decay"), option("nesterov")

    def __init__(
        self,
        params: Params,
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov})

    @property
    def momentum_buffers(self) -> list[Array | None]:
        return self.buffers["momentum_buffer"]

    @momentum_buffers.setter
    def momentum_buffers(self, buffers: list[Array | None]) -> None:
        self.buffers["momentum_buffer"] = buffers

    def checked(self, asker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: number(asker, name, options[name]) for name in ("lr", "momentum", "dampening", "weight_decay")}
        said = {"lr": "learning rate", "momentum": "momentum value", "weight_decay": "weight_decay value"}
        for name, what in said.items():
            if found[name] < 0:
                raise ValueError(f"{asker}: Invalid {what}: {options[name]}; it must be at least 0")
        if options["nesterov"] and (found["momentum"] == 0 or found["dampening"] != 0):
            raise ValueError(
                f"{asker}: Nesterov momentum requires a momentum and zero dampening, "
                f"got momentum {options['momentum']}, dampening {options['dampening']}"
            )
        return {**found, "nesterov": bool(options["nesterov"])}

    def remembered(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return self.names if options["momentum"] else ()

    def move(self, i: int, p: Array, g: Array, options: dict[str, Any]) -> None:
        momentum, dampening = options["momentum"], options["dampening"]
        first = self.buffers["momentum_buffer"][i] is None  # zeros, which become g itself
        v = self.buffer("momentum_buffer", i) if momentum else None
        share = 1 - dampening if dampening and not first else None
        ahead = momentum if options["nesterov"] else None
        move(p, g, v, options["lr"], momentum, share, options["weight_decay"] or None, ahead)
