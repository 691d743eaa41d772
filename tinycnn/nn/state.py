"""state: whether saved arrays fit where they are to be loaded, all of them, before any is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array, to_numpy


class KeysLeft(NamedTuple):
    """What did not match in load_state_dict(strict=False); both lists are empty where everything did."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def fitting(
    owner: str, wanted: Mapping[str, Array], given: Mapping[str, Any], strict: bool = True
) -> tuple[dict[str, Array], KeysLeft]:
    """The entries of `given` that `wanted` names, as NumPy arrays in the wanted dtypes, and the names left over.

    `wanted` maps each name to an array of the right shape and dtype; `given` may hold anything that turns into an
    array: NumPy's, CuPy's, Tensors, PyTorch's tensors.  One ValueError names every entry that is missing,
    unexpected (both only if strict), of another shape, of another kind of numbers, or not finite.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"{owner}: expected a dict of arrays by name, got {type(given).__name__}")
    left = KeysLeft([name for name in wanted if name not in given], [name for name in given if name not in wanted])
    faults = []
    if strict:
        faults += [f"missing: {name} {wanted[name].shape}" for name in left.missing_keys]
        faults += [f"unexpected: {name} {_looks(given[name])}" for name in left.unexpected_keys]
    found = {}
    for name, target in wanted.items():
        if name in given:
            try:
                found[name] = _fit(given[name], target)
            except (TypeError, ValueError, RuntimeError) as error:  # PyTorch raises all three in __array__
                faults.append(f"{name}: {error}")
    if faults:
        entries = "1 entry does" if len(faults) == 1 else f"{len(faults)} entries do"
        raise ValueError(f"{owner}: {entries} not fit; nothing was changed\n  " + "\n  ".join(faults))
    return found, left


def _fit(value: Any, target: Array) -> Array:
    """`value` as a NumPy array of target's shape and dtype, or an error that says what is wrong with it."""
    array = _numpy(value)
    if array.shape != target.shape:
        raise ValueError(f"has shape {array.shape}, expected {target.shape}")
    whole = target.dtype.kind in "iu"
    if array.dtype.kind not in ("iu" if whole else "f"):
        raise TypeError(f"holds {array.dtype}, expected {'whole' if whole else 'floating-point'} numbers")
    with np.errstate(over="ignore", under="ignore"):  # what overflows is refused below
        array = array.astype(target.dtype)
    if not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ValueError(f"{bad} of {array.size} numbers are not finite in {target.dtype}")
    return array


def _numpy(value: Any) -> Array:
    if isinstance(value, Tensor):
        return value.numpy()
    if hasattr(value, "detach"):  # a PyTorch tensor that requires a gradient refuses to become an array
        value = value.detach()
    return to_numpy(as_array(value))


def _looks(value: Any) -> str:
    return str(tuple(value.shape)) if hasattr(value, "shape") else f"({type(value).__name__})"
