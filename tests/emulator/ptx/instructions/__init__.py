"""instructions: what each PTX instruction becomes in C, a family a file.

A function decorated with @instruction("add") takes the writer of the function at hand and the instruction, and returns
C text.  All files here are read; there is no list to keep.
"""

import importlib
import pkgutil

from ptx.instructions.table import WRITERS

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

__all__ = ["WRITERS"]
