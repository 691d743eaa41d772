"""photo: an image file as an image of the kind that nets are trained on: grey, light on black, 28x28 pixels.

Read in this order: read_photo, stand_out, fit, _grey.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INVERT = ("auto", "yes", "no")
VISIBLE = 0.05  # of full brightness: what differs less from the background belongs to it, as for Fashion-MNIST
TO_INSTALL = 'pip install "tinycnn[image]" (or pillow)'

Grey = NDArray[np.float32]  # (H, W), 0 black to 1 white


def read_photo(path: Path, size: int = 28, margin: int = 0, invert: str = "auto") -> NDArray[np.uint8]:
    """The image in a file as uint8 (size, size), its object light on black, fitted into the middle with a margin.

    invert: "yes" and "no", or "auto" for images whose rim is lighter than middle grey.  An image of size x size is
    inverted at most.  OSError where the file cannot be opened, ValueError where it is no image or an empty one.
    """
    grey = _grey(path)
    if invert == "yes" or (invert == "auto" and _background(grey) > 0.5):
        grey = 1 - grey
    if grey.shape != (size, size):
        grey = fit(stand_out(grey, path), size, margin)
    return np.rint(255 * grey).astype(np.uint8)


def stand_out(grey: Grey, path: Path) -> Grey:
    """The object alone, its background made black and cut off where rows and columns have nothing else."""
    background = _background(grey)
    if background <= 0.5:  # lighter ones are left as they are: nobody wanted them inverted
        grey = np.clip((grey - background) / (1 - background), 0, 1)
    rows, columns = (np.flatnonzero((grey > VISIBLE).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError(f"{path}: the image is empty, nothing stands out from its background")
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit(grey: Grey, size: int, margin: int) -> Grey:
    """The image, in its proportions as large as it fits, in the middle of a black one: (H, W) -> (size, size)."""
    room = size - 2 * margin
    height, width = (max(1, round(n * room / max(grey.shape))) for n in grey.shape)
    pillow = _pillow()
    small = pillow.fromarray(grey).resize((width, height), pillow.Resampling.LANCZOS)
    image = np.zeros((size, size), np.float32)
    top, left = (size - height) // 2, (size - width) // 2
    image[top : top + height, left : left + width] = np.clip(np.asarray(small), 0, 1)
    return image


def _background(grey: Grey) -> float:
    """The middle brightness of the rim."""
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _grey(path: Path) -> Grey:
    """The image in a file, turned as the camera was held; what is transparent is white."""
    pillow = _pillow()
    from PIL import ImageOps

    with path.open("rb") as file:
        try:
            image = ImageOps.exif_transpose(pillow.open(file))
            if image.mode.startswith(("I", "F")):  # 16 bits and more
                deep = np.asarray(image, np.float32)
                return deep / np.float32(max(1.0, deep.max()) if image.mode == "F" else 65535)
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
                image = pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)
            return np.asarray(image.convert("L"), np.float32) / np.float32(255)
        except pillow.UnidentifiedImageError as error:
            raise ValueError(f"{path}: not an image, or of a kind that Pillow does not know") from error
        except Exception as error:  # Pillow has many types for damaged files, and for bombs
            raise ValueError(f"{path}: damaged, or too large ({error})") from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise RuntimeError(f"Pillow is not installed; {TO_INSTALL}") from error
    return Image
