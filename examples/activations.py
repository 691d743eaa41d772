"""What LeNet's first and second layer make of pullovers, coats and noise: exercise 4 of the LeNet chapter.

python examples/activations.py                                 trains one epoch first
python examples/activations.py --checkpoint lenet.safetensors  of a net that is trained already
python examples/activations.py --dataset silhouettes --limit 2000 --epochs 1      a quick look

One row per image, written as one PNG: the image, the maps behind the first convolution and its activation, and those
behind the second.  Each map has the same scale in all rows, so that the images can be compared: black is its least
activation, white its greatest.
"""

import argparse
from pathlib import Path

import numpy as np

from tinycnn import checkpoint, explain, manual_seed
from tinycnn.cli.report import clear_errors
from tinycnn.data import Batches, load
from tinycnn.execution import make_step
from tinycnn.explain.figures import style
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.training import Progress, train

CLASSES = ("Pullover", "Coat")
LAYERS = ("first layer", "second layer")


def main(arguments=None):
    options = parse(arguments)
    train_set, test_set = load(options.dataset, options.data_dir, notice=print)
    print(test_set)
    if options.checkpoint:
        net = checkpoint.load(options.checkpoint).build()
    else:
        net = trained(train_set, test_set, options)

    names, images = inputs(test_set, options.each, options.seed)
    trace = explain.trace(net, images, np.zeros(len(images), np.int64))  # the labels matter to backward only
    first, second = [record.out for record in trace.layers if record.kind in ("sigmoid", "relu", "tanh")][:2]
    if first.ndim != 4 or second.ndim != 4:
        raise ValueError("activations: expected a net with two convolutions, each followed by an activation")
    for name in (*CLASSES, "noise"):
        chosen = [n == name for n in names]
        print(f"{name:9} mean activation {first[chosen].mean():.3f}, {second[chosen].mean():.3f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(names, images, first, second).savefig(options.out, facecolor="white")
    print(f"wrote {options.out}")


def trained(train_set, test_set, options):
    """LeNet with ReLU and max pooling, which has learned something after one epoch."""
    manual_seed(options.seed)
    net = LeNet(activation="relu", pool="max")
    batches = Batches(train_set.images[: options.limit], train_set.labels[: options.limit], 64, seed=options.seed)
    test_batches = Batches(test_set.images[: options.limit], test_set.labels[: options.limit], 256, shuffle=False)
    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=0.03, momentum=0.9)) as step:
        train(step, batches, test_batches, options.epochs, [Progress()])
    return net


def inputs(data, each, seed):
    """`each` images of both classes and as many of noise: a name per image, and the images (3*each, 1, 28, 28)."""
    garments = [data.images[data.labels == data.classes.index(name)][:each] for name in CLASSES]
    noise = np.random.default_rng(seed).integers(0, 256, (each, *data.images.shape[1:]), np.uint8)
    names = [name for name, found in zip((*CLASSES, "noise"), (*garments, noise), strict=True) for _ in found]
    return names, np.concatenate([*garments, noise])


def draw(names, images, first, second):
    """One row per image: itself, the maps of the first layer, the maps of the second."""
    groups = [images[:, :1], first, second]  # each (N, C, H, W)
    wide = [maps.shape[1] for maps in groups]
    figure = style.new(0.62 * sum(wide) + 2.3, 0.68 * len(images) + 0.6)
    parts = figure.subfigures(1, 3, width_ratios=(2.6, wide[1] + 0.4, wide[2] + 0.4))
    for part, maps, title in zip(parts, groups, ("image", *LAYERS), strict=True):
        part.suptitle(title if part is parts[0] else f"{title}: {maps.shape[1]} maps", fontsize=10, color=style.INK)
        cells = part.subplots(*maps.shape[:2], squeeze=False)
        for (row, c), axes in np.ndenumerate(cells):
            axes.imshow(maps[row, c], cmap=style.GREY, vmin=maps[:, c].min(), vmax=maps[:, c].max())
            style.bare(axes)
    for axes, name in zip(parts[0].axes, names, strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=style.INK, labelpad=6)
    return figure


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="auto", choices=("auto", "fashion", "silhouettes"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a trained LeNet, instead of training one")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="of training (default: 1)")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N images only, for a quick look")
    parser.add_argument("--each", type=int, default=3, metavar="N", help="images of each kind (default: 3)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and noise (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs", "activations.png"), metavar="FILE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with clear_errors():
        main()
