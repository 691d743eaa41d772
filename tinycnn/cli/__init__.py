"""cli: the command `tinycnn`: train a LeNet, ask it, look into it, hand it on.

Read in this order: command (all commands, and what becomes of errors), then one file per command; options and report,
of which training programs are made: the command `tinycnn train` and examples/lenet_fashion.py.
"""

from tinycnn.cli.command import main

__all__ = ["main"]
