"""evaluate: how good is a trained net on the images that it was not trained on?"""

from pathlib import Path
from typing import Any

from tinycnn import training
from tinycnn.backend import resolve_device
from tinycnn.cli.parser import add_checkpoint, add_command, add_data, add_device, data_of, open_model
from tinycnn.data import Batches

TEXT = """measure a net on the test images

Prints the mean cross-entropy and the share of images whose class the net finds, on images that it has never seen."""
EXAMPLES = """examples:
  tinycnn eval lenet.safetensors
  tinycnn eval lenet.safetensors --dataset silhouettes          on other data than it was trained on
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "eval", run, TEXT, EXAMPLES)
    add_checkpoint(parser)
    add_data(parser)
    add_device(parser)


def run(checkpoint: Path, dataset: str | None = None, data_dir: Path | None = None, device: str = "auto") -> None:
    """Print loss and accuracy."""
    saved, model = open_model(checkpoint)
    model.to(resolve_device(device)[0])
    _, test = data_of(saved, dataset, data_dir)
    print(test)
    loss, accuracy = training.evaluate(model, Batches(test.images, test.labels, 256, shuffle=False))
    print(f"test loss {loss:.3f}, test acc {accuracy:.3f}")
