"""Downloads, from a web server on this computer."""

import socket
import sys
import threading
import time

import numpy as np
import pytest

from tinycnn.data import DatasetError, FashionMNIST, datasets, download
from tinycnn.data.sources import FASHION, MNIST_DIGITS, TRAIN_FILES

pytest.importorskip("pooch", reason='downloading needs pooch and tqdm: pip install "tinycnn[data]"')

IMAGES, LABELS = TRAIN_FILES
URL = f"/{IMAGES}.gz"


def serve(mirror, dataset, folder="/"):
    for file in dataset.arrays:
        mirror.files[f"{folder}{file}.gz"] = dataset.content(file)


def cached(tiny):
    return sorted(path.name for path in tiny.cache.rglob("*") if path.is_file() or path.name.startswith("."))


def test_download_into_the_cache(tiny, mirror):
    serve(mirror, tiny.fashion)
    tiny.use_mirrors(f"{mirror.url}/")
    train = FashionMNIST(True)
    assert np.array_equal(train.images[:, 0], tiny.fashion.arrays[IMAGES])
    assert cached(tiny) == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    assert (tiny.cache / "fashion-mnist" / f"{IMAGES}.gz").read_bytes() == tiny.fashion.content(IMAGES)
    assert mirror.asked == [URL, f"/{LABELS}.gz"]
    assert FashionMNIST(True).sha256 == train.sha256 and len(mirror.asked) == 2  # the second time from the cache


def test_nothing_is_asked_for_against_the_wish(tiny, mirror):
    serve(mirror, tiny.fashion)
    tiny.use_mirrors(f"{mirror.url}/")
    with pytest.raises(DatasetError, match="Did not try to download"):
        FashionMNIST(True, download=False)
    assert mirror.asked == []


def test_a_damaged_file_in_the_cache_is_replaced(tiny, mirror):
    tiny.digits.write(tiny.cache / "fashion-mnist")
    serve(mirror, tiny.fashion)
    tiny.use_mirrors(f"{mirror.url}/")
    FashionMNIST(True)
    assert len(FashionMNIST(True, download=False)) == 30


def drops(handler):
    """Promise 1000 bytes, send ten, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"0123456789")


WRONG_ANSWERS = {
    "404": (lambda tiny: None, "HTTPError: 404 Client Error"),
    "page": (lambda tiny: b"<html>Please sign in</html>", "an HTML or XML page"),
    "pointer": (lambda tiny: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    "MNIST": (lambda tiny: tiny.digits.content(IMAGES), f"it holds MNIST's {IMAGES}, expected Fashion-MNIST's"),
    "cut": (lambda tiny: tiny.fashion.content(IMAGES)[:5000], "the file is truncated"),
    "hangs up": (lambda tiny: drops, r"IncompleteRead\(10 bytes read, 990 more expected\)"),
}


@pytest.mark.parametrize("answer, fact", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_a_wrong_answer_leaves_nothing_and_the_next_mirror_is_asked(tiny, mirror, answer, fact):
    mirror.files["/first" + URL] = answer(tiny)
    tiny.use_mirrors(f"{mirror.url}/first/")
    with pytest.raises(DatasetError, match=f"Tried to download:\n  {mirror.url}/first{URL}: .*{fact}"):
        FashionMNIST(True)
    assert cached(tiny) == []

    serve(mirror, tiny.fashion, "/second/")
    tiny.use_mirrors(f"{mirror.url}/first/", f"{mirror.url}/second/")
    mirror.asked.clear()
    assert np.array_equal(FashionMNIST(True).images[:, 0], tiny.fashion.arrays[IMAGES])
    assert mirror.asked[:2] == ["/first" + URL, "/second" + URL]


def test_endless_answer(tiny, mirror, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 10**5)
    mirror.files[URL] = bytes(10**6)
    tiny.use_mirrors(f"{mirror.url}/")
    with pytest.raises(DatasetError, match="more than 100000 bytes arrive, so it is none of these files"):
        FashionMNIST(True)


def test_interrupted(tiny, mirror, monkeypatch):
    """Ctrl-C with half a file on disk, and what a killed run leaves behind: the next run trusts neither."""

    def half(url, path, patience):
        path.write_bytes(tiny.fashion.content(IMAGES)[:5000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(datasets, "download_file", half)
        tiny.use_mirrors(f"{mirror.url}/")
        with pytest.raises(KeyboardInterrupt):
            FashionMNIST(True)
    assert cached(tiny) == []
    killed = tiny.cache / "fashion-mnist" / ".download-killed" / f"{IMAGES}.gz"
    killed.parent.mkdir()
    killed.write_bytes(tiny.fashion.content(IMAGES)[:5000])
    serve(mirror, tiny.fashion)
    assert np.array_equal(FashionMNIST(True).images[:, 0], tiny.fashion.arrays[IMAGES])


def test_cache_that_cannot_be_written(tiny, mirror):
    serve(mirror, tiny.fashion)
    tiny.use_mirrors(f"{mirror.url}/")
    tiny.cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match=rf"cannot be saved in {tiny.cache} \(.+\)"):
        FashionMNIST(True)


@pytest.mark.parametrize("package", ["pooch", "tqdm"])
def test_without_pooch(tiny, monkeypatch, package):
    tiny.use_mirrors("https://nowhere.invalid/")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DatasetError, match=r'downloading needs pooch and tqdm: pip install "tinycnn\[data\]"'):
        FashionMNIST(True)


# No network


@pytest.mark.parametrize("hangs", ["name lookup", "answer", "middle of the file"])
def test_silence_ends_the_search(tiny, mirror, monkeypatch, hangs):
    released = threading.Event()

    def wait(handler):
        if hangs == "middle of the file":
            drops(handler)
        released.wait(20)

    monkeypatch.setattr(datasets, "SILENCE", 0.6)
    if hangs == "name lookup":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: released.wait(20) and [])
    mirror.files[URL] = wait
    tiny.use_mirrors(f"{mirror.url}/", f"{mirror.url}/", f"{mirror.url}/")
    before = set(threading.enumerate())
    start = time.monotonic()
    try:
        with pytest.raises(DatasetError, match=r"(no data for 0.2 seconds, after \d+ bytes|Read timed out)"):
            FashionMNIST(True)
        assert 0.5 < time.monotonic() - start < 2
        assert cached(tiny) == []
        left = {thread for thread in set(threading.enumerate()) - before if thread.name != "tqdm_monitor"}
        assert all(thread.daemon for thread in left)  # Python can exit without them
    finally:
        released.set()
    for thread in left:  # and they end by themselves
        thread.join(5)
        assert not thread.is_alive()


def test_the_reason_is_said_in_a_few_words(tiny, mirror):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # an address at which nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        tiny.use_mirrors(url)
        with pytest.raises(DatasetError, match=rf"\n  {url}{IMAGES}.gz: ConnectionRefusedError: [^()]*\n"):
            FashionMNIST(True)


def test_no_network_costs_less_than_15_seconds():
    """All mirrors of one file share SILENCE, and the first file that fails ends the search."""
    assert datasets.SILENCE <= 12  # a second or two go to importing pooch and looking in folders
    assert all(url.startswith("https://") for source in (FASHION, MNIST_DIGITS) for url in source.mirrors)


def test_the_first_file_that_fails_is_the_last_one_asked_for(tiny, mirror):
    tiny.use_mirrors(f"{mirror.url}/a/", f"{mirror.url}/b/")
    with pytest.raises(DatasetError):
        datasets.load("fashion")
    assert mirror.asked == ["/a" + URL, "/b" + URL]
