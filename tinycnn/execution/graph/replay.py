"""replay: a plan on the GPU: its arrays, its compiled kernels, and CUDA graphs of one step or many.

Rules that a captured step has to keep, and how they are kept here:
    nothing may be allocated, for a replay writes to the addresses it was captured with, whoever owns them by then:
        all arrays are made before and held as long as the graphs, and during a capture the allocator refuses
    numbers passed to a kernel are frozen: learning rate, batch number, and the addresses of data and history are in
        the arrays `state` and `rule`, which the kernel `begin` writes before each run of replays
    the host may not ask for anything: losses and counts go into a history that is read when the caller likes
"""

import gc
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinycnn.backend import Array, array_module, batch_last
from tinycnn.execution.graph.compile import load_kernels
from tinycnn.execution.graph.plan import BRANCHES, MAIN, Launch, Plan
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.optim import SGD

LONGEST = 16  # steps in one graph; longer runs replay it, so that between steps the GPU waits for no launch

History = tuple[Array, Array]  # summed losses float32 and right answers int32, one per step, on the GPU


class Feed(NamedTuple):
    """Which images a run of steps takes: `size` at a time from number `first * size` on, in `order` or as they lie.

    `total` images count in all; the arrays are on the GPU and C-contiguous.  images uint8, labels and order int64.
    """

    images: Array | None  # None: a batch of floats that is in place already
    labels: Array | None
    order: Array | None
    total: int
    size: int
    first: int = 0


class Replay:
    """Runs a plan's training steps and evaluations on the GPU, on the current stream, without ever waiting for it."""

    def __init__(self, plan: Plan, shape: tuple[int, ...], optimizer: SGD) -> None:
        self.plan, self.shape, self.nesterov = plan, shape, optimizer.nesterov  # shape of one example as it arrives
        self.xp = xp = array_module(optimizer.params[0].data)
        self.arrays: dict[str, Array] = {name: xp.zeros(b.shape, b.dtype) for name, b in plan.buffers.items()}
        for name, p in plan.parameters.items():
            if not p.data.flags.c_contiguous:
                raise UnsupportedModel(f"graph: a parameter {p.shape} is not C-contiguous, and kernels ignore strides")
            self.arrays[name] = p.data
        self.kernels = load_kernels(plan.source, plan.kernels)
        self.streams = [xp.cuda.Stream(non_blocking=True) for _ in BRANCHES]
        self.main = self.streams[MAIN]
        self.events = [xp.cuda.Event(disable_timing=True) for _ in self.streams]
        self._graphs: dict[tuple[str, int], Any] = {}
        self._warm_up()
        if plan.momentum:
            self._adopt_momentum(optimizer)

    def _warm_up(self) -> None:
        """Run every kernel once, on no images, so that all code is loaded before the first capture.

        With lr 0 and momentum 1 a step changes nothing.
        """
        history = self.xp.zeros(2, np.float32), self.xp.zeros(2, np.int32)
        self.xp.cuda.get_current_stream().synchronize()  # the other streams do not wait for what made the arrays
        with self.main:
            self._begin(Feed(None, None, None, 0, 1), history, (0.0, 1.0, 0.0))
            self._issue(self.plan.train)
            self._issue(self.plan.evaluate)
        self.main.synchronize()

    def _adopt_momentum(self, optimizer: SGD) -> None:
        """Make the optimiser's momentum buffers the arrays that the kernels update, with the values they have."""
        for i, velocity in self._momenta(optimizer):
            if (old := optimizer.momentum_buffers[i]) is not None:
                velocity[...] = old
            optimizer.momentum_buffers[i] = velocity

    def _momenta(self, optimizer: SGD) -> list[tuple[int, Array]]:
        """(number of the parameter in the optimiser, its velocity here)."""
        numbers = {id(p): i for i, p in enumerate(optimizer.params)}
        return [(numbers[id(p)], self.arrays[f"v{name}"]) for name, p in self.plan.parameters.items()]

    def serves(self, optimizer: SGD) -> bool:
        """Whether parameters and momentum are still the arrays captured here, and the rule of SGD is the same."""
        rule = optimizer.momentum != 0, optimizer.nesterov, optimizer.dampening
        if rule != (self.plan.momentum, self.nesterov, 0):
            return False
        if any(p.data is not self.arrays[name] for name, p in self.plan.parameters.items()):
            return False
        return not self.plan.momentum or all(
            optimizer.momentum_buffers[i] is velocity for i, velocity in self._momenta(optimizer)
        )

    # -- running

    def run(self, way: str, batches: Feed, count: int, optimizer: SGD) -> History:
        """Replay `count` steps; `way` is "train", "evaluate", or "train floats", "evaluate floats" without gather."""
        history = self.xp.empty(count, np.float32), self.xp.empty(count, np.int32)
        self._begin(batches, history, (optimizer.lr, optimizer.momentum, optimizer.weight_decay))
        for steps in [LONGEST] * (count // LONGEST) + [count % LONGEST] * (count % LONGEST > 0):
            if (way, steps) not in self._graphs:
                self._graphs[way, steps] = self._capture(way, steps)
            self._graphs[way, steps].launch()
        return history

    def run_floats(self, way: str, x: Array, y: Array, optimizer: SGD) -> History:
        """One step on a batch of floats (n, ...), which are copied to where gather would have put them."""
        n = len(x)
        self.arrays["x"][..., :n] = batch_last(x.reshape(n, *self.plan.image))
        self.arrays["x"][..., n:] = 0
        self.arrays["labels"][:n] = y
        return self.run(f"{way} floats", Feed(None, None, None, n, n), 1, optimizer)

    def _begin(self, batches: Feed, history: History, rule: tuple[float, float, float]) -> None:
        """Write state and rule.  The scalars are arguments of this launch, so nothing is copied and nothing waits."""
        places = self.arrays["state"], self.arrays["rule"]
        arrays = batches.images, batches.labels, batches.order, *history
        numbers = map(np.int32, (batches.total, batches.size, batches.first))
        self.kernels["begin"]((1, 1, 1), (1, 1, 1), (*places, *arrays, *numbers, *map(np.float32, rule)))

    def launch_times(self, feed: Feed, copies: int) -> list[tuple[str, float]]:
        """(kernel, microseconds) of each launch of a training step, in a chain of `copies`: the best of five.

        Nothing is learnt, for the learning rate is 0, and the momenta are put back.  It waits for the GPU.
        """
        history, found = (self.xp.empty(copies, np.float32), self.xp.empty(copies, np.int32)), []
        momenta = {name: array.copy() for name, array in self.arrays.items() if name[0] == "v"}
        self.xp.cuda.get_current_stream().synchronize()
        for launch in self.plan.train:
            graph, seconds = self._captured([[replace(launch, branch=MAIN)] * copies]), []
            for _ in range(5):
                with self.main:
                    self._begin(feed, history, (0.0, 1.0, 0.0))
                    self.main.synchronize()
                    start = time.perf_counter()
                    graph.launch(self.main)
                    self.main.synchronize()
                seconds.append(time.perf_counter() - start)
            found.append((launch.kernel.split("<")[0], min(seconds) / copies * 1e6))
        for name, kept in momenta.items():
            self.arrays[name][...] = kept
        return found

    # -- capturing

    def _capture(self, way: str, steps: int) -> Any:
        """The graph of so many steps.  Capturing runs nothing."""
        if way == "train":
            sequence = list(self.plan.steps(steps))
        else:
            launches = self.plan.train if way.startswith("train") else self.plan.evaluate
            sequence = [launches[1:] if way.endswith("floats") else launches] * steps
        return self._captured(sequence)

    def _captured(self, sequence: Sequence[Sequence[Launch]]) -> Any:
        """The graph of these steps' launches."""
        gc.collect()
        collecting = gc.isenabled()
        gc.disable()  # what it frees, a module for example, could be more than a capture allows
        try:
            with self.main, self.xp.cuda.using_allocator(_refuse):
                self.main.begin_capture()
                try:
                    for launches in sequence:
                        self._issue(launches)
                finally:
                    graph = self.main.end_capture()
        finally:
            if collecting:
                gc.enable()
        return graph

    def _issue(self, launches: Sequence[Launch]) -> None:
        """Launch a step's kernels: the main branch in order, the others beside it, all together again at the end."""
        behind = set(range(1, len(self.streams)))  # the sides that have not yet waited for the main branch's latest
        away: set[int] = set()  # the sides for which the main branch has not waited
        for launch in launches:
            if launch.joined:
                self._join(away)
            if launch.branch in behind:
                self.events[MAIN].record(self.main)
                self.streams[launch.branch].wait_event(self.events[MAIN])
                behind.remove(launch.branch)
            if launch.branch == MAIN:
                behind = set(range(1, len(self.streams)))
            else:
                away.add(launch.branch)
            with self.streams[launch.branch]:
                arguments = tuple(np.int32(a) if isinstance(a, int) else a and self.arrays[a] for a in launch.arguments)
                self.kernels[launch.kernel](launch.grid, launch.block, arguments)
        self._join(away)

    def _join(self, away: set[int]) -> None:
        """Let the main branch wait for these sides."""
        while away:
            branch = away.pop()
            self.events[branch].record(self.streams[branch])
            self.main.wait_event(self.events[branch])


def _refuse(size: int) -> Any:
    raise RuntimeError(f"graph: a captured step tried to allocate {size} bytes; all memory must be there before")
