"""Where Fashion-MNIST and MNIST come from, and how their files are told from all others.

A file is accepted for what it contains and nothing else: the SHA-256 of its unpacked bytes.  So a file that was
packed again or unpacked by a browser is as good as the original, while MNIST's files, which carry the very same
names and sizes as Fashion-MNIST's, are never mistaken for them.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinycnn.data.idx import IdxError, idx_sha256, read_idx

Folder = str | os.PathLike[str]

TRAIN_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class Source:
    """One dataset's places and checksums."""

    name: str
    folder: str  # its own folder inside a folder of several datasets
    system_folders: tuple[str, ...]
    mirrors: tuple[str, ...]  # tried in this order; each URL + file name + ".gz" is a file
    sha256: dict[str, str]  # file name: SHA-256 of the unpacked file
    by_hand: tuple[str, ...]  # how a person gets the files

    @property
    def torchvision(self) -> str:
        """The folder that torchvision makes for it: FashionMNIST/raw."""
        return f"{self.name.replace('-', '')}/raw"


FASHION = Source(
    name="Fashion-MNIST",
    folder="fashion-mnist",
    system_folders=("/usr/share/datasets",),  # package dataset-fashion-mnist of Debian and Ubuntu
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    by_hand=(
        "on Debian or Ubuntu: sudo apt install dataset-fashion-mnist",
        "elsewhere: get the four files from https://github.com/zalandoresearch/fashion-mnist (data/fashion)",
    ),
)

MNIST_DIGITS = Source(
    name="MNIST",
    folder="mnist",
    system_folders=(),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    by_hand=("get the four files, each from https://storage.googleapis.com/cvdf-datasets/mnist/<file name>",),
)

SOURCES = (FASHION, MNIST_DIGITS)


def cache_folder() -> Path:
    """The folder for downloads: $XDG_CACHE_HOME/tinycnn, or tinycnn in the system's folder for user caches, or in that
    for temporary files where the user has no home: what is found in it is verified like everything."""
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache) / "tinycnn"
    try:
        home = Path.home()
    except RuntimeError:  # a container's user without a name
        return Path(tempfile.gettempdir()) / "tinycnn"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "tinycnn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "tinycnn"
    return home / ".cache" / "tinycnn"


def search_folders(source: Source, data_dir: Folder | None) -> list[Path]:
    """The folders to look in, best first: data_dir, $TINYCNN_DATA, the user's cache, the system's folder.

    In each of them also the dataset's own folder, and torchvision's where there is one.
    """
    roots = [data_dir, os.environ.get("TINYCNN_DATA"), cache_folder(), *source.system_folders]
    folders = [
        Path(root).expanduser() / place for root in roots if root for place in ("", source.folder, source.torchvision)
    ]
    return [folder for folder in folders if not folder.match(source.torchvision) or folder.is_dir()]


def names_of(name: str) -> list[str]:
    """What a file may be called: train-images-idx3-ubyte or train-images.idx3-ubyte, packed or not."""
    dotted = name.replace("-idx", ".idx")
    return [f"{name}.gz", name, f"{dotted}.gz", dotted]


def verified(source: Source, name: str, path: Path) -> npt.NDArray[np.uint8]:
    """The array in the file at path, if its content is the source's file `name`; else IdxError says what it is."""
    array = read_idx(path)
    found, expected = idx_sha256(array), source.sha256[name]
    if found == expected:
        return array
    for other in SOURCES:
        for file, sha256 in other.sha256.items():
            if found == sha256:
                raise IdxError(path, f"it holds {other.name}'s {file}, expected {source.name}'s {name}")
    raise IdxError(
        path,
        f"a complete IDX file of shape {array.shape}, but not {source.name}'s {name}: "
        f"SHA-256 of its unpacked content {found}, expected {expected}",
    )
