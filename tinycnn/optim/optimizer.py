"""optimizer: what all optimisers share: parameters in groups, options that may change at any time, saving and loading.

    SGD(net.parameters(), lr=0.1)
    SGD([{"params": net[0].parameters(), "lr": 0.01}, {"params": net[1].parameters()}], lr=0.1)

A group is a dict of its parameters and its own options; `optimizer.lr` is that of the first group, and setting it sets
all.  What an optimiser remembers of each parameter, such as a momentum, is a list of arrays in `buffers`, by name.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, array_module, device_of, to_device, to_numpy
from tinycnn.nn.state import fitting

Params = Iterable[Tensor] | Iterable[dict[str, Any]]


def option(name: str) -> Any:
    """An attribute that is an option of the groups."""

    def get(self: "Optimizer") -> Any:
        return self.param_groups[0][name]

    def set_all(self: "Optimizer", value: Any) -> None:
        for group in self.param_groups:
            group[name] = value

    return property(get, set_all)


class Optimizer:
    """Moves parameters in place, in their own dtype and on their device.  A subclass checks options and moves them.

    `params` are all parameters, group after group, and `param_groups` the groups.  Options may be changed between
    steps (`optimizer.lr = 0.1`).  Parameters without a gradient stand still.
    """

    lr = option("lr")
    names: ClassVar[tuple[str, ...]]  # of the buffers
    buffers: dict[str, list[Array | None]]  # for each parameter None until its first step

    def __init__(self, params: Params, options: Mapping[str, Any]) -> None:
        kind = type(self).__name__
        groups = _groups(kind, params, options)
        for group in groups:
            group.update(self.checked(kind, group))
        self.param_groups = groups
        self.params: list[Tensor] = [p for group in groups for p in group["params"]]
        self.buffers = {name: [None] * len(self.params) for name in self.names}

    def checked(self, asker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a group, each checked and in its own type, in the name of `asker`."""
        raise NotImplementedError

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        i = 0
        for group in self.param_groups:
            # Python numbers, whatever was assigned: NumPy's own scalars would widen float32 to float64
            options = self.checked(type(self).__name__, group)
            for p in group["params"]:
                if p.grad is not None:
                    self.move(i, p.data, p.grad.data, options)
                i += 1

    def move(self, i: int, p: Array, g: Array, options: dict[str, Any]) -> None:
        """One step of parameter i, whose numbers are p, along the gradient g."""
        raise NotImplementedError

    def buffer(self, name: str, i: int) -> Array:
        """What is remembered of parameter i: at first zeros; in its dtype and on its device, wherever it has moved."""
        x, v = self.params[i].data, self.buffers[name][i]
        if v is None:
            v = array_module(x).zeros_like(x)
        elif v.dtype != x.dtype or type(v) is not type(x):
            v = to_device(v.astype(x.dtype, copy=False), device_of(x))
        self.buffers[name][i] = v
        return v

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, so that the next backward starts from nothing; or, unless set_to_none, from zeros."""
        for p in self.params:
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The options (those of a second group as "1.lr"), and "momentum_buffer.0", ... or what else is remembered:
        NumPy copies, or None before the first step."""
        state: dict[str, Any] = {}
        for number, group in enumerate(self.param_groups):
            options = self.checked(type(self).__name__, group)
            state |= {_key(number, name): value for name, value in options.items()}
        for name in self.remembered(self.param_groups[0]):
            for i, v in enumerate(self.buffers[name]):
                state[f"{name}.{i}"] = None if v is None else to_numpy(v).copy()
        return state

    def remembered(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the buffers that these options make use of."""
        return self.names

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where state_dict() was taken.  ValueError names all that is missing or does not fit, and nothing
        is changed then."""
        asker = f"load_state_dict of {type(self).__name__}"
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"{asker}: expected what state_dict() returned, got {type(state_dict).__name__}")
        wanted = [{name: _key(k, name) for name in g if name != "params"} for k, g in enumerate(self.param_groups)]
        keys = [key for group in wanted for key in group.values()]
        if absent := [key for key in keys if key not in state_dict]:
            raise ValueError(f"{asker}: {', '.join(absent)} missing; nothing was changed")
        options = [{name: state_dict[key] for name, key in group.items()} for group in wanted]
        arrays = {name: value for name, value in state_dict.items() if name not in keys}
        slots = {f"{name}.{i}": p.data for name in self.remembered(options[0]) for i, p in enumerate(self.params)}
        fresh = {name for name in slots if name in arrays and arrays[name] is None}
        found, _ = fitting(
            asker,
            {name: data for name, data in slots.items() if name not in fresh},
            {name: value for name, value in arrays.items() if name not in fresh},
        )
        loaded = {name: to_device(array, device_of(slots[name])) for name, array in found.items()}
        checked = [self.checked(asker, group) for group in options]
        for group, values in zip(self.param_groups, checked, strict=True):
            group.update(values)
        self.buffers = {name: [loaded.get(f"{name}.{i}") for i in range(len(self.params))] for name in self.names}


def _key(group: int, name: str) -> str:
    return f"{group}.{name}" if group else name


def _groups(kind: str, params: Params, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups that `params` describe, each with all options; no Tensor is in two places."""
    if isinstance(params, Tensor):
        raise TypeError(f"{kind}: params must be several Tensors, got one; write {kind}([tensor], ...)")
    given: list[Any] = list(params)
    groups = given if given and all(isinstance(group, dict) for group in given) else [{"params": given}]
    made: list[dict[str, Any]] = []
    for group in groups:
        if unknown := set(group) - {"params", *options}:
            raise ValueError(f"{kind}: a group has the option {min(unknown)!r}, there are {', '.join(options)}")
        if "params" not in group:
            raise ValueError(f"{kind}: a group has no 'params', expected some Tensors")
        made.append({**options, **group, "params": _leaves(kind, group["params"])})
    found = [id(p) for group in made for p in group["params"]]
    if len(set(found)) < len(found):
        raise ValueError(f"{kind}: params has the same Tensor twice; it would be moved twice per step")
    return made


def _leaves(kind: str, params: Iterable[Any]) -> list[Tensor]:
    """The parameters as a list: leaves of floats, at least one."""
    found = [params] if isinstance(params, Tensor) else list(params)
    if not found:
        raise ValueError(f"{kind}: params is empty; an iterator such as model.parameters() can be used only once")
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise TypeError(f"{kind}: params must be Tensors, such as model.parameters(); number {i} is {p!r}")
        if not p.is_leaf or p.dtype.kind != "f":
            raise ValueError(f"{kind}: params must be leaves of floats; number {i}, {p.shape} {p.dtype}, cannot learn")
    return found
