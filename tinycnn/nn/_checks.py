"""Argument checks that layers, models, initialisers and optimisers share."""

import math
import numbers
from typing import Any, SupportsIndex


def integer(asker: str, name: str, value: Any) -> int:
    """`value` as an int."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(f"{asker}: {name} must be an int, got {value!r}")
    return value.__index__()


def count(asker: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    if (whole := integer(asker, name, value)) < least:
        raise ValueError(f"{asker}: {name} must be at least {least}, got {whole}")
    return whole


def number(asker: str, name: str, value: Any) -> float:
    """`value` as a finite Python float, so that it never widens a float32 array."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{asker}: {name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{asker}: {name} must be finite, got {value!r}")
    return float(value)
