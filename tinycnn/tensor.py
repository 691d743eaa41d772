"""Tensor: an array that can say how it was made; Op: one differentiable operation.

The operators' own arithmetic is in arithmetic.py and the neural operations are in ops/, one file each.  Both
enter themselves in `OPS` by name; a Tensor's methods look them up there, so imports go one way only.
"""

import builtins
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, SupportsIndex, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tinycnn.backend import Array, array_module, device_of, to_device, to_numpy
from tinycnn.tape import Context, Leaf, Node, is_grad_enabled, run_backward

Operand = Union["Tensor", Array, float]  # what may stand on either side of an operator

OPS: dict[str, type["Op"]] = {}  # every operation by name; an Op enters itself when its class is made


class Op:
    """One differentiable operation.  A subclass gives two static methods, and a name under which it is found:

    class CubeOp(Op, name="cube"):
        @staticmethod
        def forward(ctx, x):            # arrays in, array out; keep what backward needs
            ctx.save(x=x)
            return x * x * x

        @staticmethod
        def backward(ctx, dy):          # gradient of the output in, one gradient per input out
            return 3 * ctx.x * ctx.x * dy

    y = CubeOp.apply(tensor)            # inputs by position (Tensor or None), options by keyword
    """

    name: ClassVar[str]
    forward: ClassVar[Callable[..., Array]]
    backward: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, name: str) -> None:
        cls.name = name
        OPS[name] = cls

    @classmethod
    def apply(cls, *inputs: "Tensor | None", **options: Any) -> "Tensor":
        """Run forward on the inputs' arrays, and record it where an input wants a gradient."""
        recording = is_grad_enabled()
        ctx = Context(needs=tuple(recording and t is not None and t.requires_grad for t in inputs))
        y = Tensor(cls.forward(ctx, *(None if t is None else t.data for t in inputs), **options))
        if any(ctx.needs) and y.dtype.kind == "f":
            sources = [
                (t.grad_fn or t) if t is not None and needed else None
                for t, needed in zip(inputs, ctx.needs, strict=True)
            ]
            shapes = [() if t is None else t.shape for t in inputs]
            y.requires_grad, y.grad_fn = True, Node(cls.name, cls.backward, ctx, sources, shapes)
        return y


class Tensor:
    """A NumPy or CuPy array (`data`) with a gradient (`grad`) and a memory of how it was made (`grad_fn`).

    Shapes, names and meanings are PyTorch's.  A tensor made by `tinycnn.tensor` is a leaf: after `backward()`
    its gradient is in `.grad`, of the same shape and dtype, and adds up over calls until it is set to None.
    """

    __slots__ = ("__weakref__", "data", "grad", "grad_fn", "requires_grad")
    __array_ufunc__ = None  # so that array + tensor is the tensor's business, not NumPy's

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        if requires_grad and data.dtype.kind != "f":
            raise TypeError(
                f"Tensor: only floating-point tensors can require gradients, got dtype {data.dtype}; "
                "make it float32 or float64 first"
            )
        self.data = data
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.grad_fn: Node | None = None

    # -- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.data.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data.dtype

    @property
    def device(self) -> str:
        """ "cpu" or "gpu"."""
        return device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        """True for a tensor that no recorded operation made: a parameter, an input, a constant."""
        return self.grad_fn is None

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: a tensor of shape () has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        text = np.array2string(to_numpy(self.data), separator=", ", prefix="tensor(", precision=4, threshold=100)
        notes = [text]
        if self.dtype != np.float32:
            notes.append(f"dtype={self.dtype}")
        if self.device != "cpu":
            notes.append(f"device={self.device!r}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={self.grad_fn!r}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join(notes)})"

    def __bool__(self) -> bool:
        return bool(self._only_element("bool"))

    def __float__(self) -> builtins.float:
        return float(self._only_element("float"))

    def __int__(self) -> int:
        return int(self._only_element("int"))

    # -- out of the graph, to other places

    def numpy(self) -> Array:
        """The values as a NumPy array; it shares memory with the tensor on CPU, and waits for the GPU."""
        return to_numpy(self.data)

    def item(self) -> builtins.float:
        """The one element as a Python number; ValueError where there are more."""
        number: builtins.float = self._only_element("item").item()
        return number

    def detach(self) -> "Tensor":
        """The same data outside the graph: no gradient flows through it."""
        return Tensor(self.data)

    def to(self, *to: str | DTypeLike) -> "Tensor":
        """On another device ("cpu", "gpu"), in another dtype, or both; itself where nothing changes.

        Gradients flow back through the change.
        """
        target: Tensor = self
        for change in to:
            if change in ("cpu", "gpu"):
                if target.device != change:
                    target = OPS["to_device"].apply(target, device=change)
            elif target.dtype != np.dtype(change):
                target = OPS["to_dtype"].apply(target, dtype=np.dtype(change))
        return target

    def float(self) -> "Tensor":
        """In float32."""
        return self.to(np.float32)

    def double(self) -> "Tensor":
        """In float64."""
        return self.to(np.float64)

    # -- gradients

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Say whether this leaf wants a gradient; returns the tensor itself."""
        if self.grad_fn is not None:
            raise RuntimeError("requires_grad_: only leaves can change it; use detach() to leave the graph")
        self.requires_grad = Tensor(self.data, requires_grad).requires_grad  # the constructor holds the rule
        return self

    def retain_grad(self) -> None:
        """Let this intermediate result keep its gradient in `.grad` as leaves do; of use to look inside a net."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: this tensor requires no gradient; record it with requires_grad=True")
        if self.grad_fn is not None:
            me = weakref.ref(self)
            self.grad_fn.watchers.append(lambda dy: _add_to_grad(me(), dy))

    def backward(self, gradient: "Tensor | Array | None" = None, retain_graph: bool = False) -> None:
        """Add to `.grad` of every leaf this tensor was made from the derivative of (gradient * self).sum().

        `gradient` has this tensor's shape and may be left out for a single number, where it is 1.  The saved
        arrays of each operation are freed as backward passes it, unless retain_graph.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward: this tensor does not depend on any tensor with requires_grad=True, "
                "or was computed under no_grad()"
            )
        dy = self._upstream(gradient)
        if self.grad_fn is None:
            _add_to_grad(self, dy)
        else:
            run_backward(self.grad_fn, dy, _deposit, retain_graph)

    def _upstream(self, gradient: "Tensor | Array | None") -> Array:
        if gradient is None:
            if self.size != 1:
                raise RuntimeError(
                    f"backward: a gradient can be left out only for a single number, this tensor has shape "
                    f"{self.shape}; pass backward(gradient) of that shape, or reduce it with .sum() or .mean()"
                )
            ones: Array = array_module(self.data).ones_like(self.data)
            return ones
        dy = as_operand(gradient, self).data
        if dy.shape != self.shape:
            raise ValueError(f"backward: gradient has shape {dy.shape}, the tensor has shape {self.shape}")
        return dy

    def _only_element(self, asker: str) -> Array:
        if self.size != 1:
            raise ValueError(f"{asker}: expected a tensor with one element, got shape {self.shape}")
        return to_numpy(self.data).reshape(())

    # -- arithmetic, with broadcasting; numbers and arrays take this tensor's dtype

    def __add__(self, other: Operand) -> "Tensor":
        return _binary("add", self, other)

    def __radd__(self, other: Operand) -> "Tensor":
        return _binary("add", other, self)

    def __sub__(self, other: Operand) -> "Tensor":
        return _binary("sub", self, other)

    def __rsub__(self, other: Operand) -> "Tensor":
        return _binary("sub", other, self)

    def __mul__(self, other: Operand) -> "Tensor":
        return _binary("mul", self, other)

    def __rmul__(self, other: Operand) -> "Tensor":
        return _binary("mul", other, self)

    def __truediv__(self, other: Operand) -> "Tensor":
        return _binary("div", self, other)

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return _binary("div", other, self)

    def __pow__(self, other: Operand) -> "Tensor":
        return _binary("pow", self, other)

    def __rpow__(self, other: Operand) -> "Tensor":
        return _binary("pow", other, self)

    def __matmul__(self, other: Operand) -> "Tensor":
        return _binary("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> "Tensor":
        return _binary("matmul", other, self)

    def __neg__(self) -> "Tensor":
        return OPS["neg"].apply(self)

    def exp(self) -> "Tensor":
        return OPS["exp"].apply(_floating(self))

    def log(self) -> "Tensor":
        """The natural logarithm."""
        return OPS["log"].apply(_floating(self))

    def sqrt(self) -> "Tensor":
        return OPS["sqrt"].apply(_floating(self))

    def relu(self) -> "Tensor":
        return OPS["relu"].apply(self)

    def sigmoid(self) -> "Tensor":
        return OPS["sigmoid"].apply(_floating(self))

    def tanh(self) -> "Tensor":
        return OPS["tanh"].apply(_floating(self))

    # -- sums and the like; axis may be an int, a tuple of ints, or None for all

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        return OPS["sum"].apply(self, axis=_axes("sum", axis, self), keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        return OPS["mean"].apply(_floating(self), axis=_axes("mean", axis, self), keepdims=keepdims)

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        """The greatest element; elements that tie for it share its gradient evenly, as in torch.amax."""
        return OPS["max"].apply(self, axis=_axes("max", axis, self), keepdims=keepdims)

    # -- shapes

    @property
    def T(self) -> "Tensor":
        """All axes in reverse order; the transpose of a matrix."""
        return OPS["permute"].apply(self, dims=tuple(reversed(range(self.ndim))))

    def reshape(self, *shape: int | tuple[int, ...]) -> "Tensor":
        """The same elements in another shape; one size may be -1, and follows from the others."""
        return OPS["reshape"].apply(self, shape=_ints(shape))

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Two axes exchanged."""
        dims = list(range(self.ndim))
        (a,), (b,) = _axes("transpose", dim0, self), _axes("transpose", dim1, self)
        dims[a], dims[b] = b, a
        return OPS["permute"].apply(self, dims=tuple(dims))

    def permute(self, *dims: int | tuple[int, ...]) -> "Tensor":
        """The axes in the given order: result.shape[i] == self.shape[dims[i]]."""
        order = _axes("permute", _ints(dims), self)
        if len(order) != self.ndim:
            raise ValueError(f"permute: got {len(order)} axes {order} for shape {self.shape}; name each axis once")
        return OPS["permute"].apply(self, dims=order)

    def flatten(self, start_dim: int = 0) -> "Tensor":
        """Axes from start_dim on merged into one."""
        (first,) = _axes("flatten", start_dim, self) if self.ndim else (0,)
        return self.reshape(*self.shape[:first], -1) if self.size else self.reshape(*_merged(self.shape, first))

    def __getitem__(self, index: Any) -> "Tensor":
        """Elements by NumPy's basic and integer-array indexing; an index that picks twice gets both gradients."""
        return OPS["index"].apply(self, index=_plain_index(index))


class Parameter(Tensor):
    """A tensor that a Module learns: it requires a gradient, and Module finds it."""

    __slots__ = ()

    def __init__(self, data: Array, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


def tensor(
    data: "ArrayLike | Tensor", dtype: DTypeLike | None = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A new leaf tensor with a copy of `data`: an array, a number, or nested lists of numbers.

    Without dtype, arrays keep theirs, and Python floats become float32 (NumPy alone would take float64).
    `device` is "cpu", "gpu", or None for where the data is.
    """
    source: Any = data.data if isinstance(data, Tensor) else data
    if not hasattr(source, "dtype"):
        source = np.asarray(source)
        if source.dtype.kind == "f":
            source = source.astype(np.float32)
    if dtype is None and source.dtype.kind not in "biuf":
        raise TypeError(f"tensor: cannot make a tensor of numbers from {type(data).__name__} of dtype {source.dtype}")
    copy = array_module(source).array(source, dtype=dtype, order="K")
    return Tensor(copy if device is None else to_device(copy, device), requires_grad)


def as_operand(value: Operand, like: Tensor) -> Tensor:
    """A number or array as a constant tensor on `like`'s device and of its dtype; a Tensor unchanged.

    Numbers never widen a dtype (float32 * 0.1 stays float32); a float meeting integers gives float32.
    """
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, int | float | np.generic) and not hasattr(value, "__array__"):
        raise TypeError(f"expected a Tensor, an array or a number, got {type(value).__name__}")
    xp = array_module(like.data)
    array = to_device(np.asarray(value) if isinstance(value, int | float | np.generic) else value, like.device)
    dtype = like.dtype
    if dtype.kind != "f" and array.dtype.kind == "f":
        dtype = np.dtype(np.float32)
    return Tensor(xp.asarray(array, dtype=dtype))


def _binary(name: str, a: Operand, b: Operand) -> Tensor:
    """Check two operands, bring them to one dtype, and apply the operation."""
    x = a if isinstance(a, Tensor) else as_operand(a, b)  # type: ignore[arg-type]  # one of the two is a Tensor
    y = as_operand(b, x)
    if x.device != y.device:
        raise ValueError(
            f"{name}: operands are on different devices ({x.device} {x.shape}, {y.device} {y.shape}); "
            "move one with .to(device)"
        )
    if x.dtype != y.dtype:
        if x.dtype.kind == y.dtype.kind == "f":
            raise TypeError(
                f"{name}: operands have different dtypes ({x.dtype} {x.shape}, {y.dtype} {y.shape}); "
                "convert one with .to(dtype)"
            )
        floating = [t.dtype for t in (x, y) if t.dtype.kind == "f"]
        common = floating[0] if floating else np.result_type(x.dtype, y.dtype)
        x, y = x.to(common), y.to(common)
    if name == "div":
        x, y = _floating(x), _floating(y)
    return OPS[name].apply(x, y)


def _floating(t: Tensor) -> Tensor:
    """Integers as float32, as in torch, where NumPy would give float64; floats as they are."""
    return t if t.dtype.kind == "f" else t.to(np.float32)


def _deposit(leaf: Leaf, gradient: Array) -> None:
    _add_to_grad(leaf, gradient)  # type: ignore[arg-type]  # leaves are Tensors: Op.apply put them there


def _add_to_grad(tensor: Tensor | None, gradient: Array) -> None:
    """Add to `.grad`, which always owns its memory, so that changing it in place disturbs nothing else."""
    if tensor is not None:
        tensor.grad = Tensor(gradient.copy(order="K") if tensor.grad is None else tensor.grad.data + gradient)


def _ints(values: tuple[Any, ...]) -> tuple[int, ...]:
    """(2, 3) from either f(2, 3) or f((2, 3))."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], tuple | list) else tuple(values)


def _axes(asker: str, axis: Any, t: Tensor) -> tuple[int, ...]:
    """One or several axes as a tuple of non-negative ints; None means all of them."""
    if axis is None:
        return tuple(range(t.ndim))
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    for a in axes:
        if not isinstance(a, SupportsIndex) or not -t.ndim <= int(a) < t.ndim:
            raise ValueError(f"{asker}: axis {a!r} does not exist in a tensor of shape {t.shape}")
    positive = tuple(int(a) % t.ndim for a in axes)
    if len(set(positive)) != len(positive):
        raise ValueError(f"{asker}: axes {axes} name one axis twice (shape {t.shape})")
    return positive


def _merged(shape: tuple[int, ...], first: int) -> tuple[int, ...]:
    """The shape with axes from `first` on merged; for empty tensors, where -1 cannot be worked out."""
    return (*shape[:first], int(np.prod(shape[first:])))


def _plain_index(index: Any) -> Any:
    """Tensors inside an index replaced by their arrays."""
    if isinstance(index, tuple):
        return tuple(_plain_index(i) for i in index)
    return index.data if isinstance(index, Tensor) else index
