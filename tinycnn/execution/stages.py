"""stages: what is computed as one, and who can compute what.  A Sequential is read as stages in reading.py.

Each of these becomes one stage, for the kernels of the CUDA graph (GRAPH) and for NumPy (STAGES) alike:
    Conv2d, activation, pooling     the pooling's windows side by side; activation and pooling may be missing
    Linear, activation              the activation may be missing
Flatten becomes nothing: in (C, H, W, N) memory the features lie flat already.  What else there is differs:
    GRAPH     pooling, activation   windows of any kind; an activation by itself counts as a pooling of single pixels
    STAGES    batch normalisation, activation, pooling     as behind a convolution
              Residual, activation            a stage with stages in it, on both of its ways
              dropout; and any other layer without parameters that declares that examples stay apart in it

Which of these a layer is, its class declares as `fused` (nn/module.py): "conv", "linear", "flatten", the kernels'
names of a pooling ("AVERAGE", "MAXIMUM"), or, in capitals as well, that of an activation.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tinycnn import nn

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
    """What is computed as one: "conv", "linear" or "norm", with parameters, "pool", "dropout" or "layer", without; or
    "residual", the sum of two ways.

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
    body: list["Stage"] = field(default_factory=list)  # of a residual stage: both of them take what it takes
    shortcut: list["Stage"] = field(default_factory=list)  # empty where what goes in is added as it is


def each(stages: Sequence[Stage]) -> Iterator[Stage]:
    """The stages, and those within them."""
    for stage in stages:
        yield stage
        yield from each([*stage.body, *stage.shortcut])
