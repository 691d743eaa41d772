"""Finding the files, telling right from wrong ones, and what load falls back to.  No network: see test_download."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinycnn.data import DatasetError, FashionMNIST, IdxError, datasets, load, sources
from tinycnn.data.idx import idx_header
from tinycnn.data.sources import FASHION, MNIST_DIGITS, TEST_FILES, TRAIN_FILES, cache_folder, search_folders, verified

IMAGES, LABELS = TRAIN_FILES


@pytest.mark.parametrize("train, count", [(True, 30), (False, 20)])
def test_dataset(tiny, tmp_path, train, count):
    tiny.fashion.write(tmp_path)
    dataset = FashionMNIST(train, tmp_path, download=False)
    images, labels = (tiny.fashion.arrays[file] for file in (TRAIN_FILES if train else TEST_FILES))
    assert dataset.images.shape == (count, 1, 28, 28) and dataset.images.dtype == np.uint8
    assert dataset.images.flags.c_contiguous and np.array_equal(dataset.images[:, 0], images)
    assert dataset.labels.dtype == np.int64 and np.array_equal(dataset.labels, labels)
    assert len(dataset) == count and dataset.classes[9] == "Ankle boot" and len(dataset.classes) == 10
    split = "train" if train else "test"
    assert repr(dataset) == f"Fashion-MNIST {split}: {count} images of 28x28 pixels in 10 classes"


def test_sha256_is_that_of_both_files(tiny, tmp_path):
    tiny.fashion.write(tmp_path, zipped=False)
    files = (tmp_path / IMAGES).read_bytes() + (tmp_path / LABELS).read_bytes()
    assert FashionMNIST(True, tmp_path, download=False).sha256 == hashlib.sha256(files).hexdigest()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("subfolder", ["", "fashion-mnist"])
@pytest.mark.parametrize("place", ["data_dir", "environment", "cache"])
def test_every_place(tiny, tmp_path, monkeypatch, place, subfolder, zipped):
    folder = tiny.cache if place == "cache" else tmp_path / "data"
    tiny.fashion.write(folder / subfolder, zipped)
    if place == "environment":
        monkeypatch.setenv("TINYCNN_DATA", str(folder))
    assert len(FashionMNIST(True, folder if place == "data_dir" else None, download=False)) == 30


def test_mnist_and_fashion_mnist_side_by_side(tiny, tmp_path):
    tiny.fashion.write(tmp_path / "fashion-mnist")
    tiny.digits.write(tmp_path / "mnist", zipped=False)
    (fashion, _), (digits, test) = load("fashion", tmp_path, False), load("mnist", tmp_path, False)
    assert np.array_equal(fashion.images[:, 0], tiny.fashion.arrays[IMAGES])
    assert np.array_equal(digits.images[:, 0], tiny.digits.arrays[IMAGES])
    assert digits.classes == tuple("0123456789") and digits.name == "MNIST" and not test.train


def test_order_of_the_places(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("TINYCNN_DATA", "/e")
    assert search_folders(FASHION, "/d") == [
        Path(folder)
        for folder in (
            *("/d", "/d/fashion-mnist", "/e", "/e/fashion-mnist", "/x/tinycnn", "/x/tinycnn/fashion-mnist"),
            *("/usr/share/datasets", "/usr/share/datasets/fashion-mnist"),
        )
    ]
    monkeypatch.delenv("TINYCNN_DATA")
    assert search_folders(MNIST_DIGITS, None) == [Path("/x/tinycnn"), Path("/x/tinycnn/mnist")]


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    monkeypatch.setenv("TINYCNN_DATA", "~/e")
    found = [folder.as_posix() for folder in search_folders(FASHION, "~/d")]
    assert {"/home/ann/d", "/home/ann/e", "/home/ann/e/fashion-mnist"} <= set(found)


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "root/FashionMNIST/raw"])
def test_the_folders_that_torchvision_makes(tiny, tmp_path, folder):
    tiny.fashion.write(tmp_path / folder, zipped=False)
    root = tmp_path / "root" if folder.startswith("root") else tmp_path
    assert np.array_equal(FashionMNIST(True, root, download=False).images[:, 0], tiny.fashion.arrays[IMAGES])


def test_names_with_a_dot_before_idx(tiny, tmp_path):
    tiny.fashion.write(tmp_path, zipped=False)
    for path in tmp_path.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert np.array_equal(FashionMNIST(True, tmp_path, download=False).images[:, 0], tiny.fashion.arrays[IMAGES])


@pytest.mark.parametrize(
    "platform, variables, folder",
    [
        ("linux", {}, "/home/ann/.cache/tinycnn"),
        ("linux", {"XDG_CACHE_HOME": "/tmp/x"}, "/tmp/x/tinycnn"),
        ("darwin", {}, "/home/ann/Library/Caches/tinycnn"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tinycnn"),
        ("win32", {}, "/home/ann/AppData/Local/tinycnn"),
    ],
)
def test_cache_folder(monkeypatch, platform, variables, folder):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sources.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    assert cache_folder() == Path(folder)


def test_a_file_packed_again_is_the_same_file(tiny, tmp_path):
    tiny.fashion.write(tmp_path)
    before = FashionMNIST(True, tmp_path, download=False).sha256
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(tiny.fashion.content(IMAGES, zipped=False), 9, mtime=1))
    assert FashionMNIST(True, tmp_path, download=False).sha256 == before


def one_pixel_off(tiny):
    array = tiny.fashion.arrays[IMAGES].copy()
    array[7, 7, 7] ^= 1
    return idx_header(array.shape) + array.tobytes()


WRONG = {
    "MNIST": (
        lambda tiny: tiny.digits.content(IMAGES),
        f"it holds MNIST's {IMAGES}, expected Fashion-MNIST's {IMAGES}",
    ),
    "test": (
        lambda tiny: tiny.fashion.content("t10k-images-idx3-ubyte"),
        f"it holds Fashion-MNIST's t10k-images-idx3-ubyte, expected Fashion-MNIST's {IMAGES}",
    ),
    "labels": (lambda tiny: tiny.fashion.content(LABELS), f"it holds Fashion-MNIST's {LABELS}, expected"),
    "one pixel": (
        one_pixel_off,
        r"a complete IDX file of shape \(30, 28, 28\), but not Fashion-MNIST's train-images-idx3-ubyte: "
        "SHA-256 of its unpacked content [0-9a-f]{64}, expected [0-9a-f]{64}",
    ),
    "page": (lambda tiny: b"<!doctype html>", "an HTML or XML page"),
    "pointer": (lambda tiny: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "truncated": (
        lambda tiny: tiny.fashion.content(IMAGES)[:-100],
        "the gzip data ends too early: the file is truncated",
    ),
}


@pytest.mark.parametrize("content, fact", WRONG.values(), ids=WRONG.keys())
def test_wrong_file_is_refused_and_named(tiny, tmp_path, content, fact):
    tiny.fashion.write(tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(content(tiny))
    with pytest.raises(IdxError, match=fact):
        verified(tiny.fashion.source, IMAGES, path)
    with pytest.raises(DatasetError, match=f"  {path}: .*{fact}"):
        FashionMNIST(True, tmp_path, download=False)

    tiny.fashion.write(tiny.cache)  # the search goes on to the right file
    assert np.array_equal(FashionMNIST(True, tmp_path, False).images[:, 0], tiny.fashion.arrays[IMAGES])


def test_a_file_that_cannot_be_read(tiny, tmp_path):
    (tmp_path / IMAGES).mkdir()
    with pytest.raises(DatasetError, match=rf"{tmp_path / IMAGES}: cannot be read \(.+\)"):
        FashionMNIST(True, tmp_path, download=False)


def test_error_says_where_it_looked_and_what_to_do(tiny, tmp_path):
    with pytest.raises(DatasetError) as error:
        FashionMNIST(False, tmp_path / "mine", download=False)
    assert str(error.value).splitlines() == [
        "Fashion-MNIST: there is no t10k-images-idx3-ubyte(.gz) to use.",
        "Looked in:",
        f"  {tmp_path}/mine: not there",
        f"  {tmp_path}/mine/fashion-mnist: not there",
        f"  {tiny.cache}: not there",
        f"  {tiny.cache}/fashion-mnist: not there",
        "Did not try to download (download=False).",
        "To put the files there by hand:",
        "  ask a friend",
        "  and save train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,",
        f"  t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz in {tiny.cache}/fashion-mnist",
        "  or in a folder of your own: name it with data_dir or the environment variable TINYCNN_DATA.",
    ]
    assert "sudo apt install dataset-fashion-mnist" in FASHION.by_hand[0]


# load


@pytest.fixture
def small_silhouettes(monkeypatch):
    whole = datasets.Silhouettes
    monkeypatch.setattr(datasets, "Silhouettes", lambda train: whole(train, size=5))


def test_auto_takes_fashion_mnist_where_it_is(tiny, tmp_path):
    tiny.fashion.write(tmp_path)
    train, test = load("auto", tmp_path, download=False, notice=pytest.fail)
    assert (train.name, train.train, test.train) == ("Fashion-MNIST", True, False)


def test_auto_never_falls_back_silently(tiny, small_silhouettes):
    notices = []
    train, test = load("auto", download=False, notice=notices.append)
    assert (train.name, train.train, test.name, test.train) == ("Silhouettes", True, "Silhouettes", False)
    (notice,) = notices
    box = [line for line in notice.splitlines() if line.startswith("#")]
    assert "THIS IS NOT FASHION-MNIST" in box[1] and {len(line) for line in box} == {80}
    assert "Looked in:" in notice and "ask a friend" in notice
    with pytest.warns(UserWarning, match="THIS IS NOT FASHION-MNIST") as warnings:
        load(download=False)
    assert warnings[0].filename == __file__


def test_others_fail_instead(tiny):
    for name in ("fashion", "mnist"):
        with pytest.raises(DatasetError, match="ask a friend"):
            load(name, download=False, notice=pytest.fail)
    with pytest.raises(ValueError, match="load: no dataset is called 'cifar'; expected auto, fashion, mnist or silh"):
        load("cifar")


def test_silhouettes_on_request(tiny, small_silhouettes):
    train, test = load("silhouettes", notice=pytest.fail)
    assert (train.name, train.train, test.train) == ("Silhouettes", True, False)


# The real thing


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").exists(), reason="needs the Debian package dataset-fashion-mnist"
)
def test_fashion_mnist_of_debian(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train, test = load("fashion", download=False)
    assert len(train) == 60_000 and len(test) == 10_000
    assert np.bincount(train.labels).tolist() == [6000] * 10 and np.bincount(test.labels).tolist() == [1000] * 10
    assert test.classes[test.labels[0]] == "Ankle boot"
    assert round(float(train.images.mean()) / 255, 4) == 0.2860  # the mean that the whole world normalises with


def test_importing_loads_no_download_code():
    code = "import sys, tinycnn.data; print([m for m in ('pooch', 'tqdm', 'requests') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
