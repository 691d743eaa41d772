"""reading: a Sequential read as stages (stages.py); or a refusal that names the layer, and says why."""

import math
from collections.abc import Iterator
from typing import TypeGuard

import numpy as np

from tinycnn import geometry, nn, random
from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.execution.separable import apart
from tinycnn.execution.stages import ACTIVATIONS, CARRIERS, GRAPH, Abilities, Stage, Three, UnsupportedModel
from tinycnn.nn.module import kinds


def check_model(model: nn.Module, can: Abilities = GRAPH) -> None:
    """UnsupportedModel, naming the layer, unless each can be computed.  Whether sizes fit depends on the image."""
    _require(can, _is_sequential(model), f"a {type(model).__name__}", "is not a Sequential, whose layers could be read")
    ends_in_images = _check("", model, can, set(), images=False)
    if can.anywhere:
        _require(can, not ends_in_images, "the model", "ends in images, and the loss needs rows")


def _check(at: str, module: nn.Module, can: Abilities, seen: set[int], images: bool) -> bool:
    """The same for what is in `module`, where parameters by these ids came before it; whether images come out."""
    for name, place, layer in _layers(at, module, can):
        if can.anywhere and _is_residual(layer):
            flattens = any(isinstance(inside, nn.Flatten) for inside in layer.modules())
            _require(can, not flattens, f"layer {name} (Residual)", "has a Flatten in it; put it before or behind")
            _check(f"{name}.shortcut", layer.shortcut, can, seen, images)
            images = _check(f"{name}.body", layer.body, can, seen, images)
            continue
        parameters = {id(p) for p in layer.parameters()}
        _require(can, not parameters & seen, place, "shares its parameters with an earlier layer")
        seen |= parameters
        if isinstance(layer, nn.Flatten):
            _require(can, layer.start_dim == 1, place, "must have start_dim=1, so that each image stays one row")
        if isinstance(layer, nn.Conv2d) and not can.anywhere:
            _require(can, layer.groups == 1, place, "has groups, and the kernels convolve all channels together")
            _require(can, math.prod(layer.kernel_size) <= can.largest_kernel, place, "has too large a kernel")
        if isinstance(layer, nn.Linear):
            _require(can, not images, place, "has images as input, and stages take rows; put Flatten() before")
        for of, p in layer.named_parameters():
            fits = can.anywhere or p.dtype == "float32"
            _require(can, fits, place, f"has a {of} of {p.dtype}; the kernels are float32: model.float()")
        if isinstance(layer, (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d, nn.Flatten, nn.Linear)):
            images = not isinstance(layer, (nn.Flatten, nn.Linear))
    return images


def read_stages(model: nn.Module, image: tuple[int, ...], can: Abilities = GRAPH) -> list[Stage]:
    """The stages of `model` for images (C, H, W) or rows (features,), ending in rows of logits.

    UnsupportedModel where something cannot be computed, ValueError where layers do not fit the image or each other.
    """
    check_model(model, can)
    flat = len(image) == 1
    first = next(_layers("", model, can), None)
    if can.anywhere and first and isinstance(first[2], nn.Flatten):  # examples of any shape will do
        image = (math.prod(image),)
    stages, shape, flat = _read("", model, three(image, can), flat, can)
    _fits(can, flat, "the model", f"ends in images {shape}, and the loss needs rows: end it with Flatten()")
    return stages


def _read(at: str, module: nn.Module, shape: Three, flat: bool, can: Abilities) -> tuple[list[Stage], Three, bool]:
    """The stages of what is in `module` for images, or rows, of this shape; what comes out, and whether it is rows."""
    stages: list[Stage] = []
    for name, place, layer in _layers(at, module, can):
        if isinstance(layer, nn.Flatten):
            shape, flat = (math.prod(shape), 1, 1), True
        elif isinstance(layer, nn.Identity) and can.anywhere:
            continue
        elif isinstance(layer, nn.Activation) and (layer.declared.fused in ACTIVATIONS or not can.anywhere):
            if not stages or not _takes_activation(stages[-1], can):
                stages.append(_by_itself(layer, place, shape, flat, can))
            if stages[-1].kind != "layer":
                stages[-1].activation = layer.declared.fused or ""
        elif _is_residual(layer):
            stages.append(new := _residual(name, layer, shape, flat, can))
            shape, flat = new.gives, new.flat
        else:
            new = _stage(layer, place, shape, flat, can)
            if stages and _rides(new, stages[-1], can):
                stages[-1].pooling, stages[-1].window, stages[-1].gives = new.pooling, new.kernel, new.gives
            elif new.kind == "pool" and can.anywhere:
                stages.append(_by_itself(layer, place, shape, flat, can))
            else:
                stages.append(new)
            shape = new.gives
    return stages, shape, flat


def _residual(name: str, layer: nn.Residual, shape: Three, flat: bool, can: Abilities) -> Stage:
    """Both ways read by themselves; what they give has to be of one shape."""
    body, gives, rows = _read(f"{name}.body", layer.body, shape, flat, can)
    shortcut, other, same = _read(f"{name}.shortcut", layer.shortcut, shape, flat, can)
    place = f"layer {name} (Residual)"
    _fits(can, (gives, rows) == (other, same), place, f"gives {gives}, and its shortcut {other}; they must be the same")
    return Stage("residual", place, shape, gives, gives, flat=rows, body=body, shortcut=shortcut)


def three(image: tuple[int, ...], can: Abilities = GRAPH) -> Three:
    """(C, H, W) of an image, (features, 1, 1) of a row; ValueError for anything else."""
    C, H, W = image if len(image) == 3 else (*image, 1, 1) if len(image) == 1 else (0, 0, 0)
    _fits(can, min(C, H, W) > 0, "a batch", f"of shape (N, {', '.join(map(str, image))}) is neither images nor rows")
    return C, H, W


def _layers(at: str, module: nn.Module, can: Abilities) -> Iterator[tuple[str, str, nn.Module]]:
    """(name, "layer 3 (Linear(...))", layer) for what is in `module`, or for itself unless it is a Sequential."""
    if _is_sequential(module):
        for child, layer in module.named_children():
            yield from _layers(f"{at}.{child}".lstrip("."), layer, can)
        return
    place = f"layer {at} ({module!r})"
    known = module.declared.fused is not None
    if can.anywhere and not known:
        alone = not any(True for _ in module.parameters()) and all(map(apart, module.modules()))
        known = alone or _is_norm(module) or _is_residual(module)
    _require(can, known, place, f"has no fused kernel; there are kernels for {', '.join(kinds('fused'))}")
    yield at, place, module


def _is_sequential(module: nn.Module) -> bool:
    """A subclass with a forward of its own computes something else."""
    return isinstance(module, nn.Sequential) and _computes(module, nn.Sequential)


def _is_residual(module: nn.Module) -> TypeGuard[nn.Residual]:
    return isinstance(module, nn.Residual) and _computes(module, nn.Residual)


def _computes(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether its forward is that of this class, and not one that took its place."""
    return type(module).forward is kind.forward and "forward" not in vars(module)


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
