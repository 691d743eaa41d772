"""geometry: sizes, receptive fields and costs of layers with windows.  Arithmetic on ints, no arrays.

Sources: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), for sizes; Araujo, Norris and
Sim, Computing receptive fields of convolutional neural networks (Distill, 2019), for receptive fields.
"""

import math
from functools import lru_cache
from typing import NamedTuple

Two = tuple[int, int]  # (height, width)


def output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    """How many windows fit along one axis: floor((n + 2*p - d*(k - 1) - 1) / s) + 1; 0 or less where none does.

    With ceil_mode the division rounds up, but the last window must start inside the image or its left padding.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    windows = -(-room // stride) + 1
    return windows - 1 if (windows - 1) * stride >= size + padding else windows


class Windows(NamedTuple):
    """Where the windows of a convolution or pooling lie; each entry is (height, width)."""

    image: Two
    kernel: Two
    stride: Two
    padding: Two
    dilation: Two
    output: Two  # how many windows there are


@lru_cache(maxsize=256)
def windows(
    function: str,
    image: Two,
    kernel: Two,
    stride: Two = (1, 1),
    padding: Two = (0, 0),
    dilation: Two = (1, 1),
    ceil_mode: bool = False,
) -> Windows:
    """The windows over an image of this size; ValueError, in the name of `function`, where not even one fits."""
    OH, OW = map(output_size, image, kernel, stride, padding, dilation, (ceil_mode, ceil_mode))
    if min(OH, OW) < 1:
        spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        raise ValueError(
            f"{function}: the kernel covers {spans[0]} x {spans[1]} pixels but the padded input has only "
            f"{image[0] + 2 * padding[0]} x {image[1] + 2 * padding[1]} "
            f"(input {image}, padding {padding}, kernel {kernel}, dilation {dilation}); "
            "use a smaller kernel or more padding"
        )
    return Windows(image, kernel, stride, padding, dilation, (OH, OW))


class ReceptiveField(NamedTuple):
    """Which input pixels one number of a feature map can depend on, along one axis.

    Output i sees the `size` pixels from start + i*jump on; those below 0 or beyond the image are padding.  Where a
    later layer pads its map, outputs at the border see less than that.
    """

    size: int = 1
    jump: int = 1  # how far, in input pixels, neighbouring outputs are apart
    start: int = 0  # the first pixel that output 0 sees

    def through(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> "ReceptiveField":
        """The receptive field after one more layer with windows."""
        return ReceptiveField(
            size=self.size + dilation * (kernel - 1) * self.jump,
            jump=self.jump * stride,
            start=self.start - padding * self.jump,
        )

    def joined(self, other: "ReceptiveField") -> "ReceptiveField":
        """That of the sum of two maps of one size."""
        start, end = min(self.start, other.start), max(self.start + self.size, other.start + other.size)
        return ReceptiveField(end - start, self.jump, start)

    def pixels(self, i: int, image: int) -> range:
        """The pixels of an axis of length `image` that output i sees; at the border, those it could see at most."""
        first = self.start + i * self.jump
        return range(max(first, 0), min(first + self.size, image))


def conv2d_multiply_adds(weight: tuple[int, ...], output: tuple[int, ...]) -> int:
    """Multiply-adds of one image's convolution: weight (O, C/groups, KH, KW) at each of (OH, OW) outputs."""
    return math.prod(weight) * math.prod(output)


def linear_multiply_adds(weight: tuple[int, ...], rows: int = 1) -> int:
    """Multiply-adds of a linear layer: every number of weight (out, in) once for every row of its input."""
    return math.prod(weight) * rows


def im2col_bytes(channels: int, kernel: tuple[int, ...], output: tuple[int, ...], itemsize: int = 4) -> int:
    """Size of one image's columns as a whole matrix (C*KH*KW, OH*OW): a pixel counts once per window that covers it.

    An implementation that lets neighbouring columns overlap in memory needs less.
    """
    return channels * math.prod(kernel) * math.prod(output) * itemsize
