"""`python -m tinycnn` is the command `tinycnn`."""

import sys

from tinycnn.cli import main

sys.exit(main())
