"""sizes: a stage as the struct of compile-time constants that its kernels read.

The letters are those of ops/conv2d.py: N C H W in, O filters, KH KW kernel, SH SW stride, PH PW padding, DH DW
dilation, OH OW the weighted sums; and QH QW the fused pooling's window, YH YW what comes out, K features of a linear.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinycnn.execution.graph import tiles
from tinycnn.execution.graph.compile import Sizes
from tinycnn.execution.graph.tiles import ConvTile, LinearTile, Patch, WeightTile
from tinycnn.execution.stages import Stage

HEAD_IMAGES = 2  # per block; so every weight read serves two images, and a batch of 256 makes 128 blocks
HEAD_THREADS = 256
HEAD_BYTES = 48 * 1024  # of shared memory, which are to be had without asking
HEAD_NEEDS = 4 * HEAD_IMAGES * (HEAD_THREADS + 36) + 32  # of them, whatever the layers: partial sums, and the loss
MOST_CLASSES = (HEAD_BYTES - HEAD_NEEDS) // (4 * HEAD_IMAGES)  # whose logits fit as well


class ConvCut(NamedTuple):
    """How a convolution's three kernels are cut."""

    Forward: ConvTile
    DataGradient: ConvTile
    WeightGradient: WeightTile


class LinearCut(NamedTuple):
    """How a linear layer's two products are cut."""

    Forward: LinearTile
    DataGradient: LinearTile


def conv_cut(stage: Stage, images: int) -> ConvCut:
    """The cut of a convolution stage for a batch of `images`."""
    (C, H, W), (O, OH, OW) = stage.takes, stage.sums
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = stage.kernel, stage.stride, stage.padding, stage.dilation
    span_h, span_w = (KH - 1) * DH + 1, (KW - 1) * DW + 1

    def forward_patch(TH: int, TW: int) -> Patch:
        rows, columns = min((TH - 1) * SH + span_h, H), min((TW - 1) * SW + span_w, W)
        return Patch(rows, columns, TH * TW * KH * KW)

    def backward_patch(TH: int, TW: int) -> Patch:
        rows = (TH - 1 + PH) // SH - (PH + 1 - span_h) // SH + 1
        columns = (TW - 1 + PW) // SW - (PW + 1 - span_w) // SW + 1
        there = min(1.0, OH * SH / H)  # the others lie beyond the edge
        across = OW * KW if TW >= W else TW * KW / SW
        return Patch(rows * there, min(columns, OW), TH * KH / SH * there * across)

    useful = stage.gives[1] * stage.window[0], stage.gives[2] * stage.window[1]  # the sums that some window looks at
    return ConvCut(
        tiles.conv_tile(images, C, O, (KH, KW), useful, stage.window, forward_patch),
        tiles.conv_tile(images, O, C, (KH, KW), (H, W), (SH, SW), backward_patch),
        tiles.conv_weight_tile(images, C, O, (KH, KW), (SH, SW), span_w, (OH, OW)),
    )


def linear_cut(stage: Stage, images: int) -> LinearCut:
    """The cut of a linear stage for a batch of `images`."""
    K, O = stage.takes[0], stage.sums[0]
    return LinearCut(
        tiles.linear_tile(images, O, K, transposed=False), tiles.linear_tile(images, K, O, transposed=True)
    )


def stage_sizes(stage: Stage, images: int, cut: ConvCut | LinearCut | None) -> dict[str, Any]:
    """The constants of one stage, for struct Stage<i>; `cut` is None for a pool stage."""
    sizes: dict[str, Any] = {
        "N": images,
        **_named(("C", "H", "W"), stage.takes),
        **_named(("O", "OH", "OW"), stage.sums),
        **_named(("YH", "YW"), stage.gives[1:]),
        **_named(("QH", "QW"), stage.window),
        "K": stage.takes[0],
        "ACTIVATION": stage.activation,
        "POOL": stage.pooling if stage.kind == "conv" else "NO_POOL",
        "BIAS": int("bias" in stage.parameters),
    }
    if stage.kind != "linear":
        sizes.update(_named(("KH", "KW"), stage.kernel))
        sizes.update(_named(("SH", "SW"), stage.stride))
        sizes.update(_named(("PH", "PW"), stage.padding))
        sizes.update(_named(("DH", "DW"), stage.dilation))
    if cut is None:
        return {**sizes, "KIND": stage.pooling, "COUNT_PADDING": int(stage.count_padding)}
    return {**sizes, **{name: tile._asdict() for name, tile in cut._asdict().items()}}


def head_layers(stages: Sequence[Stage]) -> int:
    """How many linear stages at the end fit into the head together: their weights and one block's values."""
    layers, bytes_used = 0, HEAD_NEEDS + 4 * HEAD_IMAGES * math.prod(stages[-1].gives)
    for stage in reversed(stages):
        K, O = stage.takes[0], stage.sums[0]
        bytes_used += 4 * (O * ((K + 1) | 1) + HEAD_IMAGES * K)  # with the bias, and an odd number of places
        if stage.kind != "linear" or bytes_used > HEAD_BYTES:
            break
        layers += 1
    return layers


def head_sizes(tail: Sequence[Stage], classes: int, images: int, smoothing: float, gives_back: bool) -> Sizes:
    """The constants of the head; `tail` are the linear stages it contains."""
    return {
        "N": images,
        "IMAGES": HEAD_IMAGES,
        "THREADS": HEAD_THREADS,
        "BLOCKS": -(-images // HEAD_IMAGES),
        "LAYERS": len(tail),
        "SMOOTHING": float(smoothing),
        "GIVES_BACK": int(gives_back),
        "width": [*(stage.takes[0] for stage in tail), classes],
        "activation": [stage.activation for stage in tail],
        "bias": [int("bias" in stage.parameters) for stage in tail],
    }


def _named(letters: Sequence[str], values: Sequence[int]) -> dict[str, int]:
    return dict(zip(letters, values, strict=True))
