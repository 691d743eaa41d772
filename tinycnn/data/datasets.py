"""Fashion-MNIST and MNIST: found on this computer or downloaded, and verified before use."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinycnn.data.dataset import DIGIT_CLASSES, FASHION_CLASSES, Dataset
from tinycnn.data.download import DownloadError
from tinycnn.data.download import download as download_file
from tinycnn.data.idx import IdxError
from tinycnn.data.silhouettes import Silhouettes
from tinycnn.data.sources import (
    FASHION,
    MNIST_DIGITS,
    TEST_FILES,
    TRAIN_FILES,
    Folder,
    Source,
    cache_folder,
    names_of,
    search_folders,
    verified,
)

SHORT_NAMES = {"Fashion-MNIST": "fashion", "MNIST": "mnist", "Silhouettes": "silhouettes"}  # as `load` takes them
SILENCE = 10.0  # seconds without a byte, all mirrors together, after which the search gives up

STAND_IN = """
################################################################################
#  THIS IS NOT FASHION-MNIST.                                                  #
#  Training goes on with Silhouettes, clothing drawn by tinycnn itself.        #
#  Accuracies on it do not compare with anybody's on Fashion-MNIST.            #
################################################################################
"""


class DatasetError(RuntimeError):
    """A dataset is not here and cannot be downloaded; the message lists every place and the way to get it."""


class FashionMNIST(Dataset):
    """Fashion-MNIST: 60,000 training or 10,000 test images of ten kinds of clothing.

    Its files are looked for, as .gz or unpacked, in data_dir, the folder named by the environment variable
    TINYCNN_DATA, the user's cache and /usr/share/datasets/fashion-mnist, and in the subfolder fashion-mnist of
    each; if they are nowhere and download is true, they are downloaded into the cache.  Raises DatasetError.
    """

    def __init__(self, train: bool, data_dir: Folder | None = None, download: bool = True) -> None:
        images, labels = _arrays(FASHION, train, data_dir, download)
        super().__init__(FASHION.name, train, images, labels, FASHION_CLASSES)


class MNIST(Dataset):
    """MNIST: 60,000 training or 10,000 test images of handwritten digits.

    Its files are looked for, as .gz or unpacked, in data_dir, the folder named by the environment variable
    TINYCNN_DATA and the user's cache, and in the subfolder mnist of each; if they are nowhere and download is
    true, they are downloaded into the cache.  Raises DatasetError.
    """

    def __init__(self, train: bool, data_dir: Folder | None = None, download: bool = True) -> None:
        images, labels = _arrays(MNIST_DIGITS, train, data_dir, download)
        super().__init__(MNIST_DIGITS.name, train, images, labels, DIGIT_CLASSES)


def load(
    name: str = "auto",
    data_dir: Folder | None = None,
    download: bool = True,
    notice: Callable[[str], None] | None = None,
) -> tuple[Dataset, Dataset]:
    """The training set and the test set called "fashion", "mnist" or "silhouettes"; "auto" always finds one.

    "auto" is Fashion-MNIST or, where that cannot be had, Silhouettes: images drawn by this package, on which
    accuracies are not those of Fashion-MNIST.  Then a boxed notice and the reason are handed to `notice`, which
    a program sets to a function that prints; by default they become a Python warning.  Raises DatasetError if
    "fashion" or "mnist" cannot be had, ValueError for any other name.
    """
    if name == "silhouettes":
        return Silhouettes(train=True), Silhouettes(train=False)
    if name == "mnist":
        return MNIST(True, data_dir, download), MNIST(False, data_dir, download)
    if name not in ("auto", "fashion"):
        raise ValueError(f"load: no dataset is called {name!r}; expected auto, fashion, mnist or silhouettes")
    try:
        return FashionMNIST(True, data_dir, download), FashionMNIST(False, data_dir, download)
    except DatasetError as error:
        if name == "fashion":
            raise
        text = f"{STAND_IN}\n{error}"
    if notice is None:
        warnings.warn(text, stacklevel=2)
    else:
        notice(text)
    return load("silhouettes")


def _arrays(
    source: Source, train: bool, data_dir: Folder | None, download: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    images, labels = TRAIN_FILES if train else TEST_FILES
    return _array(source, images, data_dir, download), _array(source, labels, data_dir, download)


def _array(source: Source, name: str, data_dir: Folder | None, download: bool) -> npt.NDArray[np.uint8]:
    """The array in the file `name`: from the first folder that has the right one, else from a mirror."""
    report = [f"{source.name}: there is no {name}(.gz) to use.", "Looked in:"]
    for folder in search_folders(source, data_dir):
        missing = 0
        paths = [folder / called for called in names_of(name)]
        for path in paths:
            try:
                return verified(source, name, path)
            except (FileNotFoundError, NotADirectoryError):
                missing += 1
            except IdxError as error:
                report.append(f"  {path}: {error.fact}")
            except OSError as error:
                report.append(f"  {path}: cannot be read ({error.strerror})")
        if missing == len(paths):
            report.append(f"  {folder}: not there")

    report.append("Tried to download:" if download else "Did not try to download (download=False).")
    for mirror in source.mirrors if download else ():
        url = f"{mirror}{name}.gz"
        try:
            return _download(source, name, url)
        except IdxError as error:
            report.append(f"  {url}: {error.fact}")
        except DownloadError as error:
            report.append(f"  {url}: {error}")
        except OSError as error:
            report.append(f"  {url}: cannot be saved in {cache_folder()} ({error.strerror})")
    raise DatasetError("\n".join([*report, *_by_hand(source)]))


def _download(source: Source, name: str, url: str) -> npt.NDArray[np.uint8]:
    """Download into a temporary folder, verify, and only then give the file its name in the cache."""
    folder = cache_folder() / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder, ignore_cleanup_errors=True) as temporary:
        path = Path(temporary) / f"{name}.gz"
        download_file(url, path, patience=SILENCE / len(source.mirrors))
        array = verified(source, name, path)
        os.replace(path, folder / path.name)
    return array


def _by_hand(source: Source) -> list[str]:
    files = [f"{name}.gz" for name in source.sha256]
    return [
        "To put the files there by hand:",
        *(f"  {way}" for way in source.by_hand),
        f"  and save {', '.join(files[:2])},",
        f"  {' and '.join(files[2:])} in {cache_folder() / source.folder}",
        "  or in a folder of your own: name it with data_dir or the environment variable TINYCNN_DATA.",
    ]
