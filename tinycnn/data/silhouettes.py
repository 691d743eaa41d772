"""Silhouettes: images of clothing drawn by NumPy, for a machine with neither data nor network.

A garment is a few strips of cloth painted one over the other.  A strip is a trapezoid with level edges; GARMENTS
holds them in units of the image's side, x from -0.5 (left) to 0.5, y from 0 (top) to 1.  Every image takes its
class's strips, moves their corners a little, poses the whole (shift, stretch, lean, mirror), paints it, and then
adds stripes, shade, something in front of it, and noise.

Read in this order: GARMENTS, _chunk, _pose, _paint, _finish.
"""

import numpy as np
import numpy.typing as npt

from tinycnn.data.dataset import FASHION_CLASSES, Dataset

SIDE = 28
CHUNK = 500  # images drawn at a time; a part of the recipe: another size would make other images

# How much images of one class differ; lengths in units of the image's side.
BEND = 0.025  # standard deviation of a corner's place
WIDTH = (0.7, 1.05)
HEIGHT = (0.7, 1.0)
LEAN = (-0.25, 0.25)  # sideways per unit of height
SHIFT = (-0.1, 0.1)
MIRROR = 0.5  # probability
DYE = (0.3, 1.0)  # brightness
STRIPED = 0.5  # probability
STRIPES = (0.1, 0.6)  # depth
COVERED = 0.4  # probability
NOISE = (0.01, 0.07)  # standard deviation

Floats = npt.NDArray[np.float32]

# One strip: brightness, then y, x of the middle and half-width of its upper edge, then those of its lower edge.
# Brightness 1 is the garment's own, 0 the background's: a hole.
GARMENTS = {
    "T-shirt/top": [
        (1.0, 0.06, 0.00, 0.24, 0.94, 0.00, 0.24),
        (0.9, 0.06, -0.22, 0.11, 0.40, -0.38, 0.09),
        (0.9, 0.06, 0.22, 0.11, 0.40, 0.38, 0.09),
        (0.0, 0.03, 0.00, 0.10, 0.15, 0.00, 0.03),
    ],
    "Trouser": [
        (1.0, 0.02, 0.00, 0.19, 0.30, 0.00, 0.22),
        (1.0, 0.28, -0.11, 0.11, 0.98, -0.15, 0.08),
        (1.0, 0.28, 0.11, 0.11, 0.98, 0.15, 0.08),
        (0.6, 0.02, 0.00, 0.19, 0.07, 0.00, 0.19),
    ],
    "Pullover": [
        (1.0, 0.06, 0.00, 0.25, 0.94, 0.00, 0.24),
        (0.9, 0.06, -0.24, 0.10, 0.88, -0.40, 0.07),
        (0.9, 0.06, 0.24, 0.10, 0.88, 0.40, 0.07),
        (0.0, 0.03, 0.00, 0.10, 0.12, 0.00, 0.05),
        (0.7, 0.87, 0.00, 0.24, 0.94, 0.00, 0.24),
    ],
    "Dress": [
        (1.0, 0.03, 0.00, 0.14, 0.40, 0.00, 0.11),
        (1.0, 0.38, 0.00, 0.11, 0.98, 0.00, 0.24),
        (0.9, 0.03, -0.12, 0.07, 0.24, -0.20, 0.05),
        (0.9, 0.03, 0.12, 0.07, 0.24, 0.20, 0.05),
        (0.0, 0.01, 0.00, 0.08, 0.14, 0.00, 0.03),
    ],
    "Coat": [
        (1.0, 0.03, 0.00, 0.23, 0.98, 0.00, 0.27),
        (0.9, 0.03, -0.22, 0.11, 0.84, -0.41, 0.07),
        (0.9, 0.03, 0.22, 0.11, 0.84, 0.41, 0.07),
        (0.3, 0.02, 0.00, 0.09, 0.34, 0.00, 0.01),
        (0.4, 0.30, 0.00, 0.02, 0.98, 0.00, 0.02),
    ],
    "Sandal": [
        (1.0, 0.76, 0.00, 0.46, 0.84, 0.00, 0.46),
        (0.9, 0.42, -0.02, 0.05, 0.78, -0.30, 0.05),
        (0.9, 0.42, -0.06, 0.05, 0.78, 0.14, 0.05),
        (0.8, 0.26, 0.30, 0.05, 0.78, 0.40, 0.05),
        (0.8, 0.30, 0.22, 0.18, 0.37, 0.22, 0.18),
        (1.0, 0.80, 0.36, 0.10, 0.96, 0.38, 0.06),
    ],
    "Shirt": [
        (1.0, 0.06, 0.00, 0.24, 0.95, 0.00, 0.25),
        (0.9, 0.06, -0.22, 0.10, 0.78, -0.38, 0.08),
        (0.9, 0.06, 0.22, 0.10, 0.78, 0.38, 0.08),
        (0.0, 0.02, 0.00, 0.06, 0.16, 0.00, 0.01),
        (1.3, 0.03, -0.07, 0.04, 0.14, -0.04, 0.04),
        (1.3, 0.03, 0.07, 0.04, 0.14, 0.04, 0.04),
        (0.7, 0.16, 0.00, 0.02, 0.95, 0.00, 0.02),
    ],
    "Sneaker": [
        (0.9, 0.40, 0.22, 0.18, 0.72, 0.02, 0.42),
        (1.0, 0.56, -0.26, 0.10, 0.74, -0.20, 0.24),
        (1.3, 0.72, 0.00, 0.46, 0.82, 0.00, 0.46),
        (0.4, 0.44, 0.02, 0.04, 0.62, -0.12, 0.04),
        (0.0, 0.36, 0.26, 0.10, 0.46, 0.26, 0.05),
    ],
    "Bag": [
        (1.0, 0.38, 0.00, 0.40, 0.94, 0.00, 0.44),
        (0.8, 0.10, -0.18, 0.03, 0.40, -0.28, 0.03),
        (0.8, 0.10, 0.18, 0.03, 0.40, 0.28, 0.03),
        (0.8, 0.08, 0.00, 0.20, 0.13, 0.00, 0.20),
        (0.7, 0.38, 0.00, 0.40, 0.56, 0.00, 0.30),
        (1.3, 0.54, 0.00, 0.04, 0.62, 0.00, 0.04),
    ],
    "Ankle boot": [
        (1.0, 0.08, 0.22, 0.19, 0.60, 0.20, 0.22),
        (1.0, 0.46, 0.16, 0.24, 0.86, 0.00, 0.44),
        (0.6, 0.84, 0.00, 0.46, 0.90, 0.00, 0.46),
        (0.6, 0.88, 0.32, 0.12, 0.97, 0.34, 0.10),
        (0.6, 0.14, 0.10, 0.02, 0.60, 0.02, 0.02),
    ],
}


class Silhouettes(Dataset):
    """Generated images of the ten Fashion-MNIST classes: 60,000 for training, 10,000 for testing, or any size.

    The same seed gives the same images, and image i does not depend on size.  Training and test images are drawn
    with different random numbers.  Measured: a linear model recognises 81 % of the test images, LeNet (sigmoid,
    average pooling, 10 epochs of SGD with learning rate 0.9) 89 to 91 %.  Raises ValueError if size or seed is
    negative.
    """

    def __init__(self, train: bool, size: int | None = None, seed: int = 0) -> None:
        if size is None:
            size = 60_000 if train else 10_000
        if size < 0 or seed < 0:
            raise ValueError(f"Silhouettes: size is {size} and seed is {seed}, expected 0 or more")
        images = np.empty((size, SIDE, SIDE), np.uint8)
        labels = np.empty(size, np.uint8)
        for start in range(0, size, CHUNK):
            stop = min(start + CHUNK, size)
            rng = np.random.default_rng([seed, int(train), start // CHUNK])
            chunk, classes = _chunk(rng)
            images[start:stop], labels[start:stop] = chunk[: stop - start], classes[: stop - start]
        super().__init__("Silhouettes", train, images, labels, FASHION_CLASSES)


def _chunk(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """CHUNK images (CHUNK, 28, 28) and their classes (CHUNK,), each class equally often."""
    classes = rng.permutation(CHUNK) % len(FASHION_CLASSES)
    strips = STRIPS[classes]  # (CHUNK, strips, 7)
    pictures = _finish(_paint(strips[..., 0], _pose(strips[..., 1:], rng)), rng)
    return (255 * pictures).astype(np.uint8), classes


def _pose(edges: Floats, rng: np.random.Generator) -> Floats:
    """Move the corners of the strips (CHUNK, strips, 6) a little, then pose each garment as a whole; in pixels."""
    edges = edges + BEND * rng.standard_normal(edges.shape, np.float32)
    y, x, half = edges[..., 0::3] - 0.5, edges[..., 1::3], edges[..., 2::3]  # each (CHUNK, strips, 2)
    width, height = _uniform(rng, *WIDTH), _uniform(rng, *HEIGHT)
    lean, right, down = _uniform(rng, *LEAN), _uniform(rng, *SHIFT), _uniform(rng, *SHIFT)
    x = np.where(_uniform(rng, 0, 1) < MIRROR, -x, x)
    y = y * height + down
    x = x * width + right + lean * y
    return SIDE * np.stack([y + 0.5, x + 0.5, half * width])  # (3, CHUNK, strips, upper and lower edge)


def _paint(tones: Floats, edges: Floats) -> Floats:
    """Paint the strips in order, with soft borders one pixel wide, on black: (CHUNK, 28, 28), 1 is full tone."""
    middle_of = np.arange(SIDE, dtype=np.float32) + 0.5  # of each pixel, in its row or column
    pictures = np.zeros((CHUNK, SIDE, SIDE), np.float32)
    for strip in range(tones.shape[1]):
        (y0, y1), (x0, x1), (half0, half1) = edges[:, :, strip, :, None].transpose(0, 2, 1, 3)  # each (CHUNK, 1)
        along = np.clip((middle_of - y0) / np.maximum(y1 - y0, 1), 0, 1)  # (CHUNK, rows): 0 upper edge, 1 lower
        x, half = x0 + along * (x1 - x0), half0 + along * (half1 - half0)
        in_row = np.clip(middle_of - y0 + 0.5, 0, 1) * np.clip(y1 - middle_of + 0.5, 0, 1)
        cover = np.abs(middle_of - x[:, :, None])  # (CHUNK, rows, columns)
        cover = np.clip(half[:, :, None] + 0.5 - cover, 0, 1) * in_row[:, :, None]
        pictures += cover * (tones[:, strip, None, None] - pictures)
    return pictures


def _finish(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Dye, stripe and shade the cloth, put a rectangle in front of some, add noise: (CHUNK, 28, 28) in [0, 1]."""
    at = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
    y, x = at[:, None], at[None, :]
    phase = _uniform(rng, -7, 7) * y + _uniform(rng, -7, 7) * x + _uniform(rng, 0, 1)  # in stripes
    wave = 4 * np.abs(phase % 1 - 0.5) - 1  # -1 to 1
    stripes = wave * _uniform(rng, *STRIPES) * (_uniform(rng, 0, 1) < STRIPED)
    shade = _uniform(rng, -0.4, 0.4) * x + _uniform(rng, -0.4, 0.4) * y
    pictures = pictures * (_uniform(rng, *DYE) * (1 + stripes + shade))

    covered = _uniform(rng, 0, 1) < COVERED
    in_row = np.abs(y - _uniform(rng, -0.5, 0.5)) < _uniform(rng, 0.05, 0.2)
    in_column = np.abs(x - _uniform(rng, -0.5, 0.5)) < _uniform(rng, 0.05, 0.2)
    pictures = np.where(covered & in_row & in_column, _uniform(rng, 0, 1), pictures)

    noise = rng.standard_normal(pictures.shape, np.float32) * _uniform(rng, *NOISE)
    return np.clip(pictures + noise, 0, 1)


def _uniform(rng: np.random.Generator, low: float, high: float) -> Floats:
    """One number for each image: (CHUNK, 1, 1)."""
    return low + (high - low) * rng.random((CHUNK, 1, 1), np.float32)


def _table() -> Floats:
    """GARMENTS as one array (class, strip, 7), filled up with strips of negative width, which paint nothing."""
    strips = max(len(garment) for garment in GARMENTS.values())
    table = np.full((len(FASHION_CLASSES), strips, 7), -1, np.float32)
    for row, name in enumerate(FASHION_CLASSES):
        table[row, : len(GARMENTS[name])] = GARMENTS[name]
    return table


STRIPS = _table()
