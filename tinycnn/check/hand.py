"""hand: answers that are numbers: a sum by hand, a kernel, a shape, a count.

Read in the order of the lessons.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.check.verdict import TO_DO, Verdict, numbers, unfinished
from tinycnn.geometry import output_size

IMAGE = np.array([[1.0, 0, 2], [3, 1, 0], [0, 2, 4]])  # of lesson 1, to be convolved by hand
KERNEL = np.array([[1.0, 2], [0, -1]])
PLACES = [["top left", "top right"], ["bottom left", "bottom right"]]


def slide(image: Array, kernel: Array) -> Array:
    """Every window of image (H, W), times the kernel (KH, KW), added up: (OH, OW)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    found: Array = (windows * kernel).sum(axis=(2, 3))
    return found


def array_of(answer: Any) -> Array | None:
    """An answer as an array of numbers, or None where it is not one."""
    array = np.asarray(answer) if numbers(answer) else np.asarray(None)
    return array if array.dtype.kind in "iuf" else None


def whole(*answers: Any) -> bool:
    """Whether all of them are whole numbers."""
    return all(isinstance(a, (int, np.integer)) and not isinstance(a, bool) for a in answers)


def lesson1_by_hand(sums: Any) -> Verdict:
    """The four sums [[top left, top right], [bottom left, bottom right]] of lesson 1's small problem."""
    name, right = "lesson 1, by hand", slide(IMAGE, KERNEL)
    if unfinished(sums):
        return Verdict(name, [TO_DO])
    found = array_of(sums)
    if found is None or found.shape != right.shape:
        return Verdict(name, ["the kernel fits in four places, two above two: expected a list of two rows of two"])
    mistakes = [
        ("the kernel is turned by 180 degrees; here it stays as it is", slide(IMAGE, KERNEL[::-1, ::-1])),
        ("the kernel's rows and columns are swapped: its second number lies on the pixel to the right", KERNEL.T),
        ("the places are in another order: first along a row, then down", right.T),
        ("that is the sum of the pixels; each is multiplied by the number on top of it first", np.ones((2, 2))),
        ("the kernel has a negative number; it is taken away", np.abs(KERNEL)),
    ]
    for hint, mistake in mistakes:
        wrong = mistake if "order" in hint or "180" in hint else slide(IMAGE, mistake)
        if not np.array_equal(right, found) and np.array_equal(wrong, found):
            return Verdict(name, [hint])
    if (off := np.argwhere(found != right)).size:
        where = " and ".join(PLACES[i][j] for i, j in off)
        return Verdict(name, [f"look at {where} again: four products, pixel times what lies on it, then their sum"])
    return Verdict(name, because="Four products and their sum, four times: that is all that a convolution does.")


def lesson1(kernel: Any) -> Verdict:
    """A kernel (2, 2) that is blind to flat images and to upright and level edges, and sees a checkerboard."""
    name = "lesson 1"
    if unfinished(kernel):
        return Verdict(name, [TO_DO])
    found = array_of(kernel)
    if found is None or found.shape != (2, 2):
        return Verdict(name, ["expected an array of 2x2 numbers"])
    if not found.any():
        return Verdict(name, ["it is 0 everywhere, and so sees nothing at all, no checkerboard either"])
    step = np.repeat([[0.0, 0, 7, 7, 2, 2]], 5, axis=0)
    seen = [
        ("it answers where the image is flat; what must its four numbers add up to?", np.full((5, 5), 0.6)),
        ("it answers to upright edges; look at the sum of each of its columns", step),
        ("it answers to level edges; look at the sum of each of its rows", step.T),
    ]
    hints = [hint for hint, image in seen if np.abs(slide(image, found)).max() > 1e-9]
    if len(hints) > 1 and "flat" in hints[0]:
        hints = hints[:1]  # what is not blind to flat images sees edges as well
    return Verdict(name, hints, "A difference of differences: it sees corners, and textures such as a checkerboard.")


def lesson2_halves(kernel: Any, stride: Any, padding: Any) -> Verdict:
    """A kernel's size, a stride and a padding that make 112 of 224 pixels and leave none out."""
    name, n, half = "lesson 2, halves", 224, 112
    if any(unfinished(answer) for answer in (kernel, stride, padding)):
        return Verdict(name, [TO_DO])
    if not whole(kernel, stride, padding) or kernel < 1 or stride < 1 or padding < 0:
        return Verdict(name, ["expected three whole numbers: kernel and stride from 1 up, padding from 0 up"])
    size = output_size(n, kernel, stride, padding)
    if size != half:
        close = f"{abs(size - half)} too {'many' if size > half else 'few'}"
        rule = (
            "the stride decides about the half" if abs(size - half) > 5 else "kernel and padding decide about the rest"
        )
        return Verdict(name, [f"these make {size} of {n}, {close}: {rule}"])
    if padding >= kernel:
        return Verdict(name, ["there is so much padding that some windows hold nothing else, no pixel at all"])
    used = {i * stride + k - padding for i in range(size) for k in range(kernel)}
    if lost := [pixel for pixel in range(n) if pixel not in used]:
        return Verdict(name, [f"pixels {lost[0]}, {lost[1]} and more are in no window: it steps over them"])
    return Verdict(name, because=f"{half} windows, and each of the {n} pixels is in one of them at least.")


def lesson3_weight(shape: Any, count: Any) -> Verdict:
    """The weight's shape of Conv2d(6, 12, 5, groups=6), and how many numbers it learns, biases included."""
    name = "lesson 3, weight"
    if unfinished(shape) or unfinished(count):
        return Verdict(name, [TO_DO])
    if not isinstance(shape, Sequence) or not whole(*shape) or not whole(count):
        return Verdict(name, ["expected a tuple of whole numbers, and one whole number"])
    hints = {
        (12, 6, 5, 5): "that is the shape without groups; how many channels does one filter see now?",
        (6, 1, 5, 5): "that is one filter for each input channel; there are twelve output maps",
        (1, 12, 5, 5): "the first number is how many filters there are, the second how many channels each sees",
        (12, 5, 5): "there are four numbers: the second stays, though each filter sees little",
        (12, 2, 5, 5): "6 groups: how many of the 6 input channels are in each? (Two is how many filters are.)",
        (2, 1, 5, 5): "that is one group; the weight holds the filters of all groups",
        (12, 1, 5, 5): "",
    }
    if tuple(shape) != (12, 1, 5, 5):
        unknown = "a weight is (filters, channels that a filter sees, height, width)"
        return Verdict(name, [hints.get(tuple(shape), unknown)])
    counts = {300: "the shape is right; the biases learn as well", 1812: "that is what it has without groups"}
    counts |= {1800: "that is what it has without groups, and without biases", 301: "every filter has its own bias"}
    counts |= {306: "there is one bias for every filter, not for every input channel"}
    if count != 312:
        return Verdict(name, [counts.get(int(count), "the shape is right; multiply it out, and count the biases")])
    return Verdict(name, because="A sixth of the weights: a filter that sees one channel needs one kernel.")


def lesson6_inverse(stride: Any, height: Any, width: Any) -> Verdict:
    """A stride and an image's size with which col2im undoes im2col, for windows of 3x3."""
    name, k = "lesson 6, inverse", 3
    if any(unfinished(answer) for answer in (stride, height, width)):
        return Verdict(name, [TO_DO])
    if not whole(stride, height, width) or stride < 1 or min(height, width) < k:
        return Verdict(
            name, [f"expected three whole numbers: a stride from 1 up, and sides that hold a {k}x{k} window"]
        )
    if stride < k:
        return Verdict(name, ["windows overlap: a pixel that was copied more than once comes back more than once"])
    counts = [{i * stride + u for i in range((n - k) // stride + 1) for u in range(k)} for n in (height, width)]
    lost = [side for side, n, used in zip(("the height", "the width"), (height, width), counts, strict=True)
            if len(used) < n]  # fmt: skip
    if lost and stride > k and max(height, width) > k:
        return Verdict(name, ["windows leave gaps: a pixel that no window covers does not come back"])
    if lost:
        return Verdict(name, [f"something is over at the end of {' and '.join(lost)}, which no window covers"])
    return Verdict(name, because="Every pixel is in one window exactly: it is copied once, and comes back once.")


def lesson8_dense(count: Any) -> Verdict:
    """How many numbers LeNet's first dense layer learns for images of 32x32 pixels."""
    name = "lesson 8, dense"
    if unfinished(count):
        return Verdict(name, [TO_DO])
    if not whole(count):
        return Verdict(name, ["expected a whole number"])
    hints = {
        400 * 120 + 120: "that is the layer for 28x28 pixels, or one that leaves out the first convolution's padding",
        576 * 120: "nearly: every one of its outputs has a bias as well",
        36 * 120 + 120: "that is one map; the second convolution makes more of them, and all go in",
        12 * 12 * 16 * 120 + 120: "the second pooling is left out",
        28 * 28 * 16 * 120 + 120: "the poolings are left out",
        64 * 16 * 120 + 120: "the second convolution has no padding: its maps are smaller than its image",
        576: "that is how many numbers go in; each of the 120 outputs has a weight for each of them",
    }
    if count != 576 * 120 + 120:
        other = "follow the size: convolution with padding 2, pooling, convolution without, pooling; then the channels"
        return Verdict(name, [hints.get(int(count), other)])
    return Verdict(
        name, because="16 maps of 6x6 are 576 numbers, 120 times, and 120 biases: a dense layer grows with it."
    )
