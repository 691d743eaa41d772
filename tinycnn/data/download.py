"""Download one file over https with pooch, and never wait long for a network that is not there."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from requests import Response

MAX_BYTES = 64 * 2**20  # the largest file of these datasets is 26 MB


class DownloadError(RuntimeError):
    """The download failed; the message says why, without the URL."""


def download(url: str, path: Path, patience: float) -> None:
    """Save what url answers as path; DownloadError if that fails or nothing arrives for `patience` seconds.

    The transfer runs in a thread of its own, because looking up a host name can hang for longer than any
    timeout that one may set.  When patience ends, the thread is left behind: it cannot be stopped from
    outside, but its next write fails because the file is closed, and it does not keep Python from exiting.
    """
    try:
        from pooch import HTTPDownloader
        from tqdm import tqdm
    except ImportError as error:
        raise DownloadError(f'downloading needs pooch and tqdm: pip install "tinycnn[data]" ({error})') from error

    # The bar shows on a terminal only.  Its total is 1 because pooch ignores an empty bar; then pooch corrects it.
    bar = tqdm(desc=path.name, total=1, unit="B", unit_scale=True, leave=False, disable=None)
    with open(path, "wb") as file, bar:
        sink = _Sink(file)
        hooks = {"response": sink.answered}
        downloader = HTTPDownloader(progressbar=bar, chunk_size=2**13, timeout=patience, hooks=hooks)
        thread = threading.Thread(target=sink.fill, args=(downloader, url), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(timeout=0.1)
            if time.monotonic() - sink.last_arrival > patience:
                raise DownloadError(f"no data for {patience:g} seconds, after {sink.received} bytes")
    if sink.error is not None:
        raise DownloadError(_root_cause(sink.error)) from sink.error


class _Sink:
    """The file that pooch writes to; remembers when data last arrived and how much, and refuses too much."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.received = 0
        self.last_arrival = time.monotonic()
        self.error: Exception | None = None
        self.answer: Response | None = None

    def fill(self, downloader: Callable[[str, "_Sink", None], None], url: str) -> None:
        try:
            downloader(url, self, None)
        except Exception as error:  # whatever it is, the thread that waits has to hear of it
            self.error = error
        finally:
            if self.answer is not None:  # pooch leaves it open when the transfer fails
                self.answer.close()

    def answered(self, answer: "Response", **options: object) -> None:
        self.answer = answer

    def write(self, data: bytes) -> None:
        self.received += len(data)
        self.last_arrival = time.monotonic()
        if self.received > MAX_BYTES:
            raise DownloadError(f"more than {MAX_BYTES} bytes arrive, so it is none of these files")
        self.file.write(data)

    def flush(self) -> None:
        """Part of what pooch expects of a file; the file is flushed when it is closed."""


def _root_cause(error: BaseException) -> str:
    """The innermost error's text: 'Connection refused' rather than the four errors wrapped around it."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"
