"""stages: a Sequential read as stages, each of which runs as one; or a refusal that names the layer.

Each of these becomes one stage, for the kernels of the CUDA graph (GRAPH) and for NumPy (STAGES) alike:
    Conv2d, activation, pooling     the pooling's windows side by side; activation and pooling may be missing
    Linear, activation              the activation may be missing
Flatten becomes nothing: in (C, H, W, N) memory the features lie flat already.  What else there is differs:
    GRAPH     pooling, activation   windows of any kind; an activation by itself counts as a pooling of single pixels
    STAGES    batch normalisation, activation, pooling     as behind a convolution
              dropout; and any other layer without parameters that declares that examples stay apart in it

Which of these a layer is, its class declares as `fused` (nn/module.py): "conv", "linear", "flatten", the kernels'
names of a pooling ("AVERAGE", "MAXIMUM"), or, in capitals as well, that of an activation.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tinycnn import geometry, nn, random
from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.execution.separable import apart
from tinycnn.nn.module import kinds

Two = tuple[int, int]
Three = tuple[int, int, int]


@dataclass(frozen=True)
class Abilities:
    """Whom the stages are read for, and what it can compute."""

    name: str
    way_out: str  # for what it cannot
    anywhere: bool  # dropout, groups, dtypes, and whatever keeps examples apart
    largest_window: float  # pixels of a pooling that is computed together with a convolution
    largest_kernel: float  # taps


GRAPH = Abilities(
    "graph",
    'strategy "plain" runs any model',
    anywhere=False,
    largest_window=9,  # a thread keeps whole windows in registers
    largest_kernel=100 * 100,  # a block keeps one channel's taps in its 48 KiB of shared memory
)
STAGES = Abilities(
    "stages", 'engine "tape" runs any model', anywhere=True, largest_window=math.inf, largest_kernel=math.inf
)
ACTIVATIONS = ("SIGMOID", "RELU", "TANH")  # that are computed together with a convolution or a linear layer
CARRIERS = ("conv", "norm")  # kinds of stages behind which a pooling can ride


class UnsupportedModel(ValueError):
    """The strategy cannot run this model, loss or optimiser; the message names the layer or option and the reason."""


@dataclass
class Stage:
    """What is computed as one: "conv", "linear" or "norm", with parameters, or "pool", "dropout" or "layer", without.

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
    groups: int = 1
    flat: bool = False  # rows come in, not images
    layer: nn.Module | None = None  # a dropout, a normalisation, or what a layer stage runs
    parameters: dict[str, nn.Parameter] = field(default_factory=dict)  # "weight" and perhaps "bias"


def check_model(model: nn.Module, can: Abilities = GRAPH) -> None:
    """UnsupportedModel, naming the layer, unless each can be computed.  Whether sizes fit depends on the image."""
    ends_in_images = False
    for place, layer in _layers(model, can):
        if isinstance(layer, nn.Flatten):
            _require(can, layer.start_dim == 1, place, "must have start_dim=1, so that each image stays one row")
        if isinstance(layer, nn.Conv2d) and not can.anywhere:
            _require(can, layer.groups == 1, place, "has groups, and the kernels convolve all channels together")
            _require(can, math.prod(layer.kernel_size) <= can.largest_kernel, place, "has too large a kernel")
        if isinstance(layer, nn.Linear):
            _require(can, not ends_in_images, place, "has images as input, and stages take rows; put Flatten() before")
        for name, p in layer.named_parameters():
            fits = can.anywhere or p.dtype == "float32"
            _require(can, fits, place, f"has a {name} of {p.dtype}; the kernels are float32: model.float()")
        if isinstance(layer, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d, nn.Flatten, nn.Linear)):
            ends_in_images = not isinstance(layer, (nn.Flatten, nn.Linear))
    if can.anywhere:
        _require(can, not ends_in_images, "the model", "ends in images, and the loss needs rows")


def read_stages(model: nn.Module, image: tuple[int, ...], can: Abilities = GRAPH) -> list[Stage]:
    """The stages of `model` for images (C, H, W) or rows (features,), ending in rows of logits.

    UnsupportedModel where something cannot be computed, ValueError where layers do not fit the image or each other.
    """
    check_model(model, can)
    stages: list[Stage] = []
    layers = list(_layers(model, can))
    flat = len(image) == 1
    if can.anywhere and layers and isinstance(layers[0][1], nn.Flatten):  # examples of any shape will do
        image = (math.prod(image),)
    shape = three(image, can)
    for place, layer in layers:
        if isinstance(layer, nn.Flatten):
            shape, flat = (math.prod(shape), 1, 1), True
        elif isinstance(layer, nn.Activation) and (layer.declared.fused in ACTIVATIONS or not can.anywhere):
            if not stages or not _takes_activation(stages[-1], can):
                stages.append(_by_itself(layer, place, shape, flat, can))
            if stages[-1].kind != "layer":
                stages[-1].activation = layer.declared.fused or ""
        else:
            new = _stage(layer, place, shape, flat, can)
            if stages and _rides(new, stages[-1], can):
                stages[-1].pooling, stages[-1].window, stages[-1].gives = new.pooling, new.kernel, new.gives
            elif new.kind == "pool" and can.anywhere:
                stages.append(_by_itself(layer, place, shape, flat, can))
            else:
                stages.append(new)
            shape = new.gives
    _fits(can, flat, "the model", f"ends in images {shape}, and the loss needs rows: end it with Flatten()")
    return stages


def three(image: tuple[int, ...], can: Abilities = GRAPH) -> Three:
    """(C, H, W) of an image, (features, 1, 1) of a row; ValueError for anything else."""
    C, H, W = image if len(image) == 3 else (*image, 1, 1) if len(image) == 1 else (0, 0, 0)
    _fits(can, min(C, H, W) > 0, "a batch", f"of shape (N, {', '.join(map(str, image))}) is neither images nor rows")
    return C, H, W


def _layers(model: nn.Module, can: Abilities) -> Iterator[tuple[str, nn.Module]]:
    """("layer 3 (Linear(...))", layer) for all layers, those of Sequentials within included."""
    _require(can, _is_sequential(model), f"a {type(model).__name__}", "is not a Sequential, whose layers could be read")
    known = ", ".join(kinds("fused"))
    seen: set[int] = set()
    for name, layer in _flattened(model, ""):
        place, parameters = f"layer {name} ({layer!r})", {id(p) for p in layer.parameters()}
        other = _is_norm(layer) or (not parameters and all(map(apart, layer.modules())))
        if layer.declared.fused is None and not (can.anywhere and other):
            _require(can, False, place, f"has no fused kernel; there are kernels for {known}")
        _require(can, not parameters & seen, place, "shares its parameters with an earlier layer")
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


def _is_norm(layer: nn.Module) -> bool:
    """A subclass with a forward of its own declares again, or nothing."""
    return isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) and layer.declared.meets and "forward" not in vars(layer)


def _by_itself(layer: nn.Module, place: str, shape: Three, flat: bool, can: Abilities) -> Stage:
    """The stage of an activation or a pooling that no other can take on, or of a layer of any other kind."""
    if not can.anywhere:
        return Stage("pool", place, shape, shape, shape, pooling="AVERAGE")
    example = Tensor(np.zeros((1, shape[0]) if flat else (1, *shape), np.float32))
    with no_grad(), random.at(random.get_state(), 0):
        given = layer(example).shape[1:]
    _require(can, len(given) == (1 if flat else 3), place, f"makes {given} of {example.shape[1:]}")
    gives = three(given, can)
    return Stage("layer", place, shape, gives, gives, flat=flat, layer=layer)


def _stage(layer: nn.Module, place: str, shape: Three, flat: bool, can: Abilities) -> Stage:
    """The stage of a layer: convolution, pooling, linear, dropout, or, for NumPy, any other."""
    if isinstance(layer, nn.Linear):
        _require(can, flat, place, f"has images {shape} as input, and stages take rows; put Flatten() before it")
        _fits(can, layer.in_features == shape[0], place, f"expects {layer.in_features} features, got {shape[0]}")
        sums = (layer.out_features, 1, 1)
        return Stage("linear", place, shape, sums, sums, parameters=_parameters(layer))
    if isinstance(layer, nn.Dropout):
        return Stage("dropout", place, shape, shape, shape, layer=layer, flat=flat)
    if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        _fits(can, flat == isinstance(layer, nn.BatchNorm1d), place, f"does not take {'rows' if flat else 'images'}")
        _fits(can, layer.num_features == shape[0], place, f"expects {layer.num_features} channels, got {shape[0]}")
        return Stage("norm", place, shape, shape, shape, parameters=_parameters(layer), layer=layer, flat=flat)
    if layer.declared.fused is None:
        return _by_itself(layer, place, shape, flat, can)
    assert isinstance(layer, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d))
    _fits(can, not flat, place, f"expects images, got rows of {shape[0]} features")
    dilation, ceil_mode = getattr(layer, "dilation", (1, 1)), getattr(layer, "ceil_mode", False)
    sizes = zip(shape[1:], layer.kernel_size, layer.stride, layer.padding, dilation, strict=True)
    OH, OW = (geometry.output_size(*size, ceil_mode=ceil_mode) for size in sizes)
    _fits(can, min(OH, OW) > 0, place, f"has a window larger than its input {shape}")
    if isinstance(layer, nn.Conv2d):
        _fits(can, layer.in_channels == shape[0], place, f"expects {layer.in_channels} channels, got {shape[0]}")
        stage = Stage("conv", place, shape, (layer.out_channels, OH, OW), (layer.out_channels, OH, OW))
        stage.parameters, stage.groups = _parameters(layer), layer.groups
    else:
        stage = Stage("pool", place, shape, (shape[0], OH, OW), (shape[0], OH, OW))
        stage.pooling = layer.declared.fused or ""
        stage.count_padding = getattr(layer, "count_include_pad", True)
    stage.kernel, stage.stride, stage.padding = layer.kernel_size, layer.stride, layer.padding
    stage.dilation = dilation
    return stage


def _takes_activation(stage: Stage, can: Abilities) -> bool:
    """Whether an activation can be computed together with the stage before it.

    On NumPy also behind a maximum, since all of ACTIVATIONS never decrease; on the GPU behind any pooling by itself.
    """
    if stage.activation != "IDENTITY" or stage.kind in ("dropout", "layer"):
        return False
    return not _is_pooled(stage) or (can.anywhere and stage.pooling == "MAXIMUM")


def _rides(pool: Stage, conv: Stage, can: Abilities) -> bool:
    """Whether a pooling can be computed together with a convolution, or what normalises it: whole windows side by side,
    not too large."""
    return (
        (pool.kind, conv.kind in CARRIERS, conv.pooling) == ("pool", True, "NO_POOL")
        and pool.kernel == pool.stride
        and (pool.padding, pool.dilation) == ((0, 0), (1, 1))
        and all(n * k <= size for n, k, size in zip(pool.gives[1:], pool.kernel, pool.takes[1:], strict=True))
        and math.prod(pool.kernel) <= can.largest_window
    )


def _is_pooled(stage: Stage) -> bool:
    return stage.kind in CARRIERS and stage.pooling != "NO_POOL"


def _parameters(layer: nn.Module) -> dict[str, nn.Parameter]:
    return {name: p for name in ("weight", "bias") if (p := getattr(layer, name)) is not None}


def _fits(can: Abilities, true: bool, place: str, problem: str) -> None:
    if not true:
        raise ValueError(f"{can.name}: {place} {problem}")


def _require(can: Abilities, true: bool, place: str, problem: str) -> None:
    if not true:
        raise UnsupportedModel(f"{can.name}: {place} {problem}; {can.way_out}")
