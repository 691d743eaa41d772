"""module: Module, a function with parameters.

    class Scale(Module):
        def __init__(self, features):
            self.factor = Parameter(np.ones(features, np.float32))    # an attribute, and thereby found

        def forward(self, x):
            return x * self.factor

A Module's parameters are those of its attributes that are Parameters, and the parameters of those that are Modules.
Nothing is registered: assigning, replacing and deleting attributes is all there is to it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from tinycnn.autograd.arguments import numeric
from tinycnn.autograd.tensor import Parameter, Tensor
from tinycnn.backend import DEVICES, Array, device_of, to_device
from tinycnn.elsewhere import Advising
from tinycnn.nn.state import KeysLeft, fitting

Self = TypeVar("Self", bound="Module")  # typing.Self is newer than Python 3.10
See = Callable[[str, "Module", Tensor, Tensor], None]  # what looks on: at a layer, its name, x and y


class Declared(NamedTuple):
    """What the rest of the package asks about a kind of layer; what is not declared is unknown, and refused by name.

    sees    which numbers of its input one number of its output depends on: "element" that at its own place, "window"
            those under its window (of kernel_size, stride, padding and dilation), "row" all features, "map" much
            or all of its channel, "batch" in training all of the batch and in evaluation that at its own place
    onnx    the ONNX operator that computes it, or a function of (graph, layer, output_shape) that adds its nodes
    fused   its name in the fused kernels (see execution/stages.py)
    per_example     whether each example of a batch goes through by itself and forward changes no attribute, so that
            parts of a batch may be computed apart, on several cores; what declares `sees` is so anyway, but for "batch"
    meets   whether forward takes what it wants to know of the batch from whole.total, so that parts may be computed
            even if it sees "batch"; and changes attributes only in the part that whole.remembers
    """

    sees: str | None = None
    onnx: str | Callable[..., object] | None = None
    fused: str | None = None
    per_example: bool = False
    meets: bool = False


def kinds(declaring: str) -> list[str]:
    """The names of all kinds of layers that declare this ("onnx", "fused"), in the order of the alphabet."""
    known = Module.__subclasses__()
    for kind in known:  # grows as it goes
        known += kind.__subclasses__()
    return sorted({kind.__name__ for kind in known if getattr(kind.declared, declaring)})


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not learned, such as a running mean; Module finds it."""

    __slots__ = ()


def _held(value: object) -> list[object]:
    """The modules and parameters in a list, tuple or dict; none are in anything else."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [item for item in inside if isinstance(item, (Module, Parameter))]


class Module(Advising, place="Module"):
    """A function with parameters: a layer, or a net of layers.  Subclasses define `forward`.

    Names, state_dict keys and the looks of print(module) are torch.nn.Module's.  What else is asked about a layer, its
    class declares in its first line, for that very forward: a subclass with another one declares again.

        class Softsign(Module, sees="element", onnx="Softsign"): ...
    """

    declared: ClassVar[Declared] = Declared()
    training = True  # what train() and eval() set; Dropout looks at it

    def __init_subclass__(cls, **declared: Any) -> None:
        super().__init_subclass__()
        if declared or "forward" in vars(cls):
            cls.declared = Declared(**declared)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes.  Every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(self, x)")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    # -- what it consists of

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules that are attributes of this one, in the order of their assignment."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator["Module"]:
        """As named_children, without the names."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module, named `prefix`, and all below it, as "2.conv"; one that is used twice comes once."""
        seen: set[int] = set()
        for name, module in self._walk(prefix):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self) -> Iterator["Module"]:
        """As named_modules, without the names."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter of this module and all below it, as "0.weight"; one that is used twice comes once."""
        seen: set[int] = set()
        self._refuse_strays()
        for name, parameter in self._entries():
            if isinstance(parameter, Parameter) and id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """As named_parameters, without the names: what an optimiser takes."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every Buffer of this module and all below it, as "1.running_mean"."""
        return ((name, tensor) for name, tensor in self._entries() if isinstance(tensor, Buffer))

    def buffers(self) -> Iterator[Buffer]:
        """As named_buffers, without the names."""
        return (buffer for _, buffer in self.named_buffers())

    def _walk(self, name: str) -> Iterator[tuple[str, "Module"]]:
        """This module and all below it, by every name that leads there."""
        yield name, self
        for child_name, child in self.named_children():
            yield from child._walk(f"{name}.{child_name}" if name else child_name)

    def _entries(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        """Every Parameter and Buffer by every name that leads to it."""
        for module_name, module in self._walk(""):
            for name, value in vars(module).items():
                if isinstance(value, (Parameter, Buffer)):
                    yield (f"{module_name}.{name}" if module_name else name), value

    def _refuse_strays(self) -> None:
        """TypeError where a list or dict holds layers that no attribute does: they would not learn, nor be saved."""
        modules = list(self.modules())
        found = {id(value) for module in modules for value in [module, *vars(module).values()]}
        for module in modules:
            for name, value in vars(module).items():
                lost = [item for item in _held(value) if id(item) not in found]
                if lost:
                    kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
                    raise TypeError(
                        f"{type(module).__name__}: {name} is a {type(value).__name__} that holds a "
                        f"{type(lost[0]).__name__}, which is not found there: it would not learn, nor be saved; make "
                        f"it an attribute, or write self.{name} = nn.{kind}(...)"
                    )

    def apply(self: Self, function: Callable[["Module"], object]) -> Self:
        """Call `function` on every module below this one, then on this one; returns the module itself."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -- training or evaluating

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode here and in all modules below; returns the module itself."""
        self.training = bool(mode)
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Set evaluation mode here and in all modules below (dropout lets everything pass)."""
        return self.train(False)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within this block everything is in evaluation mode; afterwards each module is in the mode it had before."""
        modes = [(module, module.training) for module in self.modules()]
        try:
            self.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training

    @contextmanager
    def watching(self, see: See, besides: type["Module"] | tuple[()] = ()) -> Iterator[None]:
        """Within this block every layer calls see(its name, the layer, x, y) when it has made y of x.

        A layer is a module that has no modules inside; `besides` is a kind that is watched although it has.
        """
        found = self.named_modules()
        layers = [(name, m) for name, m in found if isinstance(m, besides) or not any(True for _ in m.children())]
        for name, layer in layers:
            vars(layer)["forward"] = _seen(name, layer, layer.forward, see)
        try:
            yield
        finally:
            for _, layer in layers:
                del vars(layer)["forward"]

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """The products that are summed for one image's output; none in most layers.  For summary."""
        return 0

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts from nothing."""
        for parameter in self.parameters():
            parameter.grad = None

    # -- where, and how precise

    def to(self: Self, *to: str | DTypeLike) -> Self:
        """Move to a device ("cpu", "gpu" or "cuda"), convert to a dtype of floats, or both; returns the module itself.

        Parameters stay the same objects, so an optimiser keeps knowing them; gradients and other tensors that
        are attributes go along (integers keep their dtype).  Nothing moves unless everything can.
        """
        tensors = [t for module in self.modules() for t in vars(module).values() if isinstance(t, Tensor)]
        tensors += [t.grad for t in tensors if t.grad is not None]
        moved = {id(t): t.data for t in tensors}
        for target in to:
            if not (isinstance(target, str) and target in DEVICES):
                if (dtype := numeric("to", target)).kind != "f":
                    raise TypeError(f"to: a module's dtype must be floating point, got {dtype}")
                moved = {key: x.astype(dtype, copy=False) if x.dtype.kind == "f" else x for key, x in moved.items()}
            else:
                moved = {key: to_device(x, target) for key, x in moved.items()}
        for t in tensors:
            t.data = moved[id(t)]
        return self

    def float(self: Self) -> Self:
        """In float32."""
        return self.to(np.float32)

    def double(self: Self) -> Self:
        """In float64."""
        return self.to(np.float64)

    # -- saving and loading

    def state_dict(self) -> dict[str, Array]:
        """A NumPy copy of every parameter and buffer, under PyTorch's name for it and in its shape."""
        self._refuse_strays()
        return {name: np.array(parameter.numpy(), order="C") for name, parameter in self._entries()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> KeysLeft:
        """Copy the arrays of state_dict() in, in place; float64 is rounded to a float32 model's.

        Takes NumPy and CuPy arrays, Tensors, and PyTorch's tensors.  ValueError names every entry that is missing
        or unexpected (strict only), has another shape or kind of numbers, or is not finite; then nothing is changed.
        Returns the names left over on both sides.
        """
        entries = dict(self._entries())
        wanted = {name: parameter.data for name, parameter in entries.items()}
        found, left = fitting(f"load_state_dict of {type(self).__name__}", wanted, state_dict, strict)
        arrays = {name: to_device(array, device_of(wanted[name])) for name, array in found.items()}
        for name, array in arrays.items():
            entries[name].data[...] = array
        return left

    # -- print(module)

    def extra_repr(self) -> str:
        """What stands between the brackets of the module's line."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {child!r}" for name, child in self.named_children()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        inside = "\n".join([self.extra_repr(), *lines] if self.extra_repr() else lines)
        return f"{type(self).__name__}(\n  " + inside.replace("\n", "\n  ") + "\n)"


def _seen(name: str, layer: Module, forward: Callable[[Tensor], Tensor], see: See) -> Callable[[Tensor], Tensor]:
    def seen(x: Tensor) -> Tensor:
        y = forward(x)
        see(name, layer, x, y)
        return y

    return seen
