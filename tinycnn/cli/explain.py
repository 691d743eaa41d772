"""explain: the page that shows what happens inside a net."""

from pathlib import Path
from typing import Any

from tinycnn.cli.options import to_path
from tinycnn.cli.parser import add_checkpoint, add_command
from tinycnn.explain import checkpoint_page, lesson_page
from tinycnn.explain.words import FIRST, languages, say

TEXT = """write a page that shows every number inside a net

One HTML file that opens with a double click, without a network: convolution step by step, its columns, every layer's
maps, and the gradients on their way back.  All numbers come from a real pass of this net."""
EXAMPLES = """examples:
  tinycnn explain                                               a lesson; needs no data and no training
  tinycnn explain lenet.safetensors                             the page lenet.html
  tinycnn explain lenet.safetensors --images 5 --out five.html
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "explain", run, TEXT, EXAMPLES)
    add_checkpoint(parser, optional="a lesson with a net that has learnt nothing yet")
    parser.add_argument("--images", type=int, metavar="N", help="how many test images to show (default: 3)")
    parser.add_argument("--data-dir", type=to_path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--lang", choices=languages(), help="the language that the page opens in (default: en)")
    text = "the file to write (default: tinycnn_lesson.html, or the checkpoint's name with .html)"
    parser.add_argument("--out", type=to_path, metavar="FILE.html", help=text)


def run(
    checkpoint: Path | None = None,
    images: int = 3,
    data_dir: Path | None = None,
    out: Path | None = None,
    lang: str = FIRST,
) -> None:
    """Write the page, and say where it is."""
    if checkpoint is None:
        path = lesson_page(out or "tinycnn_lesson.html", lang)
    else:
        path = checkpoint_page(checkpoint, out or checkpoint.with_suffix(".html"), images, data_dir, lang=lang)
    print(say(lang, "command.wrote", path=path, size=f"{path.stat().st_size / 1e6:.1f} MB"))
