"""plan: a training step as a list of kernel launches over named buffers, for one model and batch size.

A Plan touches no device.  Whoever runs it compiles `source`, allocates `buffers` and makes the launches: CuPy on a
GPU (replay.py), or the tests on a CPU, with the same kernels and the same arguments.

Buffers: state and rule (see kernels/common.cuh); x (C, H, W, N) and labels (N,), the batch,
and x_next, the one after it; losses and corrects, one
per block of the head; and for stage i
    y<i> its output     dz<i> the gradient of its weighted sums    arg<i> the winners of its max pooling
    w<i> b<i> its parameters    vw<i> vb<i> their velocities       partial<i> its gradients, not yet summed
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tinycnn import nn
from tinycnn.execution.graph.compile import Sizes, cuda_source
from tinycnn.execution.graph.sizes import (
    HEAD_IMAGES,
    HEAD_THREADS,
    MOST_CLASSES,
    ConvCut,
    LinearCut,
    conv_cut,
    head_layers,
    head_sizes,
    linear_cut,
    stage_sizes,
)
from tinycnn.execution.reading import read_stages, three
from tinycnn.execution.stages import Stage, Three, UnsupportedModel

MAIN, BOOKS, WEIGHTS = BRANCHES = range(3)  # branches: the way up and down; which batch is next; gradients of weights
STATE_BYTES = 56  # sizeof(State) in kernels/common.cuh


@dataclass(frozen=True)
class Launch:
    """One kernel to run: its name with template arguments, and buffers by name, ints, or None for a null pointer.

    A launch on a side branch (not MAIN) runs beside those that come after it on other branches; it sees what came
    before it on the main branch and on its own.  One that is `joined`, on the main branch, sees all before it.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    arguments: tuple[str | int | None, ...]
    branch: int = 0
    joined: bool = False


@dataclass(frozen=True)
class Buffer:
    """An array to allocate, all zeros: C-contiguous, of this shape and dtype."""

    shape: tuple[int, ...]
    dtype: str = "float32"


class Plan:
    """The launches of a training step (`train`) and of an evaluation (`evaluate`); the first of each gathers.

    `image` is the shape of one example, `images` the largest batch there will be.  Raises UnsupportedModel, naming the
    layer, where there is no kernel, and ValueError where sizes do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        image: tuple[int, ...],
        images: int,
        smoothing: float = 0.0,
        momentum: bool = False,
        nesterov: bool = False,
    ) -> None:
        self.image, self.images, self.momentum = three(image), images, momentum
        self.stages = read_stages(model, image)
        self.parameters: dict[str, nn.Parameter] = {}  # by buffer name: these buffers are the parameters' own arrays
        self.first = next((i for i, stage in enumerate(self.stages) if stage.parameters), -1)
        if self.first < 0:
            raise UnsupportedModel("graph: the model has no parameters, so there is nothing to train")
        self.tail = len(self.stages) - head_layers(self.stages)  # from this stage on, the head does it
        self.classes = math.prod(self.stages[-1].gives)
        check_classes(self.classes)
        self.logits = f"y{len(self.stages) - 1}"  # the name of their buffer, (classes, N)
        head = head_sizes(self.stages[self.tail :], self.classes, images, smoothing, self.tail > self.first)
        update = {"MOMENTUM": momentum, "NESTEROV": nesterov}
        self.structs: dict[str, Sizes] = {"Input": _input_sizes(self.image, images), "Head": head}
        self.convs: dict[int, ConvCut] = {}  # how stage i is cut into threads
        self.linears: dict[int, LinearCut] = {}
        for i, stage in enumerate(self.stages):
            if stage.kind == "conv":
                self.convs[i] = conv_cut(stage, images)
            if stage.kind == "linear":
                self.linears[i] = linear_cut(stage, images)
            cut = self.convs.get(i) or self.linears.get(i)
            self.structs[f"Stage{i}"] = {**stage_sizes(stage, images, cut), **update}
        self.source = cuda_source(self.structs)
        self.buffers = dict(self._buffers())
        forward = [self._gather(), *(self._forward(i) for i in range(self.tail))]
        self.evaluate = [*forward, self._head(train=False), self._finish(MAIN)]
        self.train = [*forward, self._head(train=True), self._finish(BOOKS), *self._backward()]
        self.kernels = tuple(dict.fromkeys(["begin", *(launch.kernel for launch in self.train)]))

    def steps(self, count: int) -> Iterator[list[Launch]]:
        """The launches of so many training steps in a row, step by step: each gathers the next one's batch meanwhile.

        So all but the first start without a gather, and "x" and "x_next" swap their parts from step to step.
        """
        ahead = _swapped(replace(self.train[0], branch=BOOKS))
        for k in range(count):
            step = self.train[k > 0 :]
            if k + 1 < count:
                finish = next(i for i, launch in enumerate(step) if launch.branch == BOOKS)
                step.insert(finish + 1, ahead)  # which needs to know which batch is next
            yield [_swapped(launch) for launch in step] if k % 2 else step

    # -- memory

    def _buffers(self) -> Iterator[tuple[str, Buffer]]:
        N, blocks = self.images, -(-self.images // HEAD_IMAGES)
        yield "state", Buffer((STATE_BYTES,), "uint8")
        yield "rule", Buffer((3,))
        yield "x", Buffer((*self.image, N))
        yield "x_next", Buffer((*self.image, N))
        yield "labels", Buffer((N,), "int32")
        yield "losses", Buffer((blocks,))
        yield "corrects", Buffer((blocks,), "int32")
        for i, stage in enumerate(self.stages):
            for name, buffer in self._stage_buffers(i, stage):
                if math.prod(buffer.shape) >= 2**31:
                    raise UnsupportedModel(f"graph: {stage.place} needs an array {buffer.shape}; use smaller batches")
                yield name, buffer

    def _stage_buffers(self, i: int, stage: Stage) -> Iterator[tuple[str, Buffer]]:
        N = self.images
        yield f"y{i}", Buffer((*stage.gives, N))
        yield f"dz{i}", Buffer((*stage.sums, N))
        if stage.pooling == "MAXIMUM":
            yield f"arg{i}", Buffer((*stage.gives, N), "uint16" if stage.kind == "pool" else "uint8")
        for kind, p in stage.parameters.items():
            self.parameters[kind[0] + str(i)] = p
            if self.momentum:
                yield f"v{kind[0]}{i}", Buffer(p.shape)
        if stage.kind == "conv":
            splits = self.convs[i].WeightGradient.SPLITS
            yield f"partial{i}", Buffer((splits, math.prod(stage.parameters["weight"].shape) + stage.sums[0]))

    def _name(self, kind: str, i: int) -> str | None:
        """The buffer `kind` of stage i where there is one; a null pointer otherwise."""
        name = f"{kind}{i}"
        return name if name in self.buffers or name in self.parameters else None

    def _input(self, i: int) -> str:
        return f"y{i - 1}" if i else "x"

    def _below(self, i: int) -> tuple[str | None, str | None, str | None]:
        """What give_back needs of the stage below stage i: its output, its winners, and where its dz goes."""
        return self._name("y", i - 1), self._name("arg", i - 1), self._name("dz", i - 1)

    # -- forward

    def _gather(self) -> Launch:
        tiles = -(-math.prod(self.image) // 32), -(-self.images // 32), 1
        return Launch("gather<Input>", tiles, (32, 8, 1), ("state", "x", "labels"))

    def _forward(self, i: int) -> Launch:
        stage, x = self.stages[i], self._input(i)
        if stage.kind == "pool":
            grid = _blocks(math.prod(stage.gives) * self.images, 128)
            return Launch(f"pool_forward<Stage{i}>", grid, (128, 1, 1), (x, f"y{i}", self._name("arg", i)))
        w, b = f"w{i}", self._name("b", i)
        if stage.kind == "linear":
            return Launch(f"linear_forward<Stage{i}>", *self.linears[i].Forward.launch(self.images), (x, w, b, f"y{i}"))
        arguments = (x, w, b, f"y{i}", f"dz{i}", self._name("arg", i))
        geometry = self.convs[i].Forward.launch(self.images, stage.sums[0])
        return Launch(f"conv_forward<Stage{i}>", *geometry, arguments)

    # -- the loss

    def _head(self, train: bool) -> Launch:
        tail, below = range(self.tail, len(self.stages)), max(self.tail - 1, 0)
        pointers = [self._name(kind, i) for i in tail for kind in ("w", "b", "y", "dz")]
        kernel = f"head<{', '.join(['Head', f'Stage{below}', *['float*'] * len(pointers)])}>"
        _, arg, dz = self._below(self.tail)
        fixed = ("state", int(train), self._input(self.tail), "labels", arg, dz, "losses", "corrects")
        return Launch(kernel, _blocks(self.images, HEAD_IMAGES), (HEAD_THREADS, 1, 1), (*fixed, *pointers))

    def _finish(self, branch: int) -> Launch:
        return Launch("finish<Head>", (1, 1, 1), (32, 1, 1), ("state", "losses", "corrects"), branch)

    # -- backward

    def _backward(self) -> Iterator[Launch]:
        """From the head down.  What nobody waits for goes to the side: the gradients of weights, and their updates."""
        lowest = min(self.linears, default=-1)
        if lowest >= self.tail:
            yield self._linear_weight_gradients(WEIGHTS)
        for i in reversed(range(self.first, self.tail)):
            last = i == self.first  # nothing below wants a gradient
            if self.stages[i].kind == "pool":
                yield self._pool_backward(i)
            elif self.stages[i].kind == "linear":
                if not last:
                    yield self._linear_data_gradient(i)
                if i == lowest:  # now nobody reads their weights any more, so they may change
                    yield self._linear_weight_gradients(MAIN if last else WEIGHTS)
            else:
                yield self._conv_weight_gradient(i, MAIN if last else WEIGHTS)
                if not last:
                    yield self._conv_data_gradient(i)
        if self.convs:
            yield self._conv_updates()

    def _pool_backward(self, i: int) -> Launch:
        grid = _blocks(math.prod(self.stages[i].takes) * self.images, 128)
        arguments = (f"dz{i}", self._name("arg", i), *self._below(i))
        return Launch(f"pool_backward<Stage{i}, Stage{i - 1}>", grid, (128, 1, 1), arguments)

    def _linear_data_gradient(self, i: int) -> Launch:
        arguments = (f"dz{i}", f"w{i}", *self._below(i))
        geometry = self.linears[i].DataGradient.launch(self.images)
        return Launch(f"linear_data_gradient<Stage{i}, Stage{i - 1}>", *geometry, arguments)

    def _linear_weight_gradients(self, branch: int) -> Launch:
        """Those of all linear stages, and their updates."""
        shapes = [self.stages[i].parameters["weight"].shape for i in self.linears]
        blocks = sum(-(-O // 16) * (K // 32 + 1) for O, K in shapes)
        arguments = [a for i in self.linears for a in (f"dz{i}", self._input(i), *self._updated(i))]
        kernel = _for_all("linear_weight_gradients", self.linears, ["const float*"] * 2 + ["float*"] * 4)
        return Launch(kernel, (blocks, 1, 1), (32, 8, 1), ("rule", *arguments), branch)

    def _conv_updates(self) -> Launch:
        blocks = sum(-(-self.buffers[f"partial{i}"].shape[1] // 32) for i in self.convs)
        arguments = [a for i in self.convs for a in (f"partial{i}", *self._updated(i))]
        kernel = _for_all("conv_updates", self.convs, ["const float*"] + ["float*"] * 4)
        return Launch(kernel, (blocks, 1, 1), (32, 8, 1), ("rule", *arguments), MAIN, joined=True)

    def _conv_data_gradient(self, i: int) -> Launch:
        geometry = self.convs[i].DataGradient.launch(self.images, self.stages[i].takes[0])
        return Launch(f"conv_data_gradient<Stage{i}, Stage{i - 1}>", *geometry, (f"dz{i}", f"w{i}", *self._below(i)))

    def _conv_weight_gradient(self, i: int, branch: int) -> Launch:
        O, C, KH, _ = self.stages[i].parameters["weight"].shape
        geometry = self.convs[i].WeightGradient.launch(O, C, KH)
        arguments = (f"dz{i}", self._input(i), f"partial{i}")
        return Launch(f"conv_weight_gradient<Stage{i}>", *geometry, arguments, branch)

    def _updated(self, i: int) -> tuple[str | None, ...]:
        """The parameters of stage i and their velocities."""
        return tuple(self._name(kind, i) for kind in ("w", "b", "vw", "vb"))


def _swapped(launch: Launch) -> Launch:
    """The same with the parts of the two batches swapped."""
    other: dict[str | int | None, str] = {"x": "x_next", "x_next": "x"}
    return replace(launch, arguments=tuple(other.get(a, a) for a in launch.arguments))


def _for_all(name: str, stages: Iterable[int], pointers: list[str]) -> str:
    """The name of a kernel that takes care of several stages, with pointers of these types for each."""
    chosen = [f"Stage{i}" for i in stages]
    return f"{name}<Layers<{', '.join(chosen)}>, {', '.join(pointers * len(chosen))}>"


def check_classes(classes: int) -> None:
    """UnsupportedModel where a block's logits do not fit into its shared memory."""
    if classes > MOST_CLASSES:
        raise UnsupportedModel(f"graph: {classes} classes, and the kernel of the loss takes {MOST_CLASSES} at most")


def _input_sizes(image: Three, images: int) -> Sizes:
    return {"N": images, **dict(zip("CHW", image, strict=True))}


def _blocks(threads: int, size: int) -> Three:
    return -(-threads // size), 1, 1
