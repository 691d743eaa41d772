"""augment: small changes to training images that their labels survive, other ones in every epoch.

    augment = Augment(shift=2, flip=True, erase=0.5)
    batches = Batches(train.images, train.labels, 128, augment=augment)

What becomes of an image follows from the seed, the epoch and the image's number alone, and is drawn on the CPU: it is
the same on every device, in any batch, and for a run that goes on in the middle of an epoch.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinycnn.autograd.arguments import count, number
from tinycnn.backend import Array, array_module, strided

DRAWS = 8  # random numbers for each image: two of the shift, one of the flip, five of what is erased
SMALLEST, LARGEST = 0.02, 0.4  # parts of the image that are erased
FLATTEST = 0.3  # height by width of what is erased, from this to its inverse


@dataclass
class Augment:
    """Shifts, flips and erases.

    shift   pixels by which an image moves at most, up or down and left or right; what comes in is 0
    flip    whether half of the images are mirrored, left to right
    erase   probability that a rectangle, 2 to 40 % of the image, becomes `fill` (Zhong et al., Random Erasing, 2017)

    Raises TypeError or ValueError for values that are no such numbers.
    """

    shift: int = 0
    flip: bool = False
    erase: float = 0.0
    fill: int = 0
    seed: int = 0
    _drawn: tuple[tuple[int, int], npt.NDArray[np.float64]] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        count("Augment", "shift", self.shift, 0)
        count("Augment", "seed", self.seed, 0)
        number("Augment", "erase", self.erase, 0, 1)
        number("Augment", "fill", self.fill, 0, 255)

    def __call__(self, images: Array, epoch: int, chosen: npt.NDArray[np.int64], total: int) -> Array:
        """The changed images: of uint8 (N, C, H, W), which are numbers `chosen` (N,) of `total`, in this epoch."""
        draws = self._draws(epoch, total)[chosen].T  # (DRAWS, N)
        if self.shift or self.flip:
            images = self._moved(images, draws[:3])
        return self._erased(images, draws[3:]) if self.erase else images

    def _draws(self, epoch: int, total: int) -> npt.NDArray[np.float64]:
        """Random numbers from 0 to 1 for all images of an epoch (total, DRAWS); those of the last epoch are kept."""
        if self._drawn is None or self._drawn[0] != (epoch, total):
            generator = np.random.default_rng([self.seed, epoch, total])
            self._drawn = (epoch, total), generator.random((total, DRAWS))
        return self._drawn[1]

    def _moved(self, images: Array, draws: npt.NDArray[np.float64]) -> Array:
        """Each image shifted and perhaps mirrored: pixel (i, j) comes from row i + down, column j + right."""
        xp, s = array_module(images), self.shift
        N, C, H, W = images.shape
        framed = xp.zeros((N, C, H + 2 * s, W + 2 * s), images.dtype)
        framed[:, :, s : s + H, s : s + W] = images
        down, right = np.floor(draws[:2] * (2 * s + 1)).astype(np.int64)  # (N,)   from 0 to 2*s, of the framed image
        n, c, h, w = framed.strides
        places = strided(framed, (N, 2 * s + 1, 2 * s + 1, C, H, W), (n, h, w, c, h, w))
        moved = places[xp.arange(N), xp.asarray(down), xp.asarray(right)]  # (N, C, H, W)
        mirrored = xp.asarray(draws[2] < 0.5)[:, None, None, None]
        return xp.where(mirrored, moved[..., ::-1], moved) if self.flip else moved

    def _erased(self, images: Array, draws: npt.NDArray[np.float64]) -> Array:
        """Some of the images with a rectangle of `fill`."""
        xp, (H, W) = array_module(images), images.shape[2:]
        chance, size, shape, top, left = draws
        area = H * W * (SMALLEST + (LARGEST - SMALLEST) * size)  # (N,)   pixels
        ratio = FLATTEST ** (1 - 2 * shape)  # (N,)   from FLATTEST to its inverse, as often flat as tall
        height, width = np.minimum(np.sqrt(area * ratio).round(), H), np.minimum(np.sqrt(area / ratio).round(), W)
        first, start = np.floor(top * (H - height + 1)), np.floor(left * (W - width + 1))
        rows = (np.arange(H) >= first[:, None]) & (np.arange(H) < (first + height)[:, None])  # (N, H)
        columns = (np.arange(W) >= start[:, None]) & (np.arange(W) < (start + width)[:, None])  # (N, W)
        erased = rows[:, :, None] & columns[:, None, :] & (chance < self.erase)[:, None, None]  # (N, H, W)
        return xp.where(xp.asarray(erased)[:, None], xp.asarray(self.fill, dtype=images.dtype), images)
