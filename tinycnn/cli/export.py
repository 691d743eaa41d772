"""export: a trained net as an ONNX file."""

from pathlib import Path
from typing import Any

from tinycnn import onnx
from tinycnn.cli.options import to_path
from tinycnn.cli.parser import add_checkpoint, add_command, image_shape, open_model

TEXT = """write a net as an ONNX file, for other programs

ONNX is read by onnxruntime, by browsers and telephones, and shown as a drawing by Netron.  The file takes "input", a
batch of images (N, 1, 28, 28) of numbers from 0 to 1, and gives "output", ten numbers per image, the greatest of which
is at the place of the class."""
EXAMPLES = """examples:
  tinycnn export lenet.safetensors lenet.onnx
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "export", run, TEXT, EXAMPLES)
    add_checkpoint(parser)
    parser.add_argument("out", type=to_path, metavar="FILE.onnx", help="the file to write")


def run(checkpoint: Path, out: Path) -> None:
    """Write the file, and say so."""
    _, model = open_model(checkpoint)
    shape = image_shape(model)
    onnx.export(model, out, shape)
    print(f"wrote {out}: input (N, {', '.join(map(str, shape[1:]))}), output (N, {model.config['num_classes']})")
