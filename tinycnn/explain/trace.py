"""trace: one forward and one backward pass of the engine, with every array that it made.

Nothing is computed a second time to be shown: the layers run as they always do, and what they saved for backward is
read from the tape before backward is told to free it.  The one exception is the gradient of the columns, which the
engine drops as soon as col2im has read it; it is made again by the same product of the same arrays.

Read in this order: trace, LayerRecord, Trace.
"""

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinycnn
from tinycnn import functional as F
from tinycnn import random
from tinycnn.autograd.tape import Node
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, as_array, batch_last, gemm, to_device, to_numpy
from tinycnn.data import scale
from tinycnn.geometry import ReceptiveField
from tinycnn.nn import Module, Sequential
from tinycnn.nn.summary import fields_through, summary
from tinycnn.ops.conv2d import filters, im2col

# group, output row, (tap row, channel, tap column), (output column, image)
COLS_LAYOUT = "cols[g, i, (u, c, v), (j, n)]"

LABELS = {"conv2d": "conv", "avg_pool2d": "pool", "max_pool2d": "pool", "linear": "fc"}  # conv1, pool1, fc1, ...
OPTIONS = ("kernel_size", "stride", "padding", "dilation", "groups", "ceil_mode", "count_include_pad", "start_dim", "p")


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """What one layer received, held and made, and the gradients of all of it: arrays in main memory, copied.

    name    its key in the Sequential, "0", "3" or "3.1"; label, for people: "conv1", "pool1", "fc1"
    kind    the operation, as on the tape: "conv2d", "sigmoid"; for a module of several operations its class's name
    cols    convolution only, (G, OH, KH*C/G*KW, OW*N), laid out as COLS_LAYOUT says; the kernels, in the order of
            its rows, times cols are the output without bias
    path    "forward" where cols is the array that the forward multiplied, "reference" where the forward kept none
            and im2col was run again
    receptive_field    along height and width; None where it is not known, or the output is not a map
    """

    name: str
    label: str
    kind: str
    layer: Module
    options: dict[str, Any]
    x: Array
    out: Array
    grad_x: Array
    grad_out: Array
    w: Array | None = None
    b: Array | None = None
    grad_w: Array | None = None
    grad_b: Array | None = None
    cols: Array | None = None
    grad_cols: Array | None = None
    path: str | None = None
    parameters: int = 0
    multiply_adds: int | None = None
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """The layers of one pass, in order: `trace[0]`, `trace["conv1"]` and `trace["0"]` are the first of LeNet.

    x (N, C, H, W) is what went in, y the labels (N,) or None; loss is the mean cross-entropy, or None where a
    gradient was sent back instead.  engine says what ran: versions, device, dtype, seed.
    """

    model: Sequential
    layers: tuple[LayerRecord, ...]
    x: Array
    y: Array | None
    loss: float | None
    engine: dict[str, Any]
    _tape: tuple[Tensor, dict[str, Tensor]] = field(repr=False)  # the input, and each layer's output by name

    def __getitem__(self, key: str | int) -> LayerRecord:
        if isinstance(key, int):
            return self.layers[key]
        for record in self.layers:
            if key in (record.label, record.name):
                return record
        known = ", ".join(f"{record.label} ({record.name})" for record in self.layers)
        raise KeyError(f"trace: there is no layer {key!r}; there are {known}")

    @property
    def out(self) -> Array:
        """What came out of the last layer: for a classifier the logits (N, classes)."""
        return self.layers[-1].out

    def input_gradient(self, key: str | int, unit: tuple[int, ...]) -> Array:
        """The gradient of one number of a layer's output, out[unit], with respect to the input: an array of x's shape.

        The same tape, played back from that number instead of from the loss.  IndexError where there is no such
        number; RuntimeError where the model has learned since, because backward would meet the new weights.
        """
        self.require_current("input_gradient")
        record, (x, outputs) = self[key], self._tape
        shape = record.out.shape
        if len(unit) != len(shape) or not all(0 <= i < n for i, n in zip(unit, shape, strict=True)):
            raise IndexError(
                f"input_gradient: there is no unit {unit} in the output of {record.label} of shape {shape}"
            )
        seed = np.zeros(shape, record.out.dtype)
        seed[unit] = 1
        kept = list(outputs.values())
        with _undisturbed(self.model, x, *kept):
            outputs[record.name].backward(to_device(seed, x.device), retain_graph=True)
            return np.zeros_like(self.x) if x.grad is None else _host(x.grad)

    def require_current(self, asker: str) -> None:
        """RuntimeError, in the name of `asker`, where the model's weights are not those of this trace any more."""
        for record in self.layers:
            w = getattr(record.layer, "weight", None)
            if record.w is not None and (w is None or not np.array_equal(record.w, w.numpy())):
                raise RuntimeError(f"{asker}: the weights of {record.label} have changed since; trace the model again")


def trace(model: Sequential, x: Any, y: Any = None, gradient: Any = None) -> Trace:
    """One forward and one backward pass of `model`, in evaluation mode, with every array that it made.

    x is a batch (N, C, H, W): floats, or uint8 images, which are divided by 255.  The pass back starts from the
    mean cross-entropy of the labels y (N,), or, where there are none, from `gradient`, of the shape of the output.
    The model's own gradients and modes stay as they were.
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"trace: expected a Sequential, whose layers run one by one, got {type(model).__name__}")
    if (y is None) == (gradient is None):
        raise ValueError("trace: give either labels y, or the gradient of the output to send back")
    inputs = _input(model, x)
    labels = None if y is None else np.atleast_1d(np.asarray(y))
    with _undisturbed(model):
        passed, steps, h = {}, [], inputs
        for name, layer in _layers(model):
            before, h = h, layer(h)
            h.retain_grad()
            passed[name] = h
            steps.append((name, layer, before, h))
        loss = None if labels is None else F.cross_entropy(h, to_device(labels, h.device))
        if loss is not None:
            loss.backward(retain_graph=True)
        else:
            h.backward(to_device(as_array(gradient), h.device), retain_graph=True)
        records = _records(model, inputs.shape, steps)
    value = None if loss is None else loss.item()
    return Trace(model, records, _host(inputs), labels, value, _engine(h), (inputs, passed))


def _layers(model: Sequential, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """The layers in the order in which they run; a Sequential inside is taken apart."""
    for name, layer in model.named_children():
        if isinstance(layer, Sequential):
            yield from _layers(layer, f"{prefix}{name}.")
        else:
            yield prefix + name, layer


def _input(model: Sequential, x: Any) -> Tensor:
    """x as a leaf that wants a gradient, in the dtype and on the device of the model."""
    parameters = list(model.parameters())
    like = parameters[0].data if parameters else np.zeros(0, np.float32)
    array = to_numpy(as_array(x.data if isinstance(x, Tensor) else x))
    array = scale(array, like.dtype) if array.dtype == np.uint8 else array.astype(like.dtype)
    device = parameters[0].device if parameters else "cpu"
    return Tensor(to_device(array, device), requires_grad=True)


@contextmanager
def _undisturbed(model: Module, *others: Tensor) -> Iterator[None]:
    """Evaluation mode and empty gradients inside; modes and gradients as they were afterwards."""
    kept = [(t, t.grad) for t in (*model.parameters(), *others)]
    try:
        for t, _ in kept:
            t.grad = None
        with model.evaluating():
            yield
    finally:
        for t, grad in kept:
            t.grad = grad


def _records(
    model: Sequential, shape: tuple[int, ...], steps: list[tuple[str, Module, Tensor, Tensor]]
) -> tuple[LayerRecord, ...]:
    """Read the tape: one record per layer, while what forward saved is still there."""
    costs = {row.name: row for row in summary(model, shape).rows}
    fields = (ReceptiveField(), ReceptiveField()) if len(shape) == 4 else None
    labels: dict[str, int] = {}
    records = []
    for name, layer, before, after in steps:
        node = _only_node(before, after)
        kind = type(layer).__name__.lower() if node is None else node.name
        stem = LABELS.get(kind, kind)
        labels[stem] = labels.get(stem, 0) + 1
        fields = fields_through(layer, fields, before.shape, after.shape, shape[2:])
        row = costs.get(name)
        record = LayerRecord(
            name=name,
            label=f"{stem}{labels[stem]}",
            kind=kind,
            layer=layer,
            options={option: getattr(layer, option) for option in OPTIONS if hasattr(layer, option)},
            x=_host(before),
            out=_host(after),
            grad_x=_gradient(before),
            grad_out=_gradient(after),
            parameters=sum(p.numel() for p in layer.parameters()),
            multiply_adds=row.multiply_adds if row else None,
            receptive_field=fields if after.ndim == 4 else None,
            **(_weights(node) if node is not None and kind in ("conv2d", "linear") else {}),
            **(_columns(node, after) if node is not None and kind == "conv2d" else {}),
        )
        records.append(record)
    return tuple(records)


def _only_node(before: Tensor, after: Tensor) -> Node | None:
    """The one operation between two tensors, or None where there are none or several."""
    node = after.grad_fn
    if node is None or after is before:
        return None
    return node if node.sources and node.sources[0] is (before.grad_fn or before) else None


def _weights(node: Node) -> dict[str, Any]:
    """Weight and bias of a convolution or linear layer, and their gradients; the tape's leaves are the parameters."""
    found: dict[str, Any] = {}
    for name, leaf in zip("wb", node.sources[1:], strict=True):
        if isinstance(leaf, Tensor):
            found |= {name: _host(leaf), f"grad_{name}": _gradient(leaf)}
    return found


def _columns(node: Node, after: Tensor) -> dict[str, Any]:
    """What forward multiplied, and its gradient, computed by the line of conv2d's backward that makes it."""
    ctx, dy = node.ctx, after.grad
    cols, path = ctx.cols, "forward"
    if cols is None:  # a convolution so large that the engine went through it in pieces
        cols, path = im2col(ctx.x, ctx.windows), "reference"
    if dy is None:
        raise RuntimeError(f"trace: backward did not reach {node!r}")
    G, OH = cols.shape[:2]
    g = batch_last(dy.data).reshape(G, -1, OH, cols.shape[3]).swapaxes(1, 2)  # (G, OH, O/G, OW*N)
    grad_cols = gemm(filters(ctx.w, G).swapaxes(2, 3), g)  # (G, OH, KH*C/G*KW, OW*N)
    return {"cols": to_numpy(cols).copy(), "grad_cols": to_numpy(grad_cols), "path": path}


def _host(t: Tensor) -> Array:
    """A copy in main memory, so that training on cannot change it."""
    return to_numpy(t.data).copy(order="K")


def _gradient(t: Tensor) -> Array:
    """The gradient in main memory; zeros where backward found none."""
    return np.zeros(t.shape, t.dtype) if t.grad is None else _host(t.grad)


def _engine(out: Tensor) -> dict[str, Any]:
    """What ran, for the foot of the page."""
    return {
        "tinycnn": tinycnn.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": sys.platform,
        "backend": "numpy" if out.device == "cpu" else "cupy",
        "device": out.device,
        "dtype": str(out.dtype),
        "seed": random.get_state()[0],
    }
