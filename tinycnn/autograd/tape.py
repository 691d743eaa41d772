"""tape: what happened in the forward pass, and how backward plays it in reverse.

Each differentiable operation leaves one Node: which op ran, what it saved (ctx), and where its inputs came from.
The nodes form a graph that points from results back to their inputs; `run_backward` visits it so that a node
runs only when every use of its output has reported its share of the gradient.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from tinycnn.backend import Array, owner

Backward = Callable[..., "Array | None | tuple[Array | None, ...]"]


class Leaf(Protocol):
    """A tensor that no operation made: a parameter or an input.  Gradients end here."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> "np.dtype[Any]": ...


class Context(SimpleNamespace):
    """What forward keeps for backward, by name: `ctx.save(cols=cols)`, later `ctx.cols`.

    `ctx.needs[i]` tells whether input i wants a gradient, so that backward can skip the others.
    """

    def __init__(self, needs: Sequence[bool] = ()) -> None:
        self.needs = needs

    def save(self, **values: Any) -> None:
        self.__dict__.update(values)


class Node:
    """One recorded operation: its backward, what it saved, where its inputs came from, what its output looks like."""

    def __init__(
        self,
        name: str,
        backward: Backward,
        ctx: Context,
        sources: Sequence["Node | Leaf | None"],  # None: an input that needs no gradient
        output: Array,
    ) -> None:
        self.name, self.backward, self.ctx, self.sources = name, backward, ctx, sources
        self.shape, self.dtype = output.shape, output.dtype  # those of the output, and so of its gradient
        self.generation = 1  # one more than any input's: higher than the generation of all nodes it depends on
        for source in sources:
            if isinstance(source, Node) and source.generation >= self.generation:
                self.generation = source.generation + 1
        self.born = _writes[0]
        self.watchers: dict[str, Callable[[Array], None]] = {}  # told the gradient of the output; by purpose
        self.released = False

    def release(self) -> None:
        """Forget everything saved, so that its memory is free as soon as backward has passed."""
        self.ctx, self.sources, self.watchers, self.released = Context(), (), {}, True

    def __repr__(self) -> str:
        return f"<{self.name}>"


_writes = [0]  # how often an operator has written into an array in place
_written: dict[int, int] = {}  # the owner of such memory -> the number of the last write into it


def written_to(x: Array) -> None:
    """An operator has changed x in place: nodes that keep it for their backward no longer can run."""
    _writes[0] += 1
    _written[owner(x)] = _writes[0]


def _check_kept(node: Node) -> None:
    """RuntimeError where something that the node saved has been changed in place since."""
    for name, value in vars(node.ctx).items():
        if any(_written.get(owner(x), 0) > node.born for x in (value if isinstance(value, tuple) else (value,))):
            raise RuntimeError(
                f"backward: what {node.name} keeps for its backward ({name}) has been changed in place since the "
                "forward; change a .clone(), or call backward first"
            )


def run_backward(
    root: Node, gradient: Array, deposit: Callable[[Leaf, Array], None], retain_graph: bool = False
) -> None:
    """Send `gradient`, of the shape of root's output, back through the graph; `deposit` receives each leaf's share.

    Nodes run in order of falling generation.  Every user of a node's output has a higher generation than the
    node itself, so when a node's turn comes all of them have added their share: sums over reuse (diamonds) are
    complete, and nothing recurses however long the chain.  A leaf that is used k times receives k deposits.
    """
    waiting = {root: gradient}  # the gradient gathered so far, per node that has still to run
    ticket = itertools.count()  # breaks ties between equal generations, always in the same way
    queue = [(-root.generation, next(ticket), root)]
    while queue:
        node = heapq.heappop(queue)[2]
        for source, dx in zip(node.sources, _input_gradients(node, waiting.pop(node)), strict=True):
            if source is None or dx is None:
                continue
            if getattr(dx, "shape", None) != source.shape or dx.dtype != source.dtype:
                raise _misfit(node, source, dx)
            if not isinstance(source, Node):
                deposit(source, dx)
            elif source in waiting:
                waiting[source] = waiting[source] + dx  # not in place: dx may be shared with another input
            else:
                waiting[source] = dx
                heapq.heappush(queue, (-source.generation, next(ticket), source))
        if not retain_graph:
            node.release()


def _input_gradients(node: Node, dy: Array) -> tuple[Array | None, ...]:
    """Run one node's backward on the gradient of its output: one gradient per input."""
    if node.released:
        raise RuntimeError(
            f"backward: {node.name} has been passed by an earlier backward and its saved arrays are freed; "
            "call the first backward with retain_graph=True, or run the forward again"
        )
    if _written:
        _check_kept(node)
    for watcher in node.watchers.values():
        watcher(dy)
    if isinstance(dy, np.ndarray):  # other inputs may hold the same memory; CuPy has nothing like it
        dy = dy.view()
        dy.flags.writeable = False
    try:
        answer = node.backward(node.ctx, dy)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError(
            f"{node.name}: backward writes into dy, which is other inputs' gradient as well; work on dy.copy()"
        ) from error
    gradients = answer if isinstance(answer, tuple) else (answer,)
    if len(gradients) != len(node.sources):
        raise RuntimeError(f"{node.name}: backward returned {len(gradients)} gradients for {len(node.sources)} inputs")
    return gradients


def _misfit(node: Node, source: Node | Leaf, dx: Array) -> RuntimeError:
    """A gradient must look like what it is the gradient of; this one does not, and the op is to blame."""
    place = next(i for i, s in enumerate(node.sources) if s is source)  # not index(): tensors compare by their numbers
    found = f"shape {dx.shape} and dtype {dx.dtype}" if hasattr(dx, "dtype") else f"type {type(dx).__name__}"
    return RuntimeError(
        f"{node.name}: backward returned a gradient of {found} for input {place} "
        f"of shape {source.shape} and dtype {source.dtype}"
    )


class _Mode(threading.local):
    pauses = 0  # how many no_grad blocks this thread is inside


_mode = _Mode()  # per thread: a worker that evaluates does not stop another from training


def is_grad_enabled() -> bool:
    """Whether operations of this thread are being recorded."""
    return _mode.pauses == 0


class no_grad(ContextDecorator):
    """Within `with no_grad():`, or a function decorated with `@no_grad()`, nothing is recorded in this thread."""

    def __enter__(self) -> None:
        _mode.pauses += 1

    def __exit__(self, *exc: object) -> None:
        _mode.pauses -= 1
