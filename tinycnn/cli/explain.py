"""explain: the page that shows what happens inside a net."""

from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.cli.parser import add_checkpoint, add_command, add_data, data_of, open_model
from tinycnn.data import load
from tinycnn.explain import trace
from tinycnn.explain.page import report
from tinycnn.models import LeNet

TEXT = """write a page that shows every number inside a net

One HTML file that opens with a double click, without a network: convolution step by step, its columns, every layer's
maps, and the gradients on their way back.  All numbers come from a real pass of this net."""
EXAMPLES = """examples:
  tinycnn explain --out lesson.html                             a net that has learnt nothing yet
  tinycnn explain lenet.safetensors --out lenet.html
  tinycnn explain lenet.safetensors --image 0 7 42              these test images
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "explain", run, TEXT, EXAMPLES)
    add_checkpoint(parser, optional="the chapter's net, untrained")
    add_data(parser)
    parser.add_argument("--image", type=int, nargs="+", metavar="I", help="numbers of test images (default: 0 1 2)")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="the file to write (default: explain.html)")


def run(
    checkpoint: Path | None = None,
    dataset: str | None = None,
    data_dir: Path | None = None,
    image: tuple[int, ...] = (0, 1, 2),
    out: Path = Path("explain.html"),
) -> None:
    """Write the page, and say so."""
    history: Any = None
    if checkpoint is None:
        model = LeNet()
        _, test = load(dataset or "auto", data_dir, notice=print)
    else:
        saved, model = open_model(checkpoint)
        _, test = data_of(saved, dataset, data_dir)
        progress = saved.about.get("run")
        history = progress.get("history") if isinstance(progress, dict) else None
    for i in image:
        if not 0 <= i < len(test):
            raise ValueError(f"--image: got {i}, expected 0 to {len(test) - 1}")
    chosen = np.array(image)
    traces = [trace(model, test.images[i : i + 1], test.labels[i : i + 1]) for i in chosen]
    title = f"LeNet on {test.name}" + ("" if checkpoint else ", untrained")
    trained = checkpoint is not None
    report(
        traces, out, title=title, classes=test.classes, history=history, test=test if trained else None, trained=trained
    )
    print(f"wrote {out}: open it in a browser")
