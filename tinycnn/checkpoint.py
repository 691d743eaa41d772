"""checkpoint: a model, and all that is needed to go on training it, in one safetensors file.

    save("lenet.safetensors", model, optimizer)
    checkpoint = load("lenet.safetensors")
    model = checkpoint.build()                         # a new LeNet with the saved parameters
    checkpoint.restore(model, optimizer)               # or: everything back to where it was saved

The file's tensors are the model's parameters under PyTorch's names, and with momentum the optimiser's buffers under
"optimizer.momentum_buffer.0" and so on.  Its metadata are two texts: "tinycnn", a JSON object with the keys of
`Checkpoint`, and "sha256", a digest of that text and of all tensors.  So a file with a single wrong bit is refused;
nothing in a file is ever run, or unpickled.

Read in this order: save, load, Checkpoint.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinycnn
from tinycnn import random
from tinycnn.backend import Array
from tinycnn.geometry import output_size
from tinycnn.models import LeNet
from tinycnn.nn import Module
from tinycnn.optim import SGD

VERSION = 1  # of the layout; a reader refuses what it does not know
OPTIMIZER = "optimizer."  # begins the names of tensors that are not the model's
LARGEST_TEXT = 2**25  # characters of JSON that are read; a history of 30,000 epochs takes about as much
TO_INSTALL = 'pip install "tinycnn[io]" (or safetensors)'


class CheckpointError(ValueError):
    """A file that is damaged, not a checkpoint, or of another model; the message names the file and the entry."""


def save(
    path: str | Path,
    model: Module,
    optimizer: SGD | None = None,
    schedule: Any = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write model, optimiser, schedule and the state of the random numbers; at every moment `path` is a whole file.

    `about` is for the caller: anything that JSON can hold.  Models with a `config`, such as LeNet, can be built from
    the file alone.
    """
    tensors = model.state_dict()
    if taken := [name for name in tensors if name.startswith(OPTIMIZER)]:
        raise ValueError(f'save: the model has a parameter {taken[0]!r}, but names with "{OPTIMIZER}" are taken')
    optimizer_state = None
    if optimizer is not None:
        state = optimizer.state_dict()
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        tensors |= {OPTIMIZER + name: np.ascontiguousarray(value) for name, value in arrays.items()}
        optimizer_state = {name: value for name, value in state.items() if name not in arrays}
    text = json.dumps(
        {
            "version": VERSION,
            "engine": tinycnn.__version__,
            "model": {"class": type(model).__name__, "config": getattr(model, "config", None)},
            "optimizer": optimizer_state,
            "schedule": None if schedule is None else {"class": type(schedule).__name__, **schedule.state_dict()},
            "random": {"rows": random.get_state(), "generator": random.generator().bit_generator.state},
            "about": dict(about or {}),
        }
    )
    metadata = {"tinycnn": text, "sha256": _digest(text, tensors)}
    content: bytes = _safetensors().save(tensors, metadata)
    write_atomically(path, content)


def load(path: str | Path) -> "Checkpoint":
    """Read and verify a checkpoint.  CheckpointError names what is wrong with it, OSError why it cannot be read."""
    path = Path(path)
    tensors, metadata = load_tensors(path)
    if "tinycnn" not in metadata or "sha256" not in metadata:
        raise CheckpointError(
            f"{path}: a safetensors file, but not a checkpoint of tinycnn (its metadata have no entries 'tinycnn' and "
            "'sha256'); to take the weights alone: model.load_state_dict(checkpoint.load_tensors(path)[0])"
        )
    text = metadata["tinycnn"]
    if _digest(text, tensors) != metadata["sha256"]:
        raise CheckpointError(f"{path}: damaged: its content does not have the SHA-256 that it was saved with")
    if len(text) > LARGEST_TEXT:
        raise CheckpointError(f"{path}: entry 'tinycnn' has {len(text):,} characters, expected up to {LARGEST_TEXT:,}")
    try:
        state = json.loads(text)
        if state["version"] != VERSION:
            engine, version = state["engine"], state["version"]
            raise CheckpointError(
                f"{path}: layout {version!r}, written by tinycnn {engine}; this is {tinycnn.__version__}, which reads "
                f"layout {VERSION}: update tinycnn"
            )
        model, optimizer, schedule = state["model"], state["optimizer"], state["schedule"]
        return Checkpoint(path, tensors, state["engine"], model, optimizer, schedule, state["random"], state["about"])
    except (KeyError, TypeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path}: entry 'tinycnn' is not what tinycnn writes ({error!r})") from error


def load_tensors(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of any safetensors file, nothing verified that safetensors does not verify itself."""
    content = Path(path).read_bytes()  # not mapped: a file that changes while it is mapped kills the program
    library = _safetensors()
    try:
        tensors: dict[str, Array] = library.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, dict(header.get("__metadata__") or {})
    except Exception as error:  # the library has a type of its own for each kind of damage
        raise CheckpointError(f"{path}: not a safetensors file, or damaged: {error!r}") from error


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What is in a file: every parameter and buffer by name, and the rest as JSON's numbers, texts, lists and dicts.

    tensors     the model's parameters, and the optimiser's arrays under "optimizer...."
    engine      the version of tinycnn that wrote it
    model       {"class": "LeNet", "config": {...}}; config is null where the class has none
    optimizer   SGD's state_dict() without its arrays, or None
    schedule    {"class": "StepLR", ...} with its state_dict(), or None
    random      the states of both random number generators
    about       what the caller of `save` added
    """

    path: Path
    tensors: dict[str, Array]
    engine: str
    model: dict[str, Any]
    optimizer: dict[str, Any] | None
    schedule: dict[str, Any] | None
    random: dict[str, Any]
    about: dict[str, Any]

    @property
    def state_dict(self) -> dict[str, Array]:
        """The model's parameters, as Module.load_state_dict takes them."""
        return {name: array for name, array in self.tensors.items() if not name.startswith(OPTIMIZER)}

    def build(self) -> LeNet:
        """A new LeNet of the saved configuration, with the saved parameters in the saved dtype."""
        kind, config = self.model.get("class"), self.model.get("config")
        if kind != "LeNet" or not isinstance(config, dict):
            raise CheckpointError(
                f"{self.path}: holds a {kind}, and only LeNet can be built from a file; build the model yourself, "
                "then checkpoint.restore(model)"
            )
        self._check_config(config)
        with _blamed(self.path, "model"):
            model = LeNet(**config)
            model.to(next(iter(self.state_dict.values())).dtype)
        self._load_model(model)
        return model

    def restore(self, model: Module, optimizer: SGD | None = None, schedule: Any = None) -> None:
        """Put the saved state into a model, an optimiser and a schedule of the same kinds, and the random numbers
        back to where they were.  CheckpointError names every entry that does not fit."""
        self._load_model(model)
        if optimizer is not None:
            arrays = {k.removeprefix(OPTIMIZER): v for k, v in self.tensors.items() if k.startswith(OPTIMIZER)}
            with _blamed(self.path, "optimizer"):
                optimizer.load_state_dict({**(self.optimizer or {}), **arrays})
        if schedule is not None:
            saved = dict(self.schedule or {"class": None})
            if (kind := saved.pop("class", None)) != type(schedule).__name__:
                raise CheckpointError(f"{self.path}: entry 'schedule' is {kind}, expected {type(schedule).__name__}")
            with _blamed(self.path, "schedule"):
                schedule.load_state_dict(saved)
        with _blamed(self.path, "random"):
            seed, call = self.random["rows"]
            random.set_state((int(seed), int(call)))
            random.generator().bit_generator.state = self.random["generator"]

    def _load_model(self, model: Module) -> None:
        saved = self.state_dict
        for name, p in model.named_parameters():
            if name in saved and saved[name].dtype != p.dtype:
                raise CheckpointError(
                    f"{self.path}: entry {name!r} holds {saved[name].dtype}, the model has {p.dtype}; "
                    f"convert it with model.to(np.{saved[name].dtype}) first"
                )
        with _blamed(self.path, "model"):
            model.load_state_dict(saved)

    def _check_config(self, config: dict[str, Any]) -> None:
        """That the configuration is that of the tensors, before memory is taken for what it asks."""
        with _blamed(self.path, "model"):
            weights = [array for name, array in self.state_dict.items() if name.endswith(".weight")]
            maps, tables = [w.shape for w in weights if w.ndim == 4], [w.shape for w in weights if w.ndim == 2]
            channels, k, size = config["channels"], config["kernel_size"], config["image_size"]
            wanted = list(zip(channels, [config["in_channels"], *channels][:-1], strict=True))
            for i in range(len(channels)):
                size = output_size(size, k, 1, k // 2 if i == 0 or config["same_padding"] else 0)
                size = output_size(size, 2, 2, 0)
            widths = [*config["hidden"], config["num_classes"]]
            features = (channels[-1] if channels else config["in_channels"]) * size * size
            layers = list(zip(widths, [features, *widths[:-1]], strict=True))
            if sorted(maps) != sorted((*w, k, k) for w in wanted) or sorted(tables) != sorted(layers):
                raise ValueError(f"the configuration {config} is not that of tensors of shapes {maps + tables}")


@contextmanager
def _blamed(path: Path, entry: str) -> Iterator[None]:
    """Within this block errors about values become a CheckpointError that names the file and the entry."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise CheckpointError(f"{path}: entry {entry!r}: {error}") from error


def _digest(text: str, tensors: Mapping[str, Array]) -> str:
    """SHA-256 of the text and of every tensor: name, dtype, shape, bytes."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        sha256.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise RuntimeError(f"checkpoint: safetensors is not installed; {TO_INSTALL}") from error
    return safetensors.numpy


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that at every moment, also after a crash, `path` is either the old file or the whole new one.

    The content goes to a temporary file beside it, to the disk, and then under the name in one move.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.new")  # one name, so that whatever a crash leaves is overwritten
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
