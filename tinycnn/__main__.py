"""`python -m tinycnn` is the command `tinycnn`."""

import importlib
import signal
import sys


def main() -> int:
    """Run the command; Ctrl-C while it is being imported ends the program at once, and quietly."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.SIG_DFL:  # so the package left it, see its first lines
        usual = signal.default_int_handler
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = importlib.import_module("tinycnn.cli")  # here, where Ctrl-C is taken care of
    signal.signal(signal.SIGINT, usual)
    status: int = command.main()
    return status


if __name__ == "__main__":
    sys.exit(main())
