"""cat: tensors one behind the other along one axis; and stack, along a new one.

    cat([a, b], dim=1)[n, c] = a[n, c] for the channels c of a, then those of b

The gradient of each is its own part of the gradient of the whole.

Arrays are (N, C, ...) to the user and (C, ..., N) in memory, and so is the result.

Read in this order: CatOp.forward, CatOp.backward, cat, stack.
"""

import itertools
from collections.abc import Sequence

from tinycnn.autograd.arguments import axes, integer
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first, batch_last
from tinycnn.ops import _checks

__all__ = ["cat", "stack"]


class CatOp(Op, name="cat"):
    @staticmethod
    def forward(ctx: Context, *xs: Array, axis: int) -> Array:
        ends = list(itertools.accumulate(x.shape[axis] for x in xs))
        before = (slice(None),) * axis
        ctx.save(places=[(*before, slice(end - x.shape[axis], end)) for x, end in zip(xs, ends, strict=True)])
        last = (axis - 1) % xs[0].ndim  # the same axis in memory
        return batch_first(array_module(xs[0]).concatenate([batch_last(x) for x in xs], axis=last))

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array, ...]:
        return tuple(dy[place] for place in ctx.places)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one behind the other along axis `dim`; their shapes are alike but for that axis; as torch.cat.

    TypeError or ValueError where there are none, or shapes, dtypes or devices do not fit.
    """
    first = _checked("cat", tensors)
    axis = axes("cat", integer("cat", "dim", dim), first.shape)[0] if first.ndim else 0
    if first.ndim == 0:
        raise ValueError("cat: tensors of shape () have no axis to be joined along; use stack")
    for i, t in enumerate(tensors):
        if t.ndim != first.ndim or any(t.shape[a] != n for a, n in enumerate(first.shape) if a != axis):
            raise ValueError(
                f"cat: shapes may differ along axis {axis} only, got {first.shape} at 0 and {t.shape} at {i}"
            )
    return CatOp.apply(*tensors, axis=axis)


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape one behind the other along a new axis `dim`, as torch.stack: K of (N, C) are (K, N, C).

    TypeError or ValueError as for cat.
    """
    first = _checked("stack", tensors)
    (axis,) = axes("stack", integer("stack", "dim", dim), (1, *first.shape))
    for i, t in enumerate(tensors):
        if t.shape != first.shape:
            raise ValueError(f"stack: all shapes must be the same, got {first.shape} at 0 and {t.shape} at {i}")
    shape = (*first.shape[:axis], 1, *first.shape[axis:])
    return CatOp.apply(*(t.reshape(shape) for t in tensors), axis=axis)


def _checked(function: str, tensors: Sequence[Tensor]) -> Tensor:
    """The first of the tensors, of which there is one at least, all floats of one dtype on one device."""
    if not isinstance(tensors, list | tuple) or not tensors:
        got = "none" if isinstance(tensors, list | tuple) else type(tensors).__name__
        raise TypeError(f"{function}: tensors must be a list of at least one Tensor, got {got}")
    _checks.tensors(function, **{f"tensors[{i}]": t for i, t in enumerate(tensors)})
    return tensors[0]
