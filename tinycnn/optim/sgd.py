"""sgd: stochastic gradient descent, which moves parameters against their gradients.

The arithmetic is torch.optim.SGD's.  For a parameter p with gradient g:

    g = g + weight_decay * p
    v = momentum * v + (1 - dampening) * g          the first v is g itself
    g = g + momentum * v   if nesterov, else v
    p = p - lr * g
"""

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from tinycnn.autograd.arguments import number
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module, device_of, fused, to_device, to_numpy
from tinycnn.nn.state import fitting

OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov")


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


class SGD:
    """Stochastic gradient descent on a list of parameters, in place, in their own dtype and on their device.

    Options are plain attributes and may be changed between steps (`optimizer.lr = 0.1`).  `momentum_buffers[i]` is
    the v of `params[i]`, None until its first step with momentum.  Parameters without a gradient stand still.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.params = _checked(params)
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        self._set_options({**options, "nesterov": nesterov}, "SGD")
        self.momentum_buffers: list[Array | None] = [None] * len(self.params)

    def _set_options(self, options: Mapping[str, Any], asker: str) -> None:
        """Check all options, then set them."""
        for name in ("lr", "momentum", "weight_decay"):
            if not number(asker, name, options[name]) >= 0:
                what = {"lr": "learning rate", "momentum": "momentum value", "weight_decay": "weight_decay value"}
                raise ValueError(f"{asker}: Invalid {what[name]}: {options[name]}; it must be at least 0")
        dampening = number(asker, "dampening", options["dampening"])
        if options["nesterov"] and (options["momentum"] == 0 or dampening != 0):
            raise ValueError(
                f"{asker}: Nesterov momentum requires a momentum and zero dampening, "
                f"got momentum {options['momentum']}, dampening {dampening}"
            )
        self.lr, self.momentum = float(options["lr"]), float(options["momentum"])
        self.weight_decay, self.dampening = float(options["weight_decay"]), dampening
        self.nesterov = bool(options["nesterov"])

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts from nothing."""
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        # Python numbers, whatever was assigned: NumPy's own scalars would widen float32 to float64
        lr, momentum, weight_decay = float(self.lr), float(self.momentum), float(self.weight_decay) or None
        ahead = momentum if self.nesterov else None
        for i, p in enumerate(self.params):
            if p.grad is not None:
                v, share = self._velocity(i) if momentum else (None, None)
                move(p.data, p.grad.data, v, lr, momentum, share, weight_decay, ahead)

    def _velocity(self, i: int) -> tuple[Array, float | None]:
        """The v of a parameter, and the share of g that it takes in: at first zeros, which become g itself."""
        x, v = self.params[i].data, self.momentum_buffers[i]
        share = 1 - float(self.dampening) if self.dampening and v is not None else None
        v = array_module(x).zeros_like(x) if v is None else _like(v, x)
        self.momentum_buffers[i] = v
        return v, share

    def state_dict(self) -> dict[str, Any]:
        """The options, and with momentum "momentum_buffer.0", ...: NumPy copies, or None before the first step."""
        state: dict[str, Any] = {name: float(getattr(self, name)) for name in OPTIONS if name != "nesterov"}
        state["nesterov"] = bool(self.nesterov)
        if self.momentum:
            for i, v in enumerate(self.momentum_buffers):
                state[f"momentum_buffer.{i}"] = None if v is None else to_numpy(v).copy()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where state_dict() was taken.  ValueError names all that is missing or does not fit, and nothing
        is changed then."""
        asker = "load_state_dict of SGD"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{asker}: expected what state_dict() returned, got {type(state_dict).__name__}")
        if absent := [name for name in OPTIONS if name not in state_dict]:
            raise ValueError(f"{asker}: {', '.join(absent)} missing; nothing was changed")
        buffers = {name: value for name, value in state_dict.items() if name not in OPTIONS}
        names = {f"momentum_buffer.{i}": p.data for i, p in enumerate(self.params) if state_dict["momentum"]}
        fresh = {name for name in names if name in buffers and buffers[name] is None}
        found, _ = fitting(
            asker,
            {name: data for name, data in names.items() if name not in fresh},
            {name: value for name, value in buffers.items() if name not in fresh},
        )
        loaded = [
            to_device(found[name], device_of(p.data)) if (name := f"momentum_buffer.{i}") in found else None
            for i, p in enumerate(self.params)
        ]
        self._set_options(state_dict, asker)
        self.momentum_buffers = loaded


def _like(v: Array, x: Array) -> Array:
    """v in x's dtype and on its device: the model may have moved since the last step."""
    if v.dtype != x.dtype:
        v = v.astype(x.dtype)
    return v if type(v) is type(x) else to_device(v, device_of(x))


def _checked(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters as a list: leaves, each once, at least one."""
    if isinstance(params, Tensor):
        raise TypeError("SGD: params must be several Tensors, got one; write SGD([tensor], ...)")
    found = list(params)
    if not found:
        raise ValueError("SGD: params is empty; an iterator such as model.parameters() can be used only once")
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise TypeError(f"SGD: params must be Tensors, such as model.parameters(); number {i} is {p!r}")
        if not p.is_leaf or p.dtype.kind != "f":
            raise ValueError(f"SGD: params must be leaves of floats; number {i}, {p.shape} {p.dtype}, cannot learn")
    if len({id(p) for p in found}) < len(found):
        raise ValueError("SGD: params has the same Tensor twice; it would be moved twice per step")
    return found
