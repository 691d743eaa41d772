"""How much of its accuracy does a net lose on photos?  Test garments, as they are and as `tinycnn predict` meets them.

    tinycnn train --epochs 10 --save lenet.safetensors
    python benchmarks/photos.py lenet.safetensors                300 garments, half a minute

Each garment is enlarged, laid somewhere on a ground of 600x800 pixels, darker or lighter than it, in light that falls
off towards the corners and to one side, with a shadow at its edge, with noise, and saved as JPEG of quality 60, as PNG
with a transparent ground, with 16 bits, or turned, as a camera notes it in EXIF.  The results go to
benchmarks/results/photos.json.  The exit status is 0 if at most 5 points of accuracy are lost.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from machine import describe
from tinycnn import Tensor, checkpoint, data, no_grad
from tinycnn.cli.photo import read_photo

KINDS = ("JPEG", "light on dark", "transparent PNG", "16 bits", "turned by EXIF")
HEIGHT, WIDTH, MOST = 600, 800, 0.05
TURNED = 6  # EXIF's word for: turn by 90 degrees clockwise to look at it


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a net trained on Fashion-MNIST, as `tinycnn train` saves it")
    parser.add_argument("--garments", type=int, default=300, metavar="N", help="how many (default: 300)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    options = parser.parse_args(arguments)
    model = checkpoint.load(options.checkpoint).build()
    model.eval()
    test = data.FashionMNIST(train=False)
    chosen = np.random.default_rng(0).choice(len(test), options.garments, replace=False)
    images, labels = test.images[chosen, 0], test.labels[chosen]
    with tempfile.TemporaryDirectory() as folder:
        shown = np.stack([read_photo(photograph(image, i, Path(folder))) for i, image in enumerate(images)])
    raw, photos = right(model, images, labels), right(model, shown, labels)
    kinds = {
        kind: [float(known[i :: len(KINDS)].mean()) for known in (raw, photos)] for i, kind in enumerate(KINDS)
    }  # before and after
    found = {"garments": len(images), "raw": float(raw.mean()), "photos": float(photos.mean()), "kinds": kinds}
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": describe("numpy", "pillow"), **found}, indent=2) + "\n"
    (options.out / "photos.json").write_text(text, encoding="utf-8")
    print(text, end="")
    return int(found["raw"] - found["photos"] > MOST)


def right(model, images, labels):
    """Of which images (N, H, W) the model's first guess is the label."""
    with no_grad():
        logits = model(Tensor(data.scale(images[:, None], np.float32))).numpy()
    return logits.argmax(axis=1) == labels


def photograph(pixels, number, folder):
    """The path of a photo of an image (28, 28) of 0 to 255, light on black; its number says of which kind."""
    kind, rng = KINDS[number % len(KINDS)], np.random.default_rng(number)
    cloth, alpha = scene(pixels, rng)
    path = folder / f"{number}.{'jpg' if kind in ('JPEG', 'light on dark') else 'png'}"
    if kind == "transparent PNG":
        Image.fromarray(np.dstack([byte(1 - cloth)] * 3 + [byte(alpha)])).save(path)
        return path
    light = lighting(rng)
    grey = (0.05 + 0.95 * cloth if kind == "light on dark" else 0.95 * (1 - cloth)) * light
    if kind != "light on dark":
        grey *= 1 - shadow(alpha, rng)
    grey += rng.uniform(0, 8) / 255 * rng.standard_normal(grey.shape)
    if kind == "16 bits":
        Image.fromarray(np.clip(65535 * grey, 0, 65535).astype(np.uint16)).save(path)
    elif kind == "turned by EXIF":
        exif = Image.Exif()
        exif[0x0112] = TURNED
        Image.fromarray(np.rot90(byte(grey))).save(path, exif=exif)
    else:
        Image.fromarray(byte(grey)).convert("RGB").save(path, quality=60)
    return path


def scene(pixels, rng):
    """The garment's brightness, and where it is (600, 800), 0 to 1: enlarged 12 to 18 times, off the centre."""
    side = 28 * int(rng.integers(12, 19))
    large = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    cloth, alpha = np.zeros((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH))
    top, left = rng.integers(20, HEIGHT - side - 20), rng.integers(20, WIDTH - side - 20)
    cloth[top : top + side, left : left + side] = np.asarray(large) / 255
    alpha[cloth > 0.02] = 1
    return cloth, alpha


def lighting(rng):
    """A vignette of up to 30 % at the corners, and a slope of up to 10 % to the right."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    return (1 - rng.uniform(0, 0.3) * (x * x + y * y) / 2) * (1 - rng.uniform(0, 0.1) * (x + 1) / 2)


def shadow(alpha, rng):
    """What a garment takes of the light beside it: a soft shape, a little to the right and below, on the ground."""
    blurred = Image.fromarray(byte(alpha)).reduce(20).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return rng.uniform(0, 0.03) * np.roll(np.asarray(blurred) / 255, (6, 6), (0, 1)) * (1 - alpha)


def byte(x):
    return np.clip(255 * x, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
