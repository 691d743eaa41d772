"""spelling: torch's names at the top of the package, so that `import tinycnn as torch` is all that a reader changes.

    X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)

Makers of tensors first, then functions that are methods elsewhere, then what answers questions.  Random numbers come
from a stream of their own, so that a tensor made in between changes no net: see `random.generator`.
elsewhere.py says what to write for names of torch's that are not here.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from tinycnn import random
from tinycnn.autograd.arguments import ints, numeric
from tinycnn.autograd.tensor import Operand, Tensor, tensor
from tinycnn.backend import DEVICES, Array, as_array

__all__ = [
    "add", "allclose", "amax", "arange", "argmax", "as_tensor", "clone", "device", "div", "equal", "exp",
    "eye", "flatten", "float16", "float32", "float64", "from_numpy", "full", "int16", "int32", "int64", "int8",
    "is_tensor", "linspace", "log", "matmul", "mean", "mm", "mul", "normal", "numel", "ones", "ones_like", "permute",
    "rand", "randn", "reshape", "sqrt", "squeeze", "sub", "transpose", "uint8", "unsqueeze", "zeros", "zeros_like",
]  # fmt: skip

Size = int | Sequence[int]

float16, float32, float64 = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")
uint8, int8, int16, int32, int64 = (np.dtype(name) for name in ("uint8", "int8", "int16", "int32", "int64"))
boolean = np.dtype("bool")  # tinycnn.bool


def _made(array: Array, dtype: DTypeLike | None, device: str | None, requires_grad: bool) -> Tensor:
    wanted = array.dtype if dtype is None else numeric("dtype", dtype)
    return tensor(array.astype(wanted, copy=False), device=device, requires_grad=requires_grad)


def _filled(draw: Callable[[tuple[int, ...]], Array], text: str) -> Callable[..., Tensor]:
    """A maker of tensors of any shape: f(2, 3), f((2, 3)) and f(size=(2, 3))."""

    def make(
        *shape: Size,
        size: Size | None = None,
        dtype: DTypeLike | None = None,
        device: str | None = None,
        requires_grad: bool = False,
    ) -> Tensor:
        given = shape if size is None else (*shape, size)
        return _made(draw(ints(given)), dtype, device, requires_grad)

    make.__doc__ = f"{text}, of shape (2, 3) after f(2, 3), f((2, 3)) or f(size=(2, 3)); float32 unless dtype is given."
    return make


zeros = _filled(lambda shape: np.zeros(shape, np.float32), "Zeros")
ones = _filled(lambda shape: np.ones(shape, np.float32), "Ones")
rand = _filled(lambda shape: random.maker().random(shape, dtype=np.float32), "Random numbers evenly from [0, 1)")
randn = _filled(
    lambda shape: random.maker().standard_normal(shape, dtype=np.float32), "Normal random numbers, mean 0, deviation 1"
)


def normal(
    mean: float,
    std: float,
    size: Size,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers with this mean and standard deviation, two numbers, in the shape `size`."""
    if not std >= 0:
        raise ValueError(f"normal: std must be at least 0, got {std!r}")
    drawn = random.maker().standard_normal(ints((size,)), dtype=np.float32)
    return _made(drawn * float(std) + float(mean), dtype, device, requires_grad)


def full(
    size: Size,
    fill_value: float,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The same number everywhere in a tensor of shape `size`; float32 for a float, int64 for an int."""
    wanted = tensor(fill_value).dtype if dtype is None else dtype
    return _made(np.full(ints((size,)), fill_value, wanted), dtype, device, requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    dtype: DTypeLike | None = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without end, of shape (n,); with one number, from 0 up to it."""
    first, last = (0, start) if end is None else (start, end)
    wanted = np.float32 if any(isinstance(x, float) for x in (first, last, step)) else np.int64
    return _made(np.arange(first, last, step), dtype or wanted, device, requires_grad)


def linspace(start: float, end: float, steps: int, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """`steps` numbers evenly from start to end, both included, of shape (steps,)."""
    return _made(np.linspace(start, end, steps), dtype or np.float32, device, False)


def eye(n: int, m: int | None = None, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Ones where row and column have one number, zeros elsewhere, of shape (n, m); m is n unless given."""
    return _made(np.eye(n, m, dtype=np.float32), dtype, device, False)


def zeros_like(input: Tensor, dtype: DTypeLike | None = None) -> Tensor:
    """Zeros in the shape and dtype of a tensor, and on its device."""
    return zeros(input.shape, dtype=dtype or input.dtype, device=input.device)


def ones_like(input: Tensor, dtype: DTypeLike | None = None) -> Tensor:
    """Ones in the shape and dtype of a tensor, and on its device."""
    return ones(input.shape, dtype=dtype or input.dtype, device=input.device)


def as_tensor(data: ArrayLike | Tensor, dtype: DTypeLike | None = None, device: str | None = None) -> Tensor:
    """Arrays, tensors, numbers and lists as a tensor of their shape, in their memory where they have one."""
    found = data if isinstance(data, Tensor) else Tensor(as_array(data)) if hasattr(data, "dtype") else tensor(data)
    return found.to(device=device, dtype=dtype)


def from_numpy(array: Array) -> Tensor:
    """A tensor of any shape in the memory of a NumPy array."""
    return Tensor(as_array(array))


def _function(name: str, method: str) -> Callable[..., Any]:
    """f(x, ...) for the method x.f(...)."""

    def function(input: Tensor, *others: Any, **options: Any) -> Any:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}: expected a Tensor, got {type(input).__name__}; wrap it with tinycnn.tensor(...)")
        return getattr(input, method)(*others, **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The method {method} of a tensor (any shape) as a function."
    return function


amax, argmax, clone, exp = (_function(name, name) for name in ("amax", "argmax", "clone", "exp"))
flatten = _function("flatten", "flatten")
log, max, mean, numel, permute = (_function(name, name) for name in ("log", "max", "mean", "numel", "permute"))
reshape, sqrt, squeeze, sum, t = (_function(name, name) for name in ("reshape", "sqrt", "squeeze", "sum", "t"))
transpose, unsqueeze = _function("transpose", "transpose"), _function("unsqueeze", "unsqueeze")
add, sub, mul = _function("add", "__add__"), _function("sub", "__sub__"), _function("mul", "__mul__")
div, pow, matmul = _function("div", "__truediv__"), _function("pow", "__pow__"), _function("matmul", "__matmul__")
mm = matmul


def is_tensor(obj: object) -> bool:
    """Whether obj is a Tensor, of whatever shape."""
    return isinstance(obj, Tensor)


def equal(input: Tensor, other: Operand) -> bool:
    """Whether two tensors have one shape and the same numbers."""
    return np.shape(other) == input.shape and bool((input == other).all())


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether |input - other| <= atol + rtol * |other| for all elements, broadcast to one shape."""
    return np.allclose(input.numpy(), other.numpy(), rtol, atol, equal_nan)


def device(name: str) -> str:
    """The engine's name of a device: "cpu", or "gpu" for "gpu", "cuda" and "cuda:0"."""
    if name not in DEVICES:
        raise ValueError(
            f'device: got {name!r}, expected "cpu", "gpu" or "cuda"; one GPU is used, and the environment variable '
            "CUDA_VISIBLE_DEVICES says which"
        )
    return DEVICES[name]
