"""places: the same numbers in other shapes, places, devices and dtypes, each forward directly above its backward."""

import copy
from typing import Any

import numpy as np

from tinycnn.autograd.operators import Axes, unbroadcast
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op
from tinycnn.backend import Array, array_module, device_of, to_device


class ReshapeOp(Op, name="reshape"):
    @staticmethod
    def forward(ctx: Context, x: Array, shape: tuple[int, ...]) -> Array:
        ctx.save(shape=x.shape)
        try:
            return x.reshape(shape)
        except ValueError:
            raise ValueError(
                f"reshape: {x.size} elements of shape {x.shape} do not fit into shape {tuple(shape)}"
            ) from None

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy.reshape(ctx.shape)


class PermuteOp(Op, name="permute"):
    @staticmethod
    def forward(ctx: Context, x: Array, dims: Axes) -> Array:
        ctx.save(dims=dims)
        return x.transpose(dims)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy.transpose([ctx.dims.index(i) for i in range(dy.ndim)])


class IndexOp(Op, name="index"):
    @staticmethod
    def forward(ctx: Context, x: Array, index: Any) -> Array:
        ctx.save(index=copy.deepcopy(index), shape=x.shape)  # an array in it may change before backward
        y: Array = x[index]
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        xp = array_module(dy)
        dx: Array = xp.zeros(ctx.shape, dy.dtype)
        if _picks_once(ctx.index):
            dx[ctx.index] = dy
        else:
            xp.add.at(dx, ctx.index, dy)  # slow, but unlike dx[index] += dy it counts an element that was picked twice
        return dx


class SetitemOp(Op, name="setitem"):
    """x with `value` written into x[index], in new memory."""

    @staticmethod
    def forward(ctx: Context, x: Array, value: Array, index: Any) -> Array:
        ctx.save(index=copy.deepcopy(index), shape=value.shape)
        y = x.copy()
        y[index] = value
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> tuple[Array | None, ...]:
        dx = dvalue = None
        if ctx.needs[0]:  # what was overwritten has no say
            dx = dy.copy()
            dx[ctx.index] = 0
        if ctx.needs[1]:
            dvalue = unbroadcast(dy[ctx.index], ctx.shape)
        return dx, dvalue


def _picks_once(index: Any) -> bool:
    """Whether no element can be picked twice: ints, slices, None, Ellipsis and masks, but no arrays of ints."""
    parts = index if isinstance(index, tuple) else (index,)
    plain = (int, np.integer, slice, type(None), type(...))
    return all(isinstance(part, plain) or getattr(part, "dtype", None) == np.bool_ for part in parts)


class ToDeviceOp(Op, name="to_device"):
    @staticmethod
    def forward(ctx: Context, x: Array, device: str) -> Array:
        ctx.save(device=device_of(x))
        return to_device(x, device)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return to_device(dy, ctx.device)


class ToDtypeOp(Op, name="to_dtype"):
    @staticmethod
    def forward(ctx: Context, x: Array, dtype: "np.dtype[Any]") -> Array:
        ctx.save(dtype=x.dtype)
        return x.astype(dtype)

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy.astype(ctx.dtype)


class CloneOp(Op, name="clone"):
    @staticmethod
    def forward(ctx: Context, x: Array) -> Array:
        return x.copy(order="K")

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        return dy
