"""serialization: torch.save and torch.load for state dicts, as safetensors files; never as pickles, which run code.

    tinycnn.save(net.state_dict(), "net.safetensors")
    net.load_state_dict(tinycnn.load("net.safetensors"))

A training run that is to go on is kept by `tinycnn.checkpoint`, whose files begin with the same tensors.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array, to_numpy
from tinycnn.files import write_atomically

TO_INSTALL = 'pip install "tinycnn[io]" (or safetensors)'
PICKLES = (b"PK\x03\x04", b"\x80")  # how torch.save's files begin, of today and of old
DTYPES = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")  # those that NumPy has


def save(obj: Mapping[str, Any], f: str | Path) -> None:
    """Write tensors and arrays of any shape by their names, such as a state_dict(), as the safetensors file `f`.

    TypeError for what is no such dict: whole models and other objects would need a pickle.
    """
    if not isinstance(obj, Mapping) or not all(isinstance(n, str) and hasattr(x, "dtype") for n, x in obj.items()):
        raise TypeError(
            f"save: expected a dict of tensors by name, got {type(obj).__name__}; write save(net.state_dict(), path): "
            "other objects would need a pickle, which runs code"
        )
    arrays = {name: to_numpy(x.data if isinstance(x, Tensor) else as_array(x)) for name, x in obj.items()}
    content: bytes = safetensors().save({name: np.ascontiguousarray(x).reshape(x.shape) for name, x in arrays.items()})
    write_atomically(f, content)


def load(f: str | Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file by their names, each of its saved shape, in main memory.

    ValueError for anything else, and for a pickle, such as torch.save writes, how to convert it.
    """
    return {name: Tensor(np.array(x)) for name, x in read_tensors(f)[0].items()}


def read_tensors(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays of any shape and the metadata of a safetensors file, verified as far as safetensors does it.

    ValueError names the file and what is wrong with it.
    """
    content = Path(path).read_bytes()  # not mapped: a file that changes while it is mapped kills the program
    library = safetensors()
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = dict(header.pop("__metadata__", None) or {})
        foreign = {name: entry["dtype"] for name, entry in header.items() if entry["dtype"] not in DTYPES}
        if not foreign:
            tensors: dict[str, Array] = library.load(content)
            return tensors, metadata
    except Exception as error:  # the library has a type of its own for each kind of damage
        if content.startswith(PICKLES):
            raise ValueError(
                f"{path}: a pickle, as torch.save writes it, and reading one runs the code in it; convert it in "
                "PyTorch: safetensors.torch.save_file(model.state_dict(), path)"
            ) from None
        raise ValueError(f"{path}: not a safetensors file, or damaged: {error!r}") from error
    name, dtype = next(iter(foreign.items()))
    raise ValueError(
        f"{path}: entry {name!r} holds {dtype}, which NumPy does not have; convert it to F32 where the file was made, "
        "in PyTorch with tensor.float()"
    )


def safetensors() -> Any:
    """The library, for NumPy; RuntimeError where it is not installed."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise RuntimeError(f"checkpoint: safetensors is not installed; {TO_INSTALL}") from error
    return safetensors.numpy
