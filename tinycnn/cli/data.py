"""data: where the data sets are, whether they are right, and how to get them."""

from pathlib import Path
from typing import Any

from tinycnn.cli.options import to_path
from tinycnn.cli.parser import add_command
from tinycnn.data import MNIST, FashionMNIST
from tinycnn.data.sources import FASHION, MNIST_DIGITS, cache_folder, search_folders

DATASETS = {"fashion": (FASHION, FashionMNIST), "mnist": (MNIST_DIGITS, MNIST)}

TEXT = """find, verify and download the data sets

where     the folders that are searched, and what is in them; reads no file
verify    read every file and compare its SHA-256 with the published one; downloads nothing
fetch     the same, and download what is missing into the cache"""
EXAMPLES = """examples:
  tinycnn data                                                  where are they?
  tinycnn data fetch                                            before a journey
  tinycnn data verify --dataset mnist --data-dir ~/Downloads
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "data", run, TEXT, EXAMPLES)
    actions = ("where", "verify", "fetch")
    parser.add_argument("action", nargs="?", choices=actions, default="where", help="(default: where)")
    parser.add_argument("--dataset", choices=tuple(DATASETS), help="(default: fashion)")
    parser.add_argument("--data-dir", type=to_path, metavar="DIR", help="a folder to look in before all others")


def run(action: str = "where", dataset: str = "fashion", data_dir: Path | None = None) -> None:
    """Do what is asked for one data set, and print what was found."""
    source, kind = DATASETS[dataset]
    if action == "where":
        files = list(source.sha256)
        for folder in search_folders(source, data_dir):
            found = sum((folder / f"{file}.gz").is_file() or (folder / file).is_file() for file in files)
            print(f"{folder}: {f'{found} of {len(files)} files' if found else 'not there'}")
        print(f"downloads go to {cache_folder() / source.folder}")
        return
    for train in (True, False):
        data = kind(train, data_dir, download=action == "fetch")
        print(f"{data}, verified")
