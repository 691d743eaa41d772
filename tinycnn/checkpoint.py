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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinycnn
from tinycnn import init, random
from tinycnn.backend import Array
from tinycnn.files import printable, write_atomically
from tinycnn.geometry import output_size
from tinycnn.models import MODELS, Net
from tinycnn.nn import Module
from tinycnn.optim import Optimizer
from tinycnn.serialization import read_tensors, safetensors

VERSION = 1  # of the layout; a reader refuses what it does not know
REPEATED = ("channels", "blocks", "convolutions")  # entries of a configuration that say how many layers there are
OPTIMIZER = "optimizer."  # begins the names of tensors that are not the model's
LARGEST_IMAGE = 1024  # pixels along a side of the images that a net from a file may ask for
LARGEST_TEXT = 2**25  # characters of JSON that are read; a history of 30,000 epochs takes about as much
KINDS: dict[str, Any] = {  # of the entries in the text
    **{"engine": str, "model": dict, "optimizer": dict | None},
    **{"schedule": dict | None, "random": dict, "about": dict},
}


class CheckpointError(ValueError):
    """A file that is damaged, not a checkpoint, or of another model; the message names the file and the entry."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def save(
    path: str | Path,
    model: Module,
    optimizer: Optimizer | None = None,
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
        if not hasattr(optimizer, "state_dict"):
            raise TypeError(f"save: {type(optimizer).__name__} has no state_dict() to save; define it as SGD does")
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
    content: bytes = safetensors().save(tensors, metadata)
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
        entries = {name: _typed(state, name) for name in KINDS}
        return Checkpoint(path, tensors, **entries)
    except (KeyError, TypeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path}: entry 'tinycnn' is not what tinycnn writes ({error!r})") from error


def _typed(state: Mapping[str, Any], name: str) -> Any:
    """An entry of the text, of its own kind."""
    if not isinstance(value := state[name], KINDS[name]):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value


def load_tensors(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of any safetensors file, nothing verified that safetensors does not verify itself."""
    try:
        return read_tensors(path)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


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

    def build(self) -> Net:
        """A new net of the saved class and configuration, with the saved parameters in the saved dtype."""
        kind, config = self.model.get("class"), self.model.get("config")
        if kind not in MODELS or not isinstance(config, dict):
            raise CheckpointError(
                f"{self.path}: holds a {kind}, and only {', '.join(MODELS)} can be built from a file; build the model "
                "yourself, then checkpoint.restore(model)"
            )
        if kind == "LeNet":
            self._check_config(config)
        with _blamed(self.path, "model"), init.paused():  # no number is written before all shapes have been compared
            layers = [len(n) if isinstance(n, list) else n for key, n in config.items() if key in REPEATED]
            if any(n > len(self.tensors) for n in layers):
                raise ValueError(f"the configuration {config} is not that of {len(self.tensors)} tensors")
            model = MODELS[kind](**config)
            model.to(next(array.dtype for array in self.state_dict.values() if array.dtype.kind == "f"))
        self._load_model(model)
        return model

    @property
    def config(self) -> dict[str, Any]:
        """LeNet's arguments, which are those of the saved tensors; CheckpointError where they are not."""
        kind, config = self.model.get("class"), self.model.get("config")
        if kind != "LeNet" or not isinstance(config, dict):
            raise CheckpointError(
                f"{self.path}: holds a {kind}, and what was asked of it is a LeNet's; build() makes the model, or "
                "make it yourself, then checkpoint.restore(model)"
            )
        self._check_config(config)
        return config

    def restore(self, model: Module, optimizer: Optimizer | None = None, schedule: Any = None) -> None:
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
            if not 1 <= size <= LARGEST_IMAGE:
                raise ValueError(f"image_size is {size}, expected 1 to {LARGEST_IMAGE}")
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
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, MemoryError) as error:
        raise CheckpointError(f"{path}: entry {entry!r}: {error}") from error


def _digest(text: str, tensors: Mapping[str, Array]) -> str:
    """SHA-256 of the text and of every tensor: name, dtype, shape, bytes."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        sha256.update(f"\n{name} {array.dtype} {array.shape}\n".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()
