"""sgd: stochastic gradient descent, which moves parameters against their gradients.

The arithmetic is torch.optim.SGD's.  For a parameter p with gradient g:

    g = g + weight_decay * p
    v = momentum * v + (1 - dampening) * g          the first v is g itself
    g = g + momentum * v   if nesterov, else v
    p = p - lr * g
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tinycnn.backend import Array, device_of, to_device, to_numpy
from tinycnn.nn._checks import number
from tinycnn.nn.state import fitting
from tinycnn.tensor import Tensor

OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov")


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
        lr, momentum, weight_decay = float(self.lr), float(self.momentum), float(self.weight_decay)
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            x, g = p.data, p.grad.data
            if weight_decay:
                g = g + x * weight_decay
            if momentum:
                g = self._with_momentum(i, g, momentum)
            x -= g * lr

    def _with_momentum(self, i: int, g: Array, momentum: float) -> Array:
        """Bring the running mean of gradients up to date; what the parameter moves by."""
        v = self.momentum_buffers[i]
        if v is None:
            v = g.copy()
        else:
            v = _like(v, g)
            v *= momentum
            v += g * (1 - float(self.dampening)) if self.dampening else g
        self.momentum_buffers[i] = v
        return g + v * momentum if self.nesterov else v

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


def _like(v: Array, g: Array) -> Array:
    """v in g's dtype and on its device: the model may have moved since the last step."""
    if v.dtype != g.dtype:
        v = v.astype(g.dtype)
    return v if type(v) is type(g) else to_device(v, device_of(g))


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
