"""`python -m tinycnn` is the command `tinycnn`."""

import sys

from tinycnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
