"""containers: modules that hold others: lists and dicts of layers for a forward of one's own, and the shortcut."""

from collections.abc import Iterable, Iterator, Mapping

from tinycnn.autograd.tensor import Tensor
from tinycnn.nn.layers import Identity
from tinycnn.nn.module import Module
from tinycnn.nn.sequential import Layers, Sequential


class ModuleList(Layers, per_example=True):
    """A list of layers that the module around it runs as it likes: (N, ...) to (N, ...), or what they say.

        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])

    Unlike those in a Python list, they are found: trained, saved, moved.  Named "0", "1", ... as torch's.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)


class ModuleDict(Module, per_example=True):
    """A dict of layers by name, which are found as a ModuleList's are: trained, saved, moved."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        self.update(modules or {})

    def __getitem__(self, name: str) -> Module:
        found = dict(self.named_children())
        if name not in found:
            raise KeyError(f"ModuleDict: there is no layer {name!r}; there are {', '.join(found) or 'none'}")
        return found[name]

    def __setitem__(self, name: str, layer: Module) -> None:
        if name in self:
            delattr(self, name)
        Layers._add(self, name, layer)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add these layers, in place of those of the same names."""
        for name, layer in modules.items():
            self[name] = layer

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.named_children())

    def __contains__(self, name: object) -> bool:
        return name in dict(self.named_children())

    def keys(self) -> Iterator[str]:
        """The names, in the order in which they were added."""
        return iter(self)

    def values(self) -> Iterator[Module]:
        """The layers."""
        return self.children()

    def items(self) -> Iterator[tuple[str, Module]]:
        """Names and layers."""
        return self.named_children()


class Residual(Module, onnx="Residual", per_example=True):  # where its layers are
    """Layers with a way around them: body(x) + shortcut(x), both of one shape; the block of residual nets.

        nn.Residual(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        nn.Residual(nn.Conv2d(8, 16, 3, stride=2, padding=1), shortcut=nn.Conv2d(8, 16, 1, stride=2))

    A gradient reaches what is below through the shortcut undiminished, however many blocks there are: He et al., Deep
    Residual Learning for Image Recognition (2015).  `shortcut` is Identity() unless given.
    """

    def __init__(self, *layers: Module, shortcut: Module | None = None) -> None:
        self.body = Sequential(*layers)
        self.shortcut = Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        y, around = self.body(x), self.shortcut(x)
        if y.shape != around.shape:
            raise ValueError(
                f"Residual: from {x.shape} the layers give {y.shape} and the shortcut {around.shape}, expected one "
                "shape; give a shortcut that changes the shape as they do, such as Conv2d(channels, filters, 1, stride)"
            )
        return y + around
