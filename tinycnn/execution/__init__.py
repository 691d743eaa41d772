"""execution: HOW a training step runs.  What it computes is the same for every strategy: the whole batch's gradient.

    plain       one tape for the whole batch, on CPU or GPU; the reference
    threads     micro-batches that fit in cache, on threads
    processes   the same on forked processes that see one memory; Linux
    graph       fused kernels, captured in a CUDA graph; NVIDIA GPUs

`make_step` is the one line of a program that chooses.
"""

import os
import sys

from tinycnn.execution.blas import can_limit_blas
from tinycnn.execution.graph.step import GraphStep
from tinycnn.execution.plain import PlainStep
from tinycnn.execution.processes import ProcessesStep, WorkerError
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.step import Loss, Step
from tinycnn.execution.threads import ThreadsStep
from tinycnn.nn import Module
from tinycnn.optim import SGD

__all__ = ["STRATEGIES", "GraphStep", "Step", "UnsupportedModel", "WorkerError", "cores", "make_step"]

STRATEGIES = ("auto", "plain", "threads", "processes", "graph")


def make_step(
    model: Module,
    loss: Loss,
    optimizer: SGD,
    strategy: str = "auto",
    workers: int | None = None,
    micro_batch: int | None = None,
) -> Step:
    """A Step that trains `model` by `optimizer` on batches of any size; close it, or use it in a `with` block.

    "auto" takes the fastest for the machine at hand: on a CPU "processes" where there is more than one core and
    the system can fork, else "threads"; on a GPU "graph" where the model allows it, else "plain".  `workers` is the
    number of cores unless given, and `micro_batch` the images that are computed at once.  ValueError for an unknown
    strategy or numbers below 1; UnsupportedModel, which names the layer, where graph has no kernel for it;
    RuntimeError where the strategy cannot run here, with the reason.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"make_step: strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}")
    on_gpu = optimizer.params[0].device == "gpu"
    if strategy == "auto" and on_gpu:
        return _fastest_on_gpu(model, loss, optimizer)
    strategy, reason = _fastest(workers) if strategy == "auto" else (strategy, "")
    if strategy == "plain":
        step: Step = PlainStep(model, loss, optimizer)
    elif strategy == "graph":
        step = GraphStep(model, loss, optimizer)
    else:
        kind = ThreadsStep if strategy == "threads" else ProcessesStep
        step = kind(model, loss, optimizer, cores() if workers is None else workers, micro_batch)
    step.description += reason
    return step


def _fastest_on_gpu(model: Module, loss: Loss, optimizer: SGD) -> Step:
    """Graph where it can run the model; else plain, which says what was in the way."""
    try:
        return GraphStep(model, loss, optimizer)
    except UnsupportedModel as problem:
        step = PlainStep(model, loss, optimizer)
        step.description += f", not graph: {str(problem).removeprefix('graph: ').split(';')[0]}"
        return step


def _fastest(workers: int | None) -> tuple[str, str]:
    """The strategy that "auto" stands for on a CPU, and what to add to its description."""
    if not can_limit_blas():
        return "plain", '; faster with threadpoolctl: pip install "tinycnn[train]"'
    if (workers or cores()) > 1 and sys.platform.startswith("linux"):
        return "processes", ""
    return "threads", ""


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
