"""Tensor: an array that can say how it was made; Op: one differentiable operation.

The operators' own arithmetic is in arithmetic.py and the neural operations are in ops/, one file each.  Both
enter themselves in `OPS` by name; a Tensor's methods look them up there, so imports go one way only.
"""

import builtins
import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tinycnn.autograd.arguments import NUMERIC, axes, common_dtype, ints, numeric, operand_dtype
from tinycnn.autograd.tape import Context, Leaf, Node, is_grad_enabled, run_backward
from tinycnn.backend import Array, array_module, as_array, device_of, to_device, to_numpy

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
        needs = [t is not None and t._requires_grad for t in inputs]
        recording = True in needs and is_grad_enabled()
        ctx = Context(needs if recording else [False] * len(needs))
        y = Tensor(cls.forward(ctx, *[None if t is None else t.data for t in inputs], **options))
        if recording and y.data.dtype.kind == "f":
            sources = [t.grad_fn or t if t is not None and t._requires_grad else None for t in inputs]
            y._requires_grad, y.grad_fn = True, Node(cls.name, cls.backward, ctx, sources, y.data)
        return y


class Tensor:
    """A NumPy or CuPy array (`data`) with a gradient (`grad`) and a memory of how it was made (`grad_fn`).

    Shapes, names and meanings are PyTorch's.  A tensor made by `tinycnn.tensor` is a leaf: after `backward()`
    its gradient is in `.grad`, of the same shape and dtype, and adds up over calls until it is set to None.
    """

    __slots__ = ("__weakref__", "_requires_grad", "data", "grad", "grad_fn")
    __array_ufunc__ = None  # so that array + tensor is the tensor's business, not NumPy's

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        if type(data) is not np.ndarray:
            data = as_array(data)  # NumPy's reductions return scalars; lists and the like are refused
        self.data = data
        self._requires_grad = False
        self.grad: Tensor | None = None
        self.grad_fn: Node | None = None
        if requires_grad:
            self.requires_grad = True

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
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded; only a leaf of floats can be told to, or not to."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.grad_fn is not None:
            raise RuntimeError("requires_grad: only leaves can change it; use detach() to leave the graph")
        if wanted and self.dtype.kind != "f":
            raise TypeError(
                f"requires_grad: only floating-point tensors can require gradients, got dtype {self.dtype}; "
                "make it float32 or float64 first"
            )
        self._requires_grad = bool(wanted)

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
        notes = [text] if self.size else [text, f"shape={self.shape}"]
        if self.dtype != np.float32:
            notes.append(f"dtype={self.dtype}")
        if self.device != "cpu":
            notes.append(f"device={self.device!r}")
        if self.grad_fn is not None:
            notes.append(f"grad_fn={self.grad_fn!r}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join(notes)})"

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """What NumPy's functions and matplotlib ask for: the data, without a gradient, as numpy() gives it.

        TypeError on the GPU: a copy that waits must be asked for.
        """
        if self.device != "cpu":
            raise TypeError("a tensor on the GPU does not turn into a NumPy array by itself; call .numpy()")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        """What from_dlpack of NumPy, CuPy, PyTorch and JAX asks for: the data, not copied, without a gradient."""
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        """DLPack's (kind, number) of the device: kind 1 is the CPU, 2 a CUDA device."""
        return self.data.__dlpack_device__()

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self.size == 1 else str(self), spec)

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
            if isinstance(change, str) and change in ("cpu", "gpu"):
                if target.device != change:
                    target = OPS["to_device"].apply(target, device=change)
            elif target.dtype != (dtype := numeric("to", change)):
                target = OPS["to_dtype"].apply(target, dtype=dtype)
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
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Let this intermediate result keep its gradient in `.grad` as leaves do; of use to look inside a net."""
        if not self.requires_grad:
            raise RuntimeError("retain_grad: this tensor requires no gradient; record it with requires_grad=True")
        if self.grad_fn is not None:
            me = weakref.ref(self)
            self.grad_fn.watchers["retain_grad"] = lambda dy: _add_to_grad(me(), dy)

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
        dy = as_operand("backward", gradient, self)
        if dy.shape != self.shape:
            raise ValueError(f"backward: gradient has shape {dy.shape}, the tensor has shape {self.shape}")
        if dy.dtype != self.dtype or dy.device != self.device:
            raise TypeError(
                f"backward: gradient is {dy.dtype} on {dy.device}, the tensor is {self.dtype} on {self.device}; "
                "convert it with .to(...)"
            )
        return dy.data

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
        return OPS["sum"].apply(self, axis=axes("sum", axis, self.shape), keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        return OPS["mean"].apply(_floating(self), axis=axes("mean", axis, self.shape), keepdims=keepdims)

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> "Tensor":
        """The greatest element; elements that tie for it share its gradient evenly, as in torch.amax."""
        return OPS["max"].apply(self, axis=axes("max", axis, self.shape), keepdims=keepdims)

    # -- shapes

    @property
    def T(self) -> "Tensor":
        """All axes in reverse order; the transpose of a matrix."""
        return OPS["permute"].apply(self, dims=tuple(reversed(range(self.ndim))))

    def reshape(self, *shape: int | tuple[int, ...]) -> "Tensor":
        """The same elements in another shape; one size may be -1, and follows from the others."""
        return OPS["reshape"].apply(self, shape=ints(shape))

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Two axes exchanged."""
        dims = list(range(self.ndim))
        (a,), (b,) = axes("transpose", dim0, self.shape), axes("transpose", dim1, self.shape)
        dims[a], dims[b] = b, a
        return OPS["permute"].apply(self, dims=tuple(dims))

    def permute(self, *dims: int | tuple[int, ...]) -> "Tensor":
        """The axes in the given order: result.shape[i] == self.shape[dims[i]]."""
        order = axes("permute", ints(dims), self.shape)
        if len(order) != self.ndim:
            raise ValueError(f"permute: got {len(order)} axes {order} for shape {self.shape}; name each axis once")
        return OPS["permute"].apply(self, dims=order)

    def flatten(self, start_dim: int = 0) -> "Tensor":
        """Axes from start_dim on merged into one."""
        (first,) = axes("flatten", start_dim, self.shape) if self.ndim else (0,)
        return self.reshape(*self.shape[:first], math.prod(self.shape[first:]))

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
    """A new leaf tensor with a copy of `data`, of its shape: an array, a number, or nested lists of numbers.

    Without dtype, arrays keep theirs, and Python floats become float32 (NumPy alone would take float64).
    `device` is "cpu", "gpu", or None for where the data is.
    """
    array: Any = data.data if isinstance(data, Tensor) else data
    if hasattr(array, "dtype"):
        array = as_array(array)
    else:
        array = np.asarray(array)
        dtype = np.float32 if dtype is None and array.dtype.kind == "f" else dtype
    if array.dtype.kind not in NUMERIC:
        raise TypeError(f"tensor: expected numbers, got {type(data).__name__} of dtype {array.dtype}")
    wanted = array.dtype if dtype is None else numeric("tensor", dtype)
    copy = array_module(array).array(array, dtype=wanted, order="K")
    return Tensor(copy if device is None else to_device(copy, device), requires_grad)


def as_operand(asker: str, value: Operand, like: Tensor) -> Tensor:
    """A number or array as a constant tensor that suits `like` (see operand_dtype); a Tensor unchanged."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float)):
        return Tensor(array_module(like.data).asarray(value, dtype=operand_dtype(asker, value, like.dtype)))
    if not hasattr(value, "__array__"):
        raise TypeError(f"{asker}: expected a Tensor, an array or a number, got {type(value).__name__}")
    array = as_array(value)
    return Tensor(array.astype(operand_dtype(asker, array, like.dtype), copy=False))


def _binary(name: str, a: Operand, b: Operand) -> Tensor:
    """Check two operands, bring them to one dtype, and apply the operation."""
    x = a if isinstance(a, Tensor) else as_operand(name, a, b)  # type: ignore[arg-type]  # one of them is a Tensor
    y = as_operand(name, b, x)
    if type(x.data) is not type(y.data) and x.device != y.device:
        raise ValueError(
            f"{name}: operands are on different devices ({x.device} {x.shape}, {y.device} {y.shape}); "
            "move one with .to(device)"
        )
    if x.data.dtype != y.data.dtype:
        common = common_dtype(name, x, y)
        x, y = x.to(common), y.to(common)
    if name == "div":
        x, y = _floating(x), _floating(y)
    try:
        return OPS[name].apply(x, y)
    except ValueError as error:
        if "broadcast" not in str(error):
            raise
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} do not broadcast to one") from error


def _floating(t: Tensor) -> Tensor:
    """Integers as float32, as in torch, where NumPy would give float64; floats as they are."""
    return t if t.dtype.kind == "f" else t.to(np.float32)


def _deposit(leaf: Leaf, gradient: Array) -> None:
    _add_to_grad(leaf, gradient)  # type: ignore[arg-type]  # leaves are Tensors: Op.apply put them there


def _add_to_grad(tensor: Tensor | None, gradient: Array) -> None:
    """Add to `.grad`, which always owns its memory, so that changing it in place disturbs nothing else."""
    if tensor is not None:
        tensor.grad = Tensor(gradient.copy(order="K") if tensor.grad is None else tensor.grad.data + gradient)


def _plain_index(index: Any) -> Any:
    """Tensors inside an index replaced by their arrays."""
    if isinstance(index, tuple):
        return tuple(_plain_index(i) for i in index)
    return index.data if isinstance(index, Tensor) else index
