"""interrupt: Ctrl-C as a request to stop in good order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether somebody has asked to stop."""

    requested = False


@contextmanager
def stop_on_ctrl_c() -> Iterator[Stop]:
    """Within this block the first Ctrl-C sets `requested` and no more; the second interrupts as it always does.

    Outside the main thread, and where Ctrl-C is being ignored (nohup), it stays as it is.
    """
    stop = Stop()
    usual = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def request(number: int, frame: FrameType | None) -> None:
        stop.requested = True
        signal.signal(signal.SIGINT, usual)

    try:
        if usual != signal.SIG_IGN:
            signal.signal(signal.SIGINT, request)
    except ValueError:  # only the main thread may say what a signal does
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)
