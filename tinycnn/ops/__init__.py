"""ops: one differentiable operation per file.  The file's name is the public function's name.

A new operation is a new file here: every module of this folder is found by itself, and what its `__all__` names
becomes part of `tinycnn.functional`.  Names that start with an underscore are helpers, not operations.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

PUBLIC: dict[str, Callable[..., Any]] = {}  # every public function of this folder, by name

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        _found = importlib.import_module(f"{__name__}.{_module.name}")
        for _name in _found.__all__:
            if _name in PUBLIC:
                raise ImportError(f"ops: {_name} is defined by {PUBLIC[_name].__module__} and by {_found.__name__}")
            PUBLIC[_name] = getattr(_found, _name)
