"""summary: the layers of a net as a table."""

from pathlib import Path
from typing import Any

import tinycnn
from tinycnn.checkpoint import Checkpoint
from tinycnn.cli.parser import add_checkpoint, add_command, dataset_name, image_shape, open_model
from tinycnn.files import printable
from tinycnn.models import LeNet, Net

TEXT = """show the layers of a net, and what they cost

One line per layer: the shape of its output, its parameters, and per image the multiply-adds, the memory of its columns,
and the part of the image that one number of its output sees."""
EXAMPLES = """examples:
  tinycnn summary                                               the net of the chapter
  tinycnn summary lenet.safetensors                             a net of your own
"""


def add(commands: Any) -> None:
    """The command's parser."""
    add_checkpoint(add_command(commands, "summary", run, TEXT, EXAMPLES), optional="the chapter's net")


def run(checkpoint: Path | None = None) -> None:
    """Print the table; above it, where a checkpoint comes from."""
    model: Net = LeNet()
    if checkpoint is not None:
        saved, model = open_model(checkpoint)
        print(origin(saved))
    print(tinycnn.summary(model, image_shape(model)))


def origin(saved: Checkpoint) -> str:
    """Where a checkpoint comes from: the data, the epochs, the version of tinycnn."""
    words = [f"{saved.path}: {saved.model['class']} by tinycnn {saved.engine}"]
    if name := dataset_name(saved):
        words.append(f"trained on {name}")
    run = saved.about.get("run")
    if isinstance(run, dict) and "epoch" in run:
        words.append(f"epochs complete: {run['epoch']}")
    return printable(", ".join(words))
