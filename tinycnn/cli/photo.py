"""photo: an image file as an image of the kind that nets are trained on: grey, light on black, 28x28 pixels.

Read in this order: read_photo, stand_out, background, fit, _grey.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INVERT = ("auto", "yes", "no")
VISIBLE = 0.05  # of full brightness: what differs less from the background belongs to it, as for Fashion-MNIST
SOLID = 5  # of nine pixels in a square that are seen, where an object is
SHARE = 0.01  # of a row or column that an object covers at its outermost
ENOUGH = 224  # pixels along the shorter side of an image: eight for each that the net sees
MOST = 50_000_000  # pixels that are decoded
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # Pillow would run other programs for some
TO_INSTALL = 'pip install "tinycnn[image]" (or pillow)'

Grey = NDArray[np.float32]  # (H, W), 0 black to 1 white


def read_photo(path: Path, size: int = 28, margin: int = 0, invert: str = "auto") -> NDArray[np.uint8]:
    """The image in a file as uint8 (size, size), its object light on black, fitted into the middle with a margin.

    invert: "yes" and "no", or "auto" for images whose rim is lighter than middle grey.  An image of size x size is
    inverted at most.  OSError where the file cannot be opened, ValueError where it is no image or an empty one.
    """
    grey = _grey(path)
    if invert == "yes" or (invert == "auto" and float(np.median(_rim(grey))) > 0.5):
        grey = 1 - grey
    if grey.shape != (size, size):
        grey = fit(stand_out(grey, path), size, margin)
    return np.rint(255 * grey).astype(np.uint8)


def stand_out(grey: Grey, path: Path) -> Grey:
    """The object alone, its background made black and cut off where rows and columns have next to nothing else."""
    ground, noise = background(grey)
    if float(np.median(ground)) <= 0.5:  # lighter ones are left as they are: nobody wanted them inverted
        grey = np.clip((grey - ground) / (1 - ground), 0, 1)
    seen = grey > max(VISIBLE, 4 * noise)
    solid = seen & (_neighbours(seen) >= SOLID)  # a speck is no object
    if not solid.any():
        raise ValueError(f"{path}: the image is empty, nothing stands out from its background")
    rows, columns = (np.flatnonzero(solid.mean(axis) > SHARE) for axis in (1, 0))
    grey = np.where(seen, grey, 0)
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def background(grey: Grey) -> tuple[Grey, float]:
    """The brightness of the background everywhere (H, W), and its noise, from the rim of the image.

    Light falls off towards the corners and to one side: a surface of second degree, constant + linear + quadratic,
    is laid through the rim's pixels, three times, and each time those are left out that the last one did not explain:
    the object may reach the rim.
    """
    H, W = grey.shape
    y, x = np.mgrid[-1 : 1 : complex(0, H), -1 : 1 : complex(0, W)].astype(np.float32)
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])  # (6, H, W)
    at, values = np.stack([_rim(p) for p in powers], axis=1), _rim(grey)  # (rim, 6), (rim,)
    used = np.abs(values - np.median(values)) <= 0.2
    for _ in range(3):
        surface, *_ = np.linalg.lstsq(at[used], values[used], rcond=None)
        off = np.abs(values - at @ surface)
        noise = 1.48 * float(np.median(off[used]))  # the standard deviation, by the median, which specks do not move
        used = off <= max(3 * noise, VISIBLE / 2)
    return np.tensordot(surface, powers, 1).astype(np.float32), noise


def _rim(image: Grey) -> Grey:
    """The outermost pixels, a fortieth of the image on each side, in one row."""
    H, W = image.shape
    h, w = max(1, H // 40), max(1, W // 40)
    return np.concatenate([image[:h].ravel(), image[-h:].ravel(), image[h:-h, :w].ravel(), image[h:-h, -w:].ravel()])


def _neighbours(seen: NDArray[np.bool_]) -> NDArray[np.int8]:
    """How many of the nine pixels around and at each place are seen."""
    framed = np.pad(seen, 1).astype(np.int8)
    H, W = seen.shape
    return np.sum([framed[i : i + H, j : j + W] for i in range(3) for j in range(3)], axis=0, dtype=np.int8)


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


def contact_sheet(photos: NDArray[np.uint8], scale: int = 4, columns: int = 10) -> bytes:
    """Images (N, size, size), or (N, size, size, 3), side by side, enlarged, as the bytes of a PNG file."""
    N, size, _, *colours = photos.shape
    rows, columns = -(-N // columns), min(N, columns)
    sheet = np.full((rows, columns, size + 1, size + 1, *colours), 128, np.uint8)
    sheet.reshape(-1, size + 1, size + 1, *colours)[:N, :size, :size] = photos
    pixels = sheet.swapaxes(1, 2).reshape(rows * (size + 1), columns * (size + 1), *colours)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    buffer = io.BytesIO()
    _pillow().fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _grey(path: Path) -> Grey:
    """The image in a file, turned as the camera was held, no larger than needed; what is transparent is white."""
    pillow = _pillow()
    from PIL import ImageOps

    with path.open("rb") as file:
        try:
            image = pillow.open(file, formats=FORMATS)
            image.draft("L", (ENOUGH, ENOUGH))  # JPEG can be decoded at an eighth of its size
            if image.width * image.height > MOST:
                raise ValueError(f"{image.width} x {image.height} pixels, expected {MOST:,} at most")
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith(("I", "F")):  # 16 bits and more, of which 12 or so may be in use
                deep = np.asarray(image, np.float32)
                full = 65535 if deep.max() > 4095 else 4095 if deep.max() > 255 else 255
                return _shrunk(pillow.fromarray(deep / np.float32(max(1.0, deep.max()) if image.mode == "F" else full)))
            if "A" in image.getbands() or "transparency" in image.info:
                return _shrunk(_on_a_ground(image.convert("RGBA")))
            return _shrunk(image.convert("L"))
        except pillow.UnidentifiedImageError as error:
            raise ValueError(f"{path}: not an image, or of another kind than {', '.join(FORMATS)}") from error
        except Exception as error:  # Pillow has many types for damaged files
            raise ValueError(f"{path}: damaged, or too large ({error})") from error


def _on_a_ground(image: Any) -> Any:
    """An image with transparency on white, or on black where it is mostly light: a white shirt on white is not seen."""
    pillow = _pillow()
    grey, alpha = (np.asarray(band, np.float32) for band in (image.convert("L"), image.getchannel("A")))
    light = float((grey * alpha).sum()) > 160 * max(1.0, float(alpha.sum()))
    return pillow.alpha_composite(pillow.new("RGBA", image.size, "black" if light else "white"), image).convert("L")


def _shrunk(image: Any) -> Grey:
    """As numbers from 0 to 1, averaged over squares of pixels until it is no larger than needed."""
    factor = max(1, min(image.size) // ENOUGH)
    array = np.asarray(image.reduce(factor) if factor > 1 else image, np.float32)
    return array if image.mode == "F" else array / np.float32(255)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise RuntimeError(f"Pillow is not installed; {TO_INSTALL}") from error
    return Image
