"""Tensor: an array that can say how it was made; Op: one differentiable operation.

The operators' own arithmetic is in operators.py and the neural operations are in ops/, one file each.  Both
enter themselves in `OPS` by name; a Tensor's methods look them up there, so imports go one way only.
"""

import builtins
import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tinycnn.autograd.arguments import NUMERIC, axes, common_dtype, ints, numeric, operand_dtype
from tinycnn.autograd.spelled import Spelled
from tinycnn.autograd.tape import Context, Leaf, Node, is_grad_enabled, run_backward, written_to
from tinycnn.backend import DEVICES, Array, array_module, as_array, device_of, to_device, to_numpy

Operand = Union["Tensor", Array, float]  # what may stand on either side of an operator
Axis = int | tuple[int, ...] | None  # one axis, several, or None for all
Binary = Callable[["Tensor", Any], "Tensor"]

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
        y = Tensor(cls.forward(ctx, *[None if t is None else t._data for t in inputs], **options))
        if recording and y._data.dtype.kind == "f":
            sources = [t.grad_fn or t if t is not None and t._requires_grad else None for t in inputs]
            y._requires_grad, y.grad_fn = True, Node(cls.name, cls.backward, ctx, sources, y._data)
        return y


def _operator(name: str) -> tuple[Binary, Binary, Binary]:
    """a + b, b + a and a += b of one operation: broadcasting, and numbers and arrays take the tensor's dtype."""
    return lambda a, b: _binary(name, a, b), lambda a, b: _binary(name, b, a), lambda a, b: _in_place(name, a, b)


def _comparison(name: str) -> Any:
    """An operation element by element that has no gradient, such as a < b: a tensor of bools, by broadcasting."""
    return lambda a, b: _compared(name, a, b)


UFUNCS = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "power": "pow", "matmul": "matmul"}
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "bitwise_and", "bitwise_or")


class _Ufuncs:
    """What NumPy does where a tensor stands beside an array.  NumPy asks the class, CuPy the tensor, and gets None:
    there Tensor's own operators do it all."""

    def __get__(self, tensor: "Tensor | None", kind: Any) -> Any:
        return None if tensor is not None else self.call

    @staticmethod
    def call(tensor: "Tensor", ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """array + tensor is a tensor; array += tensor, as in weight.data -= lr * weight.grad, changes the array."""
        if out is not None and not isinstance(out[0], Tensor):
            return getattr(ufunc, method)(*_without_tensors(inputs), out=out, **options)
        if method == "__call__" and out is None and ufunc.__name__ in UFUNCS:
            return _binary(UFUNCS[ufunc.__name__], *inputs)
        if method == "__call__" and out is None and ufunc.__name__ in COMPARISONS:
            return Tensor(ufunc(*_without_tensors(inputs)))
        name = ufunc.__name__
        raise TypeError(
            f"np.{name} does not take a tensor; write t.{name}() if there is one, or t.numpy() for an array"
        )


class Tensor(Spelled):
    """A NumPy or CuPy array (`data`) with a gradient (`grad`) and a memory of how it was made (`grad_fn`).

    Shapes, names and meanings are PyTorch's.  A tensor made by `tinycnn.tensor` is a leaf: after `backward()`
    its gradient is in `.grad`, of the same shape and dtype, and adds up over calls until it is set to None.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_requires_grad", "grad_fn")
    __array_ufunc__ = _Ufuncs()  # so that array + tensor is the tensor's business, not NumPy's

    def __init__(self, data: "Array | Tensor", requires_grad: bool = False) -> None:
        self._data: Array = _array(data)
        self._requires_grad = False
        self._grad: Tensor | None = None
        self.grad_fn: Node | None = None
        if requires_grad:
            self.requires_grad = True

    # -- what it is

    @property
    def data(self) -> Array:
        """The array: what is written to it nobody notes.  A tensor or an array can be put in its place."""
        return self._data

    @data.setter
    def data(self, data: "Array | Tensor") -> None:
        self._data = _array(data)

    @property
    def grad(self) -> "Tensor | None":
        """What backward has added up here: of the tensor's own shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, grad: "Tensor | Array | None") -> None:
        grad = grad if grad is None or isinstance(grad, Tensor) else Tensor(grad)
        if grad is not None and (grad.shape != self.shape or grad.dtype != self.dtype):
            raise ValueError(f"grad: got {grad.dtype} {grad.shape}, expected the tensor's {self.dtype} {self.shape}")
        self._grad = grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis; `numel()` counts the elements."""
        return self.shape if dim is None else self.shape[axes("size", dim, self.shape)[0]]

    def numel(self) -> int:
        """The number of elements."""
        return int(self._data.size)

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
        notes = [text] if self.numel() else [text, f"shape={self.shape}"]
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

    def __contains__(self, value: Operand) -> bool:
        return bool((self == value).any())

    __hash__ = object.__hash__  # a tensor is a key by what it is, not by its numbers, although == compares those

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """What NumPy's functions and matplotlib ask for: the data, without a gradient, as numpy() gives it.

        TypeError on the GPU: a copy that waits must be asked for.
        """
        if self.device != "cpu":
            raise TypeError("a tensor on the GPU does not turn into a NumPy array by itself; call .numpy()")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        """NumPy's functions, such as np.mean(t == u), get the data, as from __array__."""
        return function(*_without_tensors(args), **_without_tensors(options))

    def __dlpack__(self, **options: Any) -> Any:
        """What from_dlpack of NumPy, CuPy, PyTorch and JAX asks for: the data, not copied, without a gradient."""
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        """DLPack's (kind, number) of the device: kind 1 is the CPU, 2 a CUDA device."""
        return self.data.__dlpack_device__()

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self.numel() == 1 else str(self), spec)

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

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers, or one number."""
        return self.numpy().tolist()

    def detach(self) -> "Tensor":
        """The same data outside the graph: no gradient flows through it."""
        return Tensor(self._data)

    def clone(self) -> "Tensor":
        """The same values in memory of their own; gradients flow back."""
        return OPS["clone"].apply(self)

    def to(self, *to: str | DTypeLike, device: str | None = None, dtype: DTypeLike | None = None) -> "Tensor":
        """On another device ("cpu", "gpu" or "cuda"), in another dtype, or both; itself where nothing changes.

        Gradients flow back through the change.
        """
        target: Tensor = self
        for change in (*to, *(named for named in (device, dtype) if named is not None)):
            if isinstance(change, str) and change in DEVICES:
                if target.device != DEVICES[change]:
                    target = OPS["to_device"].apply(target, device=DEVICES[change])
            elif target.dtype != (dtype := numeric("to", change)):
                target = OPS["to_dtype"].apply(target, dtype=dtype)
        return target

    def float(self) -> "Tensor":
        """In float32."""
        return self.to(np.float32)

    def double(self) -> "Tensor":
        """In float64."""
        return self.to(np.float64)

    def long(self) -> "Tensor":
        """In int64."""
        return self.to(np.int64)

    def type(self, dtype: DTypeLike) -> "Tensor":
        """In another dtype, as `to`."""
        return self.to(dtype)

    def cpu(self) -> "Tensor":
        """In main memory."""
        return self.to("cpu")

    def cuda(self) -> "Tensor":
        """On the GPU."""
        return self.to("gpu")

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
            if self.numel() != 1:
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
        if self.numel() != 1:
            raise ValueError(f"{asker}: expected a tensor with one element, got shape {self.shape}")
        return to_numpy(self.data).reshape(())

    # -- arithmetic.  In place, as in a += b, see _in_place

    __add__, __radd__, __iadd__ = _operator("add")
    __sub__, __rsub__, __isub__ = _operator("sub")
    __mul__, __rmul__, __imul__ = _operator("mul")
    __truediv__, __rtruediv__, __itruediv__ = _operator("div")
    __pow__, __rpow__, __ipow__ = _operator("pow")
    __matmul__, __rmatmul__, __imatmul__ = _operator("matmul")

    def __neg__(self) -> "Tensor":
        return OPS["neg"].apply(self)

    def __abs__(self) -> "Tensor":
        return self.abs()

    __eq__, __ne__ = _comparison("equal"), _comparison("not_equal")
    __lt__, __le__ = _comparison("less"), _comparison("less_equal")
    __gt__, __ge__ = _comparison("greater"), _comparison("greater_equal")
    __and__, __or__, __xor__ = _comparison("bitwise_and"), _comparison("bitwise_or"), _comparison("bitwise_xor")

    def __invert__(self) -> "Tensor":
        return Tensor(~self._data)

    def abs(self) -> "Tensor":
        """The absolute values; the slope at 0 is 0."""
        return OPS["abs"].apply(self)

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

    # -- sums and the like.  dim is an int, a tuple of ints, or None for all; NumPy's names axis and keepdims do as well

    def sum(self, dim: Axis = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return OPS["sum"].apply(self, axis=_along("sum", self, dim, axis), keepdims=keepdim or keepdims)

    def mean(self, dim: Axis = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        return OPS["mean"].apply(_floating(self), axis=_along("mean", self, dim, axis), keepdims=keepdim or keepdims)

    def amax(self, dim: Axis = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """The greatest elements; those that tie for it share its gradient evenly."""
        return OPS["amax"].apply(self, axis=_along("amax", self, dim, axis), keepdims=keepdim or keepdims)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The greatest element of all, a tensor; along one axis the pair (values, indices), as in torch.

        All that tie for it share the gradient evenly; along an axis the first of them gets it.
        """
        if dim is None:
            return self.amax(keepdim=keepdim)
        indices, xp = self.argmax(dim, keepdim=True), array_module(self._data)
        (along,) = axes("max", dim, self.shape)
        index: list[Any] = [xp.arange(n).reshape([-1] + [1] * (self.ndim - i - 1)) for i, n in enumerate(self.shape)]
        index[along] = indices
        values = self[tuple(index)]
        if keepdim:
            return Greatest(values, indices)
        shape = self.shape[:along] + self.shape[along + 1 :]
        return Greatest(values.reshape(shape), indices.reshape(shape))

    def argmax(
        self, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
    ) -> "Tensor":
        """Where the greatest element is, the first where several tie: int64, along one axis or counted over all."""
        along = _along("argmax", self, dim, axis) if dim is not None or axis is not None else None
        if self.numel() == 0:
            raise ValueError(f"argmax: a tensor of shape {self.shape} has no greatest element")
        at: Any = self._data.argmax(None if along is None else along[0])
        if keepdim or keepdims:
            at = at.reshape([1 if along is None or i in along else n for i, n in enumerate(self.shape)])
        return Tensor(at)

    def any(self) -> "Tensor":
        """Whether any element is not zero."""
        found: Any = self._data.any()
        return Tensor(found)

    def all(self) -> "Tensor":
        """Whether no element is zero."""
        found: Any = self._data.all()
        return Tensor(found)

    # -- shapes

    @property
    def T(self) -> "Tensor":
        """All axes in reverse order; the transpose of a matrix."""
        return OPS["permute"].apply(self, dims=tuple(reversed(range(self.ndim))))

    def t(self) -> "Tensor":
        """The transpose of a matrix; itself with fewer axes."""
        if self.ndim > 2:
            raise ValueError(f"t: expected at most 2 axes, got shape {self.shape}; use transpose or permute")
        return self.T

    def reshape(self, *shape: int | tuple[int, ...]) -> "Tensor":
        """The same elements in another shape; one size may be -1, and follows from the others."""
        return OPS["reshape"].apply(self, shape=ints(shape))

    view = reshape  # unlike torch's it copies where the memory's order leaves no other way

    def unsqueeze(self, dim: int) -> "Tensor":
        """With one more axis, of length 1, before axis `dim`; -1 puts it last."""
        (at,) = axes("unsqueeze", dim, (*self.shape, 1))
        return self.reshape(*self.shape[:at], 1, *self.shape[at:])

    def squeeze(self, dim: int | None = None) -> "Tensor":
        """Without the axes of length 1, or without that one if it is of length 1."""
        gone = axes("squeeze", dim, self.shape)
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in gone))

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
        return OPS["index"].apply(self, index=_plain_index(index, self.device))

    # -- in place

    def __setitem__(self, index: Any, value: Operand) -> None:
        """Write into the elements that self[index] would read; `value` is broadcast, in this tensor's dtype.

        What is recorded follows _in_place's rules.
        """
        given = as_operand("setitem", value, self).to(self.dtype)
        index = _plain_index(index, self.device)
        if _recorded("setitem", self, given):
            self._become(OPS["setitem"].apply(self, given, index=index))
            return
        if given.device != self.device:
            raise ValueError(
                f"setitem: the tensor is on {self.device}, the value on {given.device}; move it with .to()"
            )
        self._data[index] = given._data
        written_to(self._data)

    def fill_(self, value: builtins.float) -> "Tensor":
        """The same number everywhere, in place; returns the tensor itself."""
        self[...] = value
        return self

    def zero_(self) -> "Tensor":
        """Zero everywhere, in place; returns the tensor itself."""
        return self.fill_(0)

    def _become(self, result: "Tensor") -> None:
        """Be that result: its data, and its place in the graph."""
        self._data, self.grad_fn, self._requires_grad = result._data, result.grad_fn, result._requires_grad


class Greatest(NamedTuple):
    """What `max(dim)` gives, as in torch: the greatest along an axis, and where each of them is."""

    values: Tensor
    indices: Tensor


class Parameter(Tensor):
    """A tensor that a Module learns: it requires a gradient, and Module finds it."""

    __slots__ = ()

    def __init__(self, data: Array | Tensor, requires_grad: bool = True) -> None:
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


def _in_place(name: str, a: Tensor, b: Operand) -> Tensor:
    """a += b and the like, as in torch: `a` is the same tensor afterwards, in the same shape and dtype.

    Under no_grad, and where nothing wants a gradient, the numbers are written into a's memory: so parameters are
    moved.  Where the operation is recorded, a leaf that wants a gradient cannot be changed, and any other tensor
    becomes the result, in new memory: the old numbers stay where backward may need them.
    """
    result = _binary(name, a, b)
    if result.shape != a.shape or result.dtype != a.dtype:
        raise (ValueError if result.shape != a.shape else TypeError)(
            f"{name}: in place a tensor stays as it is, {a.dtype} {a.shape}, but the result is {result.dtype} "
            f"{result.shape}; write a new one: a = a ... b"
        )
    if _recorded(name, a, b):
        a._become(result)
    else:
        a._data[...] = result._data
        written_to(a._data)
    return a


def _recorded(name: str, a: Tensor, b: Operand) -> bool:
    """Whether a change of `a` by `b` goes into the graph; RuntimeError where `a` is a leaf that wants a gradient."""
    wanted = a._requires_grad or (isinstance(b, Tensor) and b._requires_grad)
    if not (wanted and is_grad_enabled()):
        return False
    if a._requires_grad and a.is_leaf:
        raise RuntimeError(
            f"{name}: a leaf that requires a gradient cannot be changed in place while operations are recorded; "
            "do it within `with no_grad():`, or make a new tensor: a = a ... b"
        )
    return True


def _compared(name: str, a: Tensor, b: Any) -> Any:
    """A tensor of bools; by NumPy's rules, so that float32 meets float64 without losing digits."""
    if isinstance(b, (list, tuple)):
        raise TypeError(f"{name}: expected a Tensor, an array or a number, got {type(b).__name__}; use tensor(...)")
    if isinstance(b, (bool, int, float, np.generic)):
        other = b.item() if isinstance(b, np.generic) else b
    elif isinstance(b, Tensor) or hasattr(b, "__array__"):
        other = _array(b)
        if device_of(other) != a.device:
            raise ValueError(f"{name}: operands are on {a.device} and {device_of(other)}; move one with .to(device)")
    else:
        return NotImplemented  # Python then says that t == None is False, and refuses t < None
    try:
        return Tensor(getattr(array_module(a._data), name)(a._data, other))
    except ValueError as error:
        raise ValueError(f"{name}: shapes {a.shape} and {np.shape(other)} do not broadcast to one") from error


def _along(asker: str, t: Tensor, dim: Axis, axis: Axis) -> tuple[int, ...]:
    """The axes that `dim`, or NumPy's word `axis`, means."""
    if dim is not None and axis is not None:
        raise TypeError(f"{asker}: dim and axis are the same; give one of them, got dim={dim!r} and axis={axis!r}")
    return axes(asker, axis if dim is None else dim, t.shape)


def _floating(t: Tensor) -> Tensor:
    """Integers as float32, as in torch, where NumPy would give float64; floats as they are."""
    return t if t.dtype.kind == "f" else t.to(np.float32)


def _deposit(leaf: Leaf, gradient: Array) -> None:
    _add_to_grad(leaf, gradient)  # type: ignore[arg-type]  # leaves are Tensors: Op.apply put them there


def _add_to_grad(tensor: Tensor | None, gradient: Array) -> None:
    """Add to `.grad`, which always owns its memory, so that changing it in place disturbs nothing else."""
    if tensor is not None:
        tensor._grad = Tensor(gradient.copy(order="K") if tensor._grad is None else tensor._grad._data + gradient)


def _array(data: Array | Tensor) -> Array:
    """The array itself, that of a tensor, or what a NumPy scalar is; TypeError for lists and the like."""
    if type(data) is np.ndarray:
        return data
    return data._data if isinstance(data, Tensor) else as_array(data)


def _plain_index(index: Any, device: str) -> Any:
    """Tensors, lists and ranges inside an index as arrays on the device."""
    if isinstance(index, tuple):
        return tuple(_plain_index(i, device) for i in index)
    if isinstance(index, (list, range)):
        index = np.asarray(index, None if len(index) else np.int64)
    if isinstance(index, Tensor) or hasattr(index, "__array__"):
        return to_device(_array(index), device)
    return index


def _without_tensors(value: Any) -> Any:
    """Arguments for NumPy: tensors in them, and in their lists and tuples, as arrays."""
    if isinstance(value, dict):
        return {name: _without_tensors(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_without_tensors(v) for v in value)
    return np.asarray(value) if isinstance(value, Tensor) else value
