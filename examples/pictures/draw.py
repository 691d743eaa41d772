"""Draw the README's pictures again, each by the program that it is a picture of.

    python examples/pictures/draw.py lesson tour             some of them
    python examples/pictures/draw.py                         all: an hour and more, nearly all of it for the exercises

lesson and tour need Chromium, the others Fashion-MNIST, and exercises MNIST as well (--mnist-dir).  The runs behind
better_lenet and exercises leave their numbers in benchmarks/results.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tinycnn.explain import lesson_page

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "benchmarks" / "results"
VIEWS = {  # what the README shows of the lesson page, and its pixels
    "lesson": ("tab=im2col&i=2&j=2", (1240, 1130)),
    "tour": ("tour=4", (1240, 1130)),
}


def lesson(folder, options):
    """The page's tab im2col, as Chromium shows it."""
    return screenshot("lesson", folder)


def tour(folder, options):
    """A step of the tour, on the tab that it leads through."""
    return screenshot("tour", folder)


def screenshot(name, folder):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise SystemExit(f"draw: the picture {name} is of the lesson page and needs Chromium, which is not installed")
    (view, size), page, picture = VIEWS[name], lesson_page(folder / "lesson.html"), folder / f"{name}.png"
    flags = ["--headless=new", "--hide-scrollbars", "--force-device-scale-factor=1", "--force-prefers-reduced-motion"]
    flags += [f"--user-data-dir={folder / 'profile'}", f"--window-size={size[0]},{size[1]}"]
    flags += ["--virtual-time-budget=10000", f"--screenshot={picture}"]  # time enough for the page to check itself
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox does not run as root
    subprocess.run([browser, *flags, f"{page.resolve().as_uri()}#{view}"], check=True, capture_output=True)
    return picture


def curves(folder, options):
    """The chapter's ten epochs."""
    return example("lenet_fashion", folder, "--dataset", "fashion", "--seed", "0") / "curves.png"


def activations(folder, options):
    run("activations", "--dataset", "fashion", "--out", str(folder / "activations.png"))
    return folder / "activations.png"


def data_parallel(folder, options):
    """Four ranks and what travels between them."""
    run("data_parallel", "--dataset", "fashion", "--out", str(folder / "data_parallel.png"))
    return folder / "data_parallel.png"


def better_lenet(folder, options):
    """The improved net's learning curve; its numbers as well."""
    example("better_lenet", folder, "--dataset", "fashion")
    shutil.copy(folder / "result.json", RESULTS / "better_lenet.fashion.json")
    return folder / "curves.png"


def exercises(folder, options):
    """Every variant's accuracy; the table as well."""
    mnist = ["--mnist-dir", str(options.mnist_dir)] if options.mnist_dir else []
    example("exercises", folder, "--dataset", "fashion", *mnist)
    shutil.copy(folder / "exercises.json", RESULTS / "exercises.json")
    return folder / "exercises.png"


PICTURES = {f.__name__: f for f in (lesson, tour, curves, activations, data_parallel, better_lenet, exercises)}


def example(name, folder, *arguments):
    """Run an example; the folder with what it wrote."""
    run(name, *arguments, "--out", str(folder))
    return folder


def run(name, *arguments):
    subprocess.run([sys.executable, str(HERE.parent / f"{name}.py"), *arguments], check=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"{', '.join(PICTURES)}; all if none is named")
    parser.add_argument("--mnist-dir", type=Path, metavar="DIR", help="folder with MNIST's files, for the exercises")
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="for the pictures (default: beside this)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.pictures if name not in PICTURES]:
        parser.error(f"there is no picture {unknown[0]!r}; there are {', '.join(PICTURES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.pictures or PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(PICTURES[name](Path(folder), options), options.out / f"{name}.png")
        print(f"wrote {options.out / name}.png")


if __name__ == "__main__":
    main()
