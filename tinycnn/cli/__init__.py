"""cli: the command `tinycnn`: train a LeNet, ask it, look into it, hand it on.

Read in this order: command (all commands, and what becomes of errors), then one file per command.
"""

from tinycnn.cli.command import main

__all__ = ["main"]
