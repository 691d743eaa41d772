"""python -m tinycnn.explain: write the page that shows how convolution works."""

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from tinycnn.explain.words import FIRST, languages, say
from tinycnn.explain.writers import checkpoint_page, lesson_page

EXAMPLES = """examples:
  python -m tinycnn.explain                                            a lesson; needs no data and no training
  python -m tinycnn.explain --lang vi                                  the same in Vietnamese
  python -m tinycnn.explain --checkpoint lenet.safetensors --images 3 --out lenet.html
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page that the arguments ask for, and print its path; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.checkpoint is None:
            path = lesson_page(options.out or "tinycnn_lesson.html", options.lang)
        else:
            out = options.out or options.checkpoint.with_suffix(".html")
            path = checkpoint_page(
                options.checkpoint, out, options.images, options.data_dir, options.max_mb, options.lang
            )
    except (OSError, ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(say(options.lang, "command.wrote", path=path, size=f"{path.stat().st_size / 1e6:.1f} MB"))
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tinycnn.explain",
        description="Write one HTML file that shows how convolution works, with the engine's own numbers.  "
        "It needs no network and no server.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="show this trained net on test images")
    parser.add_argument("--images", type=int, default=3, metavar="N", help="how many of them (default: 3)")
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="default: tinycnn_lesson.html, or FILE.html")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--max-mb", type=float, default=3.0, metavar="MB", help="largest size of the file (default: 3)")
    parser.add_argument("--lang", choices=languages(), default=FIRST, help="language of the page (default: en)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
