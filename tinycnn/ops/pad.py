"""pad: a frame of one number around every image, or a part cut off where the frame is negative.

    pad(x, (left, right, top, bottom))       the last axis first, as in torch

The gradient of x is the gradient inside the frame.

Arrays are (N, C, H, W) to the user and (C, H, W, N) in memory, and so is the result.

Read in this order: places, PadOp.forward, PadOp.backward.
"""

from collections.abc import Sequence

from tinycnn.autograd.arguments import choice, integer, number
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, batch_first
from tinycnn.ops import _checks

__all__ = ["pad"]

Frame = tuple[tuple[int, int], ...]  # for each axis: how much comes before and after; negative: how much goes


def places(shape: tuple[int, ...], frame: Frame) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What stays of x, as slices of x, and where it lies in y, as slices of y."""
    kept = tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(shape, frame, strict=True))
    inside = tuple(slice(max(0, a), max(0, a) + s.stop - s.start) for s, (a, _) in zip(kept, frame, strict=True))
    return kept, inside


class PadOp(Op, name="pad"):
    @staticmethod
    def forward(ctx: Context, x: Array, frame: Frame, value: float) -> Array:
        kept, inside = places(x.shape, frame)
        shape = [n + a + b for n, (a, b) in zip(x.shape, frame, strict=True)]
        y = batch_first(array_module(x).full((*shape[1:], shape[0]), value, x.dtype))  # (N, C, H', W')
        y[inside] = x[kept]
        ctx.save(kept=kept, inside=inside, x_shape=x.shape)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        N, *rest = ctx.x_shape
        dx = batch_first(array_module(dy).zeros((*rest, N), dy.dtype))  # (N, C, H, W)
        dx[ctx.kept] = dy[ctx.inside]
        return dx


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """x (..., H, W) framed by `value`: pad is (left, right), (left, right, top, bottom), ...; as torch's pad.

    Negative numbers cut off.  TypeError or ValueError where pad is not such a tuple or leaves nothing of an axis, and
    for another mode than "constant".
    """
    _checks.tensors("pad", x=x)
    choice("pad", "mode", mode, ("constant",))
    sizes = [integer("pad", "pad", size) for size in pad] if isinstance(pad, list | tuple) else []
    if not sizes or len(sizes) % 2 or len(sizes) > 2 * x.ndim:
        raise ValueError(
            f"pad: pad must be up to {x.ndim} pairs of ints (before, after), the last axis first, got {pad!r}"
        )
    pairs = list(zip(sizes[::2], sizes[1::2], strict=True))[::-1]
    frame = ((0, 0),) * (x.ndim - len(pairs)) + tuple(pairs)
    for n, (before, after) in zip(x.shape, frame, strict=True):
        if (before or after) and n + before + after < 1 or n + min(0, before) + min(0, after) < 0:
            raise ValueError(f"pad: nothing is left of an axis of length {n} padded by {before, after} (x {x.shape})")
    return PadOp.apply(x, frame=frame, value=number("pad", "value", value))
