"""sequential: layers one after another, and errors that name the layer."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from tinycnn.autograd.tensor import Tensor
from tinycnn.nn.layers import Flatten, Linear
from tinycnn.nn.module import Module

List = TypeVar("List", bound="Layers")


class Layers(Module):
    """What lists of layers share: they can be looped over, indexed, sliced and appended to."""

    def _add(self: Module, name: str, layer: object) -> None:
        if not isinstance(name, str) or not name or "." in name or hasattr(self, name):
            raise ValueError(
                f"{type(self).__name__}: {name!r} cannot be the name of a layer (taken, empty, or with a dot)"
            )
        setattr(self, name, _module(self, name, layer))

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: List, index: slice) -> List: ...
    def __getitem__(self, index: int | slice) -> Module:
        """One layer, or a new list of some, which shares them with this one and keeps their names."""
        if isinstance(index, slice):
            some = object.__new__(Sequential if isinstance(self, Sequential) else type(self))
            vars(some).update(list(self.named_children())[index])
            return some
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, layer: Module) -> None:
        """Replace one layer."""
        name = self._name(index)
        setattr(self, name, _module(self, name, layer))

    def _name(self, index: int) -> str:
        names = [name for name, _ in self.named_children()]
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: there is no layer {index}, it has {len(names)}")
        return names[index]

    def append(self: List, layer: Module) -> List:
        """Add a layer at the end, named by the next free number; returns the list itself."""
        number = len(self)
        while hasattr(self, str(number)):  # a slice [3:6] has three layers named "3", "4", "5"
            number += 1
        self._add(str(number), layer)
        return self

    def extend(self: List, layers: Iterable[Module]) -> List:
        """Append each of several layers; returns the list itself."""
        for layer in layers:
            self.append(layer)
        return self


class Sequential(Layers, per_example=True):  # where its layers are
    """Layers one after another: Sequential(a, b)(x) is b(a(x)).

    A list of layers with a forward: it can be looped over, indexed, sliced and appended to.  Layers are named "0",
    "1", ..., or by the keys of a dict: Sequential({"conv": a, "pool": b}).
    """

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        only = layers[0] if len(layers) == 1 else None
        named = only if isinstance(only, Mapping) else {str(i): layer for i, layer in enumerate(layers)}
        for name, layer in named.items():
            self._add(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        shape = None  # of the input of the layer before
        for name, layer in self.named_children():
            try:
                y = layer(x)
            except (TypeError, ValueError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                raise kind(f"layer {name} ({_short(layer)}): {error}{self._advice(layer, x, shape)}") from error
            shape, x = getattr(x, "shape", None), y
        return x

    def _advice(self, layer: Module, x: Tensor, shape: tuple[int, ...] | None) -> str:
        """How to mend the commonest mistake: a Linear that does not fit the images that Flatten unrolled."""
        layers = list(self)
        before = layers[layers.index(layer) - 1]
        if not isinstance(layer, Linear) or not isinstance(before, Flatten) or shape is None or x.ndim != 2:
            return ""
        if (F := x.shape[1]) == layer.in_features:
            return ""
        sizes = "*".join(map(str, shape[1:]))
        return (
            f"; Flatten made {F} = {sizes} features of {shape}: write Linear({F}, {layer.out_features}), or change "
            f"kernels, padding or strides above so that {layer.in_features} arrive"
        )


def _module(owner: Module, name: str, layer: object) -> Module:
    """`layer`, if it is one."""
    if not isinstance(layer, Module):
        hint = "; call it to make a layer" if isinstance(layer, type) and issubclass(layer, Module) else ""
        raise TypeError(f"{type(owner).__name__}: layer {name} must be a Module, got {layer!r}{hint}")
    return layer


def _short(layer: Module) -> str:
    """A layer as it prints; of one that has layers itself only the name, since they follow in the message."""
    return type(layer).__name__ if any(True for _ in layer.children()) else repr(layer)
