"""EMULATOR_NO_POOL=1: CuPy keeps no memory back, so that each array is an allocation of its own on the device.

Python imports this file when it starts, where `run` has put its folder on the path.
"""

import importlib.abc
import importlib.util
import os
import sys


class WithoutPool(importlib.abc.MetaPathFinder):
    """Lets CuPy be imported as it is, and then takes its memory pools away."""

    def find_spec(self, name, path, target=None):
        if name != "cupy":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("cupy")
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            module.cuda.set_allocator(None)
            module.cuda.set_pinned_memory_allocator(None)

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("EMULATOR_NO_POOL", "0") not in ("", "0"):
    sys.meta_path.insert(0, WithoutPool())
