"""Two tiny datasets with the files, folders and checksums of the real ones, and a mirror to download them from."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinycnn.data import datasets, sources
from tinycnn.data.idx import idx_header, idx_sha256
from tinycnn.data.sources import TEST_FILES, TRAIN_FILES, Source


def idx_bytes(array):
    return idx_header(array.shape) + array.tobytes()


class TinyDataset:
    """arrays: file name -> array; source: the Source with their checksums and no mirrors."""

    def __init__(self, name, seed):
        rng = np.random.default_rng(seed)
        self.arrays = {}
        for (images, labels), count in ((TRAIN_FILES, 30), (TEST_FILES, 20)):
            self.arrays[images] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            self.arrays[labels] = rng.integers(0, 10, count, dtype=np.uint8)
        sha256 = {file: idx_sha256(array) for file, array in self.arrays.items()}
        self.source = Source(name, name.lower(), (), (), sha256, ("ask a friend",))

    def write(self, folder, zipped=True):
        folder.mkdir(parents=True, exist_ok=True)
        for file in self.arrays:
            path = folder / (f"{file}.gz" if zipped else file)
            path.write_bytes(self.content(file, zipped))

    def content(self, file, zipped=True):
        data = idx_bytes(self.arrays[file])
        return gzip.compress(data, 1, mtime=0) if zipped else data  # the same bytes at any time of day


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """FashionMNIST as a tiny dataset (tiny.fashion; tiny.digits is MNIST) that is nowhere yet; tiny.cache is empty."""

    class Tiny:
        fashion = TinyDataset("Fashion-MNIST", seed=1)
        digits = TinyDataset("MNIST", seed=2)
        cache = tmp_path / "home" / "tinycnn"

        def use_mirrors(self, *mirrors):
            source = Source(**{**vars(self.fashion.source), "mirrors": mirrors})
            monkeypatch.setattr(datasets, "FASHION", source)
            monkeypatch.setattr(sources, "SOURCES", (source, self.digits.source))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TINYCNN_DATA", raising=False)
    monkeypatch.setattr(datasets, "MNIST_DIGITS", Tiny.digits.source)
    tiny = Tiny()
    tiny.use_mirrors()
    return tiny


@pytest.fixture
def mirror(monkeypatch):
    """A web server on this computer: mirror.files maps a path to the bytes of the answer, or to a function that
    gives the answer itself; mirror.asked lists the paths asked for; mirror.url is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            answer = server.files.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *args):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked = {}, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
