"""onnx: a model as an ONNX file, for onnxruntime, Netron, and whatever else reads that format.

    export(LeNet(), "lenet.onnx", (1, 1, 28, 28))

The file's graph takes "input", of the given shape with any number of images, and gives "output".  Its weights keep
their PyTorch names and values ("0.weight"), its nodes the names of the layers ("0", "features.conv1").

Pooling with ceil_mode is where runtimes disagree, so none of it is left to them: padding makes exactly the engine's
windows fit.  Where that padding may not count in an average, or is wider than a runtime takes, it is a Pad node of its
own.

Which operator a layer is, its class declares (nn/module.py).  Read in this order: export, Graph, BUILDERS.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinycnn
from tinycnn.backend import Array, to_numpy
from tinycnn.files import write_atomically
from tinycnn.nn import MaxPool2d, Module, Sequential
from tinycnn.nn.module import kinds
from tinycnn.nn.summary import summary

OPSET = 17  # of 2022: old enough for the runtimes in use, and all that is needed here
IR_VERSION = 8  # the file layout of that time
TO_INSTALL = 'pip install "tinycnn[onnx]" (or onnx)'

Shape = tuple[int, ...]


def export(model: Module, path: str | Path, input_shape: Shape) -> Path:
    """Write `model`, in evaluation mode, as an ONNX file for inputs of shape (N, C, H, W); returns the path.

    N stays free; the other sizes are those of input_shape.  The model is a layer or a Sequential, nested or not; its
    dtype is that of the file.  The file is verified before it is written.  ValueError, with the layer's name, for a
    layer that computes something of its own; RuntimeError where the package onnx is not installed.
    """
    library = _library()
    for name, module in model.named_modules():
        if any(True for _ in module.children()) and type(module).forward is not Sequential.forward:
            raise ValueError(
                f"export: {_title(name, module)} has a forward of its own, and only Sequential is known to run its "
                "layers one after another; build the model of Sequentials"
            )
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    graph = Graph(library, tuple(input_shape), dtype)
    for row in summary(model, graph.shape).rows:
        if type(row.layer).forward is not Sequential.forward:  # an empty one has a row of its own, and does nothing
            graph.add(row.name, row.layer, row.output_shape)
    path = Path(path)
    write_atomically(path, graph.finished(type(model).__name__).SerializeToString())
    return path


class Graph:
    """An ONNX graph that grows by one layer after another; `value` is the newest one's output, of shape `shape`."""

    def __init__(self, library: Any, input_shape: Shape, dtype: "np.dtype[Any]") -> None:
        self.library, self.dtype = library, dtype
        self.input_shape = self.shape = input_shape
        self.value = "input"
        self.nodes: list[Any] = []
        self.arrays: dict[str, Array] = {}
        self.names: set[str] = set()

    def add(self, name: str, layer: Module, output_shape: Shape) -> None:
        """The nodes of one layer."""
        operator = layer.declared.onnx
        if operator is None:
            raise ValueError(
                f"export: {_title(name, layer)} has no counterpart here; exported are {', '.join(kinds('onnx'))} and "
                "Sequentials of them"
            )
        self.layer = name
        build = BUILDERS.get(operator, operator) if isinstance(operator, str) else operator
        if callable(build):
            build(self, layer, output_shape)
        else:
            self.node(build)
        self.shape = output_shape

    def node(self, operator: str, *inputs: str, name: str = "", **options: Any) -> str:
        """One node that takes the newest value and `inputs`; its name is the layer's, and `name` if there are more."""
        wanted = ".".join(part for part in (self.layer, name) if part) or operator
        while wanted in self.names:  # a layer that runs twice
            wanted += "'"
        self.names.add(wanted)
        taken, self.value = self.value, f"{wanted}.output"
        self.nodes.append(self.library.helper.make_node(operator, [taken, *inputs], [self.value], wanted, **options))
        return self.value

    def array(self, name: str, array: Array) -> str:
        """An array of the file, named after the layer."""
        full = f"{self.layer}.{name}".lstrip(".")
        self.arrays[full] = np.ascontiguousarray(to_numpy(array))
        return full

    def finished(self, name: str) -> Any:
        """The whole as an ONNX model, with every value's shape, checked by ONNX itself."""
        if not self.nodes:
            raise ValueError("export: the model has no layers, expected at least one")
        self.nodes[-1].output[0] = "output"
        helper = self.library.helper
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        images = helper.make_tensor_value_info("input", kind, ["batch", *self.input_shape[1:]])
        output = helper.make_tensor_value_info("output", kind, None)
        arrays = [self.library.numpy_helper.from_array(array, key) for key, array in self.arrays.items()]
        model = helper.make_model(
            helper.make_graph(self.nodes, name, [images], [output], arrays),
            producer_name="tinycnn",
            producer_version=tinycnn.__version__,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        model = self.library.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        self.library.checker.check_model(model, full_check=True)
        return model


def _convolution(graph: Graph, layer: Any, output_shape: Shape) -> None:
    arrays = [graph.array(key, p.data) for key in ("weight", "bias") if (p := getattr(layer, key)) is not None]
    graph.node(
        "Conv",
        *arrays,
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
        group=layer.groups,
    )


def _linear(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """x @ weight.T + bias: Gemm for a table of features, MatMul for any other number of axes."""
    weight, bias = graph.array("weight", layer.weight.data), None
    if layer.bias is not None:
        bias = graph.array("bias", layer.bias.data)
    if len(graph.shape) == 2:
        graph.node("Gemm", weight, *([bias] if bias else []), transB=1)
        return
    x = graph.value
    graph.value = weight
    turned = graph.node("Transpose", name="transpose", perm=[1, 0])
    graph.value = x
    graph.node("MatMul", turned, name="matmul" if bias else "")
    if bias:
        graph.node("Add", bias)


def _max_pool(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """Padding is minus infinity, so it makes no difference how much of it there is, if every window has a pixel."""
    if _sees_padding_alone(graph.shape, layer, output_shape):
        raise ValueError(
            f"export: {_title(graph.layer, layer)} has windows over padding alone, whose maximum is minus infinity "
            "here and another number in other runtimes; use less padding or dilation"
        )
    spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    before, after = layer.padding, _room_after(graph.shape, layer, spans, output_shape)
    if any(p >= k for p, k in zip(after, layer.kernel_size, strict=True)):  # more than runtimes take
        _pad(graph, before, after, -math.inf)
        before = after = (0, 0)
    sizes = {"kernel_shape": layer.kernel_size, "strides": layer.stride, "dilations": layer.dilation}
    graph.node("MaxPool", pads=(*before, *after), **sizes)


def _sees_padding_alone(image: Shape, layer: MaxPool2d, output_shape: Shape) -> bool:
    """Whether some window of a dilated pooling has no pixel of the image under it, along the height or the width."""
    lines = zip(
        image[2:], layer.kernel_size, layer.stride, layer.padding, layer.dilation, output_shape[2:], strict=True
    )
    return not all(
        any(0 <= i * s + u * d - p < n for u in range(k)) for n, k, s, p, d, windows in lines for i in range(windows)
    )


def _avg_pool(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """Padding counts if count_include_pad; what ceil_mode adds beyond it, behind the image, never counts."""
    after = _room_after(graph.shape, layer, layer.kernel_size, output_shape)
    before, counts = layer.padding, layer.count_include_pad
    if counts and after != before:
        if any(before):
            _pad(graph, before, before, 0.0)  # from here on these are pixels like all others
        after = (after[0] - before[0], after[1] - before[1])
        before, counts = (0, 0), False
    sizes = {"kernel_shape": layer.kernel_size, "strides": layer.stride}
    graph.node("AveragePool", pads=(*before, *after), count_include_pad=int(counts), **sizes)


def _room_after(image: Shape, layer: Any, spans: Any, output_shape: Shape) -> tuple[int, int]:
    """Padding below and to the right: the layer's own, or as much as its last window of ceil_mode needs."""
    sizes = zip(image[2:], layer.padding, layer.stride, spans, output_shape[2:], strict=True)
    height, width = (max(p, (windows - 1) * s + span - n - p) for n, p, s, span, windows in sizes)
    return height, width


def _pad(graph: Graph, before: Shape, after: Shape, value: float) -> None:
    pads = graph.array("pads", np.array([0, 0, *before, 0, 0, *after], np.int64))
    graph.node("Pad", pads, graph.array("pad_value", np.array(value, graph.dtype)), name="pad", mode="constant")


def _flatten(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """ONNX's Flatten makes two axes, as start_dim 1 does; for other numbers there is Reshape, where 0 means "as is"."""
    start = layer.start_dim % len(graph.shape)
    if start == 1:
        graph.node("Flatten", axis=1)
    else:
        graph.node("Reshape", graph.array("shape", np.array([0] * start + [-1], np.int64)))


BUILDERS: dict[str, Callable[[Graph, Any, Shape], None]] = {  # ONNX operators that want more than their input
    "Conv": _convolution,
    "Gemm": _linear,
    "AveragePool": _avg_pool,
    "MaxPool": _max_pool,
    "Flatten": _flatten,
}


def _title(name: str, module: Module) -> str:
    """ "layer features.0 (Norm)", or the class alone for the whole model."""
    return f"layer {name} ({type(module).__name__})" if name else type(module).__name__


def _library() -> Any:
    try:
        import onnx
        import onnx.shape_inference
    except ImportError as error:
        raise RuntimeError(f"export: onnx is not installed; {TO_INSTALL}") from error
    return onnx
