"""interrupt: Ctrl-C, and the SIGTERM of docker stop and batch systems, as requests to stop in good order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


class Stop:
    """Whether somebody has asked to stop, and how."""

    by: str | None = None


@contextmanager
def stop_when_asked() -> Iterator[Stop]:
    """Within this block the first Ctrl-C or SIGTERM says so in `by` and no more; the second does what it always does.

    Outside the main thread, and where a signal is being ignored (nohup), it stays as it is.
    """
    stop = Stop()
    usual: dict[int, Any] = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

    def request(number: int, frame: FrameType | None) -> None:
        stop.by = SIGNALS[signal.Signals(number)]
        restore()

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    try:
        for number, handler in usual.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, request)
    except ValueError:  # only the main thread may say what a signal does
        yield stop
        return
    try:
        yield stop
    finally:
        restore()
