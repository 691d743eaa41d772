"""stages: a Sequential read as stages, each of which is one fused kernel; or a refusal that names the layer.

Each of these becomes one stage:
    Conv2d, activation, pooling     the pooling's windows side by side; activation and pooling may be missing
    Linear, activation              the activation may be missing
    pooling, activation             windows of any kind; an activation by itself counts as a pooling of single pixels
Flatten becomes nothing: in (C, H, W, N) memory the features lie flat already.

Which of these a layer is, its class declares as `fused` (nn/module.py): "conv", "linear", "flatten", the kernels'
names of a pooling ("AVERAGE", "MAXIMUM"), or, in capitals as well, that of an activation.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from tinycnn import geometry, nn
from tinycnn.nn.module import kinds

Two = tuple[int, int]
Three = tuple[int, int, int]

LARGEST_FUSED_WINDOW = 9  # pixels: a thread keeps whole windows in registers
LARGEST_KERNEL = 100 * 100  # taps: a block keeps one channel's in its 48 KiB of shared memory


class UnsupportedModel(ValueError):
    """The strategy cannot run this model, loss or optimiser; the message names the layer or option and the reason."""


@dataclass
class Stage:
    """One fused kernel: "conv" or "linear", with parameters, or "pool", without.

    Shapes are (C, H, W) of one image; a linear stage's are (features, 1, 1).  Pairs are (height, width).
    """

    kind: str
    place: str  # as "layer 3 (Linear(...))", for messages
    takes: Three  # what goes in
    sums: Three  # before activation and fused pooling
    gives: Three  # what comes out
    activation: str = "IDENTITY"
    pooling: str = "NO_POOL"  # fused behind the convolution; or what a pool stage does
    kernel: Two = (1, 1)
    stride: Two = (1, 1)
    padding: Two = (0, 0)
    dilation: Two = (1, 1)
    window: Two = (1, 1)  # of the fused pooling
    count_padding: bool = True  # a pool stage's averages count the padding
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)  # "weight" and perhaps "bias"


def check_model(model: nn.Module) -> None:
    """UnsupportedModel, naming the layer, unless each has a kernel.  Whether sizes fit depends on the image."""
    for place, layer in _layers(model):
        if isinstance(layer, nn.Flatten):
            _require(layer.start_dim == 1, place, "must have start_dim=1, so that each image stays one row")
        if isinstance(layer, nn.Conv2d):
            _require(layer.groups == 1, place, "has groups, and the kernels convolve all channels together")
            _require(math.prod(layer.kernel_size) <= LARGEST_KERNEL, place, "has too large a kernel")
        for name, p in layer.named_parameters():
            _require(p.dtype == "float32", place, f"has a {name} of {p.dtype}; the kernels are float32: model.float()")


def read_stages(model: nn.Module, image: tuple[int, ...]) -> list[Stage]:
    """The stages of `model` for images (C, H, W) or rows (features,), ending in rows of logits.

    UnsupportedModel where there is no kernel, ValueError where the layers do not fit the image or each other.
    """
    check_model(model)
    stages: list[Stage] = []
    flat, shape = len(image) == 1, three(image)
    for place, layer in _layers(model):
        if isinstance(layer, nn.Flatten):
            shape, flat = (math.prod(shape), 1, 1), True
        elif isinstance(layer, nn.Activation):
            if not stages or stages[-1].activation != "IDENTITY" or _is_pooled_conv(stages[-1]):
                stages.append(Stage("pool", place, shape, shape, shape, pooling="AVERAGE"))
            stages[-1].activation = layer.declared.fused or ""
        else:
            new = _stage(layer, place, shape, flat)
            if stages and _rides(new, stages[-1]):
                stages[-1].pooling, stages[-1].window, stages[-1].gives = new.pooling, new.kernel, new.gives
            else:
                stages.append(new)
            shape = new.gives
    _fits(flat, "the model", f"ends in images {shape}, and the loss needs rows: end it with Flatten()")
    return stages


def three(image: tuple[int, ...]) -> Three:
    """(C, H, W) of an image, (features, 1, 1) of a row; ValueError for anything else."""
    C, H, W = image if len(image) == 3 else (*image, 1, 1) if len(image) == 1 else (0, 0, 0)
    _fits(min(C, H, W) > 0, "a batch", f"of shape (N, {', '.join(map(str, image))}) is neither images nor rows")
    return C, H, W


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """("layer 3 (Linear(...))", layer) for all layers, those of Sequentials within included."""
    _require(_is_sequential(model), f"a {type(model).__name__}", "is not a Sequential, whose layers could be read")
    known = ", ".join(kinds("fused"))
    seen: set[int] = set()
    for name, layer in _flattened(model, ""):
        place, parameters = f"layer {name} ({layer!r})", {id(p) for p in layer.parameters()}
        _require(layer.declared.fused is not None, place, f"has no fused kernel; there are kernels for {known}")
        _require(not parameters & seen, place, "shares its parameters with an earlier layer")
        seen |= parameters
        yield place, layer


def _flattened(model: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        if _is_sequential(child):
            yield from _flattened(child, f"{prefix}{name}.")
        else:
            yield prefix + name, child


def _is_sequential(module: nn.Module) -> bool:
    """A subclass with a forward of its own computes something else."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _stage(layer: nn.Module, place: str, shape: Three, flat: bool) -> Stage:
    """The stage of a layer with a kernel: convolution, pooling or linear."""
    if isinstance(layer, nn.Linear):
        _require(flat, place, f"has images {shape} as input, and the kernels take rows; put Flatten() before it")
        _fits(layer.in_features == shape[0], place, f"expects {layer.in_features} features, got {shape[0]}")
        sums = (layer.out_features, 1, 1)
        return Stage("linear", place, shape, sums, sums, parameters=_parameters(layer))
    assert isinstance(layer, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d))
    _fits(not flat, place, f"expects images, got rows of {shape[0]} features")
    dilation, ceil_mode = getattr(layer, "dilation", (1, 1)), getattr(layer, "ceil_mode", False)
    sizes = zip(shape[1:], layer.kernel_size, layer.stride, layer.padding, dilation, strict=True)
    OH, OW = (geometry.output_size(*size, ceil_mode=ceil_mode) for size in sizes)
    _fits(min(OH, OW) > 0, place, f"has a window larger than its input {shape}")
    if isinstance(layer, nn.Conv2d):
        _fits(layer.in_channels == shape[0], place, f"expects {layer.in_channels} channels, got {shape[0]}")
        stage = Stage("conv", place, shape, (layer.out_channels, OH, OW), (layer.out_channels, OH, OW))
        stage.parameters = _parameters(layer)
    else:
        stage = Stage("pool", place, shape, (shape[0], OH, OW), (shape[0], OH, OW))
        stage.pooling = layer.declared.fused or ""
        stage.count_padding = getattr(layer, "count_include_pad", True)
    stage.kernel, stage.stride, stage.padding = layer.kernel_size, layer.stride, layer.padding
    stage.dilation = dilation
    return stage


def _rides(pool: Stage, conv: Stage) -> bool:
    """Whether a pooling can be done by the convolution's kernel: whole windows side by side, not too large."""
    return (
        (pool.kind, conv.kind, conv.pooling) == ("pool", "conv", "NO_POOL")
        and pool.kernel == pool.stride
        and (pool.padding, pool.dilation) == ((0, 0), (1, 1))
        and all(n * k <= size for n, k, size in zip(pool.gives[1:], pool.kernel, pool.takes[1:], strict=True))
        and math.prod(pool.kernel) <= LARGEST_FUSED_WINDOW
    )


def _is_pooled_conv(stage: Stage) -> bool:
    return stage.kind == "conv" and stage.pooling != "NO_POOL"


def _parameters(layer: nn.Conv2d | nn.Linear) -> dict[str, nn.Parameter]:
    return {"weight": layer.weight} if layer.bias is None else {"weight": layer.weight, "bias": layer.bias}


def _fits(true: bool, place: str, problem: str) -> None:
    if not true:
        raise ValueError(f"graph: {place} {problem}")


def _require(true: bool, place: str, problem: str) -> None:
    if not true:
        raise UnsupportedModel(f'graph: {place} {problem}; strategy "plain" runs any model')
