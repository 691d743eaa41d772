"""nodes: the ONNX operators that want more than their input, and how each is made from its layer.

Pooling with ceil_mode is where runtimes disagree, so none of it is left to them: padding makes exactly the engine's
windows fit.  Where that padding may not count in an average, or is wider than a runtime takes, it is a Pad node of its
own.

Read in this order: BUILDERS, and from there.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinycnn.nn import MaxPool2d
from tinycnn.onnx.graph import Graph, Shape, title
from tinycnn.ops.gelu import CUBIC, ROOT


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
            f"export: {title(graph.layer, layer)} has windows over padding alone, whose maximum is minus infinity "
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


def _leaky_relu(graph: Graph, layer: Any, output_shape: Shape) -> None:
    graph.node("LeakyRelu", alpha=layer.negative_slope)


def _silu(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """x * sigmoid(x): there is no node for it yet in this opset, nor one for GELU."""
    x = graph.value
    graph.node("Sigmoid", name="sigmoid")
    graph.node("Mul", x)


def _gelu(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """x * (1 + erf(x / sqrt(2))) / 2, or with tanh(sqrt(2/pi) * (x + 0.044715 * x * x * x)) in place of erf."""
    x = graph.value

    def number(name: str, value: float) -> str:
        return graph.array(name, np.array(value, graph.dtype))

    if layer.approximate == "tanh":
        graph.node("Mul", x, name="square")
        graph.node("Mul", number("cubic", CUBIC), name="part")
        graph.node("Add", number("one", 1), name="more")
        graph.node("Mul", x, name="inner")
        graph.node("Mul", number("root", ROOT), name="scaled")
        graph.node("Tanh", name="tanh")
    else:
        graph.node("Mul", number("root", 1 / math.sqrt(2)), name="scaled")
        graph.node("Erf", name="erf")
    graph.node("Add", number("unit", 1), name="twice")
    graph.node("Mul", number("half", 0.5), name="below")
    graph.node("Mul", x)


def _batch_norm(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """By the running statistics: a layer without them normalises by the batch it meets, which no file can say."""
    if layer.running_mean is None:
        raise ValueError(
            f"export: {title(graph.layer, layer)} has no running statistics; make it with track_running_stats=True"
        )
    C = layer.num_features
    usual = {"weight": np.ones(C, graph.dtype), "bias": np.zeros(C, graph.dtype)}
    tensors = {name: getattr(layer, name) for name in ("weight", "bias", "running_mean", "running_var")}
    arrays = [graph.array(name, usual[name] if t is None else t.data) for name, t in tensors.items()]
    graph.node("BatchNormalization", *arrays, epsilon=layer.eps)


def _adaptive_avg_pool(graph: Graph, layer: Any, output_shape: Shape) -> None:
    """Averages over windows side by side, where as many as are asked for fit; else the windows overlap."""
    (H, W), (OH, OW) = graph.shape[2:], output_shape[2:]
    if H % OH or W % OW:
        raise ValueError(
            f"export: {title(graph.layer, layer)} averages {H} x {W} pixels over {OH} x {OW} windows of different "
            "sizes, for which ONNX has no node; use sizes that divide those of the image"
        )
    graph.node("AveragePool", kernel_shape=(H // OH, W // OW), strides=(H // OH, W // OW))


BUILDERS: dict[str, Callable[[Graph, Any, Shape], None]] = {  # ONNX operators that want more than their input
    "Conv": _convolution,
    "Gemm": _linear,
    "AveragePool": _avg_pool,
    "MaxPool": _max_pool,
    "Flatten": _flatten,
    "BatchNormalization": _batch_norm,
    "AdaptiveAveragePool": _adaptive_avg_pool,
    "LeakyRelu": _leaky_relu,
    "Silu": _silu,
    "Gelu": _gelu,
}
