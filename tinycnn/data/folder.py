"""folder: pictures in one folder per class, as a Dataset.

    pets/cat/tom.jpg
    pets/cat/felix.png          pets = read_folder("pets", size=32)
    pets/dog/rex.jpg            train, test = pets.split()

Needs Pillow.  Read in this order: read_folder, read_picture.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinycnn.autograd.arguments import Pair, count, pair
from tinycnn.data.dataset import Dataset

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # what Pillow decodes by itself
MOST_PIXELS = 50_000_000  # of a file: a small one can unpack to gigabytes
TO_INSTALL = 'pip install "tinycnn[image]" (or pillow)'


def read_folder(folder: str | os.PathLike[str], size: Pair = 32, channels: int = 3, train: bool = True) -> Dataset:
    """The pictures below `folder`: a class for each of its folders, in the order of the alphabet, all pictures in it.

    Each picture is brought to `size`, an int or (height, width), by cutting off what sticks out of these proportions in
    the middle and shrinking; channels 3 for colour, 1 for grey.  Files with other endings, and those that begin with a
    dot, are passed over.  ValueError names a file that is no picture, or what is missing; RuntimeError without Pillow.
    """
    root, shape = Path(folder).expanduser(), pair("read_folder", "size", size, 1)
    if count("read_folder", "channels", channels) not in (1, 3):
        raise ValueError(f"read_folder: channels must be 1 (grey) or 3 (colour), got {channels}")
    if not root.is_dir():
        raise ValueError(f"read_folder: {root} is not a folder; expected one with a folder of pictures per class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    files = [(label, path) for label, kind in enumerate(folders) for path in _pictures(kind)]
    if empty := [kind.name for label, kind in enumerate(folders) if label not in {found for found, _ in files}]:
        raise ValueError(f"read_folder: no pictures in {root / empty[0]}; known endings are {', '.join(SUFFIXES)}")
    if not files:
        raise ValueError(f"read_folder: no folders in {root}; expected one per class, with pictures in it")
    images = np.stack([read_picture(path, shape, channels) for _, path in files])
    return Dataset(root.name, train, images, np.array([label for label, _ in files]), [kind.name for kind in folders])


def read_picture(path: Path, size: tuple[int, int], channels: int) -> npt.NDArray[np.uint8]:
    """One picture as uint8 (channels, height, width), turned as the camera was held; what is transparent is white."""
    pillow = _pillow()
    from PIL import ImageOps

    with path.open("rb") as file:
        try:
            image = pillow.open(file, formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels, expected up to {MOST_PIXELS:,}")
            image.draft("RGB" if channels == 3 else "L", (4 * size[1], 4 * size[0]))  # JPEG shrinks while it decodes
            image = ImageOps.exif_transpose(image)
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
                image = pillow.alpha_composite(pillow.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if channels == 3 else "L")
            fitted = np.asarray(ImageOps.fit(image, (size[1], size[0]), pillow.Resampling.LANCZOS))
        except Exception as error:  # Pillow has many types for damaged files, and for bombs
            raise ValueError(f"{path}: not a picture that can be read ({error})") from error
    return fitted.reshape(*size, channels).transpose(2, 0, 1)


def _pictures(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise RuntimeError(f"read_folder: Pillow is not installed; {TO_INSTALL}") from error
    return Image
