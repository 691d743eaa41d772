"""predict: what is on these photos?"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinycnn import functional as F
from tinycnn import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import resolve_device, to_device
from tinycnn.checkpoint import Checkpoint
from tinycnn.cli.options import to_path
from tinycnn.cli.own import kind_of
from tinycnn.cli.parser import CLASSES, add_checkpoint, add_command, add_device, dataset_name, open_model
from tinycnn.cli.photo import INVERT, contact_sheet, read_photo
from tinycnn.data import scale
from tinycnn.data.folder import read_picture
from tinycnn.files import printable, write_atomically
from tinycnn.models import Net

TOP = 3  # classes that are named
MARGINS = {"MNIST": 4}  # pixels that a data set leaves free around its objects: digits are 20x20 in the middle of 28x28

TEXT = """say what is on a photo, with probabilities

PNG, JPEG, WebP, GIF, BMP, TIFF.  A photo is made like the images that the net knows: greyscale, the object
light on black, as large as it fits into 28x28 pixels, its proportions kept.  An image that is 28x28 already is inverted
at most.  A net that was trained with --data gets its pictures as it has learnt them, and names your classes.  A net
knows its classes and nothing else: on a photo of a cat one of garments sees a garment."""
EXAMPLES = """examples:
  tinycnn predict lenet.safetensors shirt.jpg
  tinycnn predict lenet.safetensors *.png --invert no           light objects on dark ground
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "predict", run, TEXT, EXAMPLES)
    add_checkpoint(parser)
    parser.add_argument("images", metavar="IMAGE", type=to_path, nargs="+", help="photos of one object each")
    text = "dark objects on light ground become light on dark; auto: where the rim is light (default: auto)"
    parser.add_argument("--invert", choices=INVERT, help=text)
    parser.add_argument("--show", type=to_path, metavar="FILE.png", help="write a picture of what the net is shown")
    add_device(parser)


def run(
    checkpoint: Path, images: list[Path], invert: str = "auto", device: str = "auto", show: Path | None = None
) -> int:
    """Print one line per photo: the most likely classes, and their probabilities.  Photos that cannot be read are named
    on the error stream, and the exit status is then 1."""
    saved, model = open_model(checkpoint)
    read, classes = _as_learnt(saved, model, invert)
    found: dict[Path, NDArray[np.uint8]] = {}
    for path in images:
        try:
            found[path] = read(path)
        except (OSError, ValueError) as error:
            if len(images) == 1:
                raise
            fact = f"{path}: {error.strerror}" if isinstance(error, OSError) else error
            print(printable(f"tinycnn predict: {fact}"), file=sys.stderr)
    if not found:
        return 1
    photos = np.stack(list(found.values()))  # (N, C, size, size)
    if show is not None:
        write_atomically(show, contact_sheet(photos[:, 0] if photos.shape[1] == 1 else photos.transpose(0, 2, 3, 1)))
    device, _ = resolve_device(device)
    dtype = next(iter(model.parameters())).dtype
    x = Tensor(to_device(scale(photos, dtype), device))  # (N, C, size, size)
    with no_grad():
        shares = F.softmax(model.to(device)(x)).numpy()  # (N, classes)
    for path, share in zip(found, shares, strict=True):
        best = np.argsort(-share, kind="stable")[:TOP]
        print(printable(f"{path}: " + ", ".join(f"{classes[i]} {share[i]:.1%}" for i in best)))
    return int(len(found) < len(images))


Reader = Callable[[Path], NDArray[np.uint8]]  # from a file to an image (C, size, size)


def _as_learnt(saved: Checkpoint, model: Net, invert: str) -> tuple[Reader, Sequence[str]]:
    """What reads a file as an image of the kind that the net has learnt from, and the names of its classes."""
    if kind := kind_of(saved, model):
        if invert != "auto":
            raise ValueError("predict: --invert is for photos of garments and digits, this net has learnt from others")
        return lambda path: read_picture(path, (kind.size, kind.size), kind.channels), kind.classes
    if model.config["in_channels"] != 1:
        raise ValueError(f"predict: the net takes images of {model.config['in_channels']} channels, photos become grey")
    size, name = model.config["image_size"], dataset_name(saved)
    names = CLASSES.get(name, tuple(map(str, range(model.config["num_classes"]))))
    return lambda path: read_photo(path, size, MARGINS.get(name, 0), invert)[None], names
