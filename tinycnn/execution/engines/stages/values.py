"""values: what lies between two stages: a buffer, and the affine map from its numbers to the values they stand for."""

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinycnn.backend import Array, aligned

Two = tuple[int, int]
Three = tuple[int, int, int]


@dataclass
class Values:
    """value = scale * y + shift for each number of y (C, H, W, N).

    Where the next stage is a convolution with padding, y lies in the middle of a `frame` of rows and columns that
    stand for the value 0.  Elsewhere y lies flat, and after its features comes one more row, of ones: multiplied
    with `rows`, a weight matrix that has the bias as its last column adds it at no cost, and its gradient comes out
    of the same product as the weights'.
    """

    shape: Three
    images: int
    dtype: "np.dtype[Any]"
    scale: float = 1.0
    shift: float = 0.0
    frame: Two = (0, 0)
    read_once: bool = False  # nobody asks for y again once the next stage has read it, which may write over it
    framed: Array = field(init=False)  # (C, H + 2*PH, W + 2*PW, N)
    y: Array = field(init=False)  # (C, H, W, N), a view of it
    rows: Array = field(init=False)  # (C*H*W + 1, N), where there is no frame

    def __post_init__(self) -> None:
        (C, H, W), (PH, PW), N = self.shape, self.frame, self.images
        size = C * (H + 2 * PH) * (W + 2 * PW)
        self.rows = aligned((size + 1, N), self.dtype, -self.shift / self.scale)  # of which the value is 0
        self.rows[size] = 1
        self.framed = self.rows[:size].reshape(C, H + 2 * PH, W + 2 * PW, N)
        self.y = self.framed[:, PH : PH + H, PW : PW + W]

    def read_again(self) -> "Values":
        """The same numbers, for one of several stages that read them."""
        again = copy.copy(self)
        again.read_once = False
        return again

    def as_taken(self, shape: Three) -> "Values":
        """The same numbers in the shape in which a stage takes them: behind a Flatten, as features (C*H*W, 1, 1, N)."""
        if shape == self.shape:
            return self
        flat = copy.copy(self)
        flat.shape, flat.framed = shape, self.rows[:-1].reshape(*shape, self.images)  # there is no frame
        flat.y = flat.framed
        return flat

    def within(self, frame: Two) -> "Values":
        """The same numbers in a frame no wider than theirs, for a stage that pads less than another that reads them."""
        (_, H, W), (PH, PW), (h, w) = self.shape, self.frame, frame
        narrowed = copy.copy(self)
        narrowed.frame = frame
        narrowed.framed = self.framed[:, PH - h : PH + H + h, PW - w : PW + W + w]
        return narrowed


class Scratch:
    """Room for arrays that nobody reads after the stage that wrote them: all stages get the same memory."""

    def __init__(self, dtype: "np.dtype[Any]") -> None:
        self.room = np.empty(0, dtype)

    def __call__(self, *shape: int) -> Array:
        """An array of this shape, with anything in it."""
        size = math.prod(shape)
        if self.room.size < size:
            self.room = aligned((size,), self.room.dtype)
        return self.room[:size].reshape(shape)
