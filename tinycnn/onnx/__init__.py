"""onnx: a model as an ONNX file, for onnxruntime, Netron, and whatever else reads that format.

    export(LeNet(), "lenet.onnx", (1, 1, 28, 28))

The file's graph takes "input", of the given shape with any number of images, and gives "output".  Its weights keep
their PyTorch names and values ("0.weight"), its nodes the names of the layers ("0", "features.conv1").

Which operator a layer is, its class declares (nn/module.py).  Read in this order: export, add; graph (the file as it
grows), nodes (operators that want more than their input).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.files import write_atomically
from tinycnn.nn import Module, Sequential
from tinycnn.nn.module import kinds
from tinycnn.nn.summary import Row, summary
from tinycnn.onnx.graph import Graph, Shape, title
from tinycnn.onnx.nodes import BUILDERS

__all__ = ["export"]

TO_INSTALL = 'pip install "tinycnn[onnx]" (or onnx)'


def export(model: Module, path: str | Path, input_shape: Shape) -> Path:
    """Write `model`, in evaluation mode, as an ONNX file for inputs of shape (N, C, H, W); returns the path.

    N stays free; the other sizes are those of input_shape.  The model is a layer or a Sequential, nested or not; its
    dtype is that of the file.  The file is verified before it is written.  ValueError, with the layer's name, for a
    layer that computes something of its own; RuntimeError where the package onnx is not installed.
    """
    library = _library()
    for name, module in model.named_modules():
        if any(True for _ in module.children()) and not _is_sequential(module) and not module.declared.onnx:
            raise ValueError(
                f"export: {title(name, module)} has a forward of its own, and only Sequential and Residual are known "
                "to run their layers one after another; build the model of these"
            )
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    graph = Graph(library, tuple(input_shape), dtype)
    add(graph, "", model, iter(summary(model, graph.shape).rows))
    path = Path(path)
    write_atomically(path, graph.finished(type(model).__name__).SerializeToString())
    return path


def add(graph: Graph, name: str, layer: Module, rows: Iterator[Row]) -> None:
    """The nodes of a layer, and of those in it; `rows` are those of the summary from here on, in this order."""
    if _is_sequential(layer):
        for child_name, child in layer.named_children():
            add(graph, f"{name}.{child_name}" if name else child_name, child, rows)
        if not any(True for _ in layer.children()):
            next(rows)  # an empty one has a row of its own, and does nothing
        return
    operator = layer.declared.onnx
    if operator is None:
        raise ValueError(
            f"export: {title(name, layer)} has no counterpart here; exported are {', '.join(kinds('onnx'))} and "
            "Sequentials of them"
        )
    if operator == "Residual":
        add_around(graph, name, layer, rows)
        return
    graph.layer, output_shape = name, next(rows).output_shape
    build = BUILDERS.get(operator, operator) if isinstance(operator, str) else operator
    if callable(build):
        build(graph, layer, output_shape)
    else:
        graph.node(build)
    graph.shape = output_shape


def add_around(graph: Graph, name: str, layer: Any, rows: Iterator[Row]) -> None:
    """The nodes of a Residual: its layers, its shortcut from the same value, and their sum."""
    x, shape = graph.value, graph.shape
    add(graph, f"{name}.body".lstrip("."), layer.body, rows)
    y, after = graph.value, graph.shape
    graph.value, graph.shape = x, shape
    add(graph, f"{name}.shortcut".lstrip("."), layer.shortcut, rows)
    graph.layer, graph.shape = name, after
    graph.node("Add", y)


def _is_sequential(module: Module) -> bool:
    return type(module).forward is Sequential.forward


def _library() -> Any:
    try:
        import onnx
        import onnx.shape_inference
    except ImportError as error:
        raise RuntimeError(f"export: onnx is not installed; {TO_INSTALL}") from error
    return onnx
