"""predict: what is on these photos?"""

from pathlib import Path
from typing import Any

import numpy as np

from tinycnn import functional as F
from tinycnn import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import resolve_device, to_device
from tinycnn.cli.parser import CLASSES, add_checkpoint, add_command, add_device, dataset_name, open_model
from tinycnn.cli.photo import INVERT, read_photo
from tinycnn.data import scale

TOP = 3  # classes that are named
MARGINS = {"MNIST": 4}  # pixels that a data set leaves free around its objects: digits are 20x20 in the middle of 28x28

TEXT = """say what is on a photo, with probabilities

PNG, JPEG and whatever else Pillow reads.  A photo is made like the images that the net knows: greyscale, the object
light on black, as large as it fits into 28x28 pixels, its proportions kept.  An image that is 28x28 already is inverted
at most.  The net knows its ten classes and nothing else: on a photo of a cat it sees one of them."""
EXAMPLES = """examples:
  tinycnn predict lenet.safetensors shirt.jpg
  tinycnn predict lenet.safetensors *.png --invert no           light objects on dark ground
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "predict", run, TEXT, EXAMPLES)
    add_checkpoint(parser)
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+", help="photos of one object each")
    text = "dark objects on light ground become light on dark; auto: where the rim is light (default: auto)"
    parser.add_argument("--invert", choices=INVERT, help=text)
    add_device(parser)


def run(checkpoint: Path, images: list[Path], invert: str = "auto", device: str = "auto") -> None:
    """Print one line per photo: the most likely classes, and their probabilities."""
    saved, model = open_model(checkpoint)
    if model.config["in_channels"] != 1:
        raise ValueError(f"predict: the net takes images of {model.config['in_channels']} channels, photos become grey")
    size, name = model.config["image_size"], dataset_name(saved)
    classes = CLASSES.get(name, tuple(map(str, range(model.config["num_classes"]))))
    photos = np.stack([read_photo(path, size, MARGINS.get(name, 0), invert) for path in images])  # (N, size, size)
    device, _ = resolve_device(device)
    dtype = next(iter(model.parameters())).dtype
    x = Tensor(to_device(scale(photos[:, None], dtype), device))  # (N, 1, size, size)
    with no_grad():
        shares = F.softmax(model.to(device)(x)).numpy()  # (N, classes)
    for path, share in zip(images, shares, strict=True):
        best = np.argsort(-share, kind="stable")[:TOP]
        print(f"{path}: " + ", ".join(f"{classes[i]} {share[i]:.1%}" for i in best))
