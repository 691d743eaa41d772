"""execution: HOW a training step runs.  What it computes is the same for every strategy: the whole batch's gradient.

    plain       one tape for the whole batch, on CPU or GPU; the reference
    threads     parts of the batch that fit in cache, on threads
    processes   the same on forked processes that see one memory; Linux
    graph       fused kernels, captured in a CUDA graph; NVIDIA GPUs

Threads and processes compute parts with an engine: by the tape, or by stages over buffers that are made once.
`make_step` is the one line of a program that chooses.  Read in this order: step (what all of them promise), plain (the
textbook's ten lines), separable (what may be cut), parts, engines/ and teams/ (cut, computed, and where); graph/.
"""

from tinycnn.execution.choice import ENGINES, STRATEGIES, cores, make_step
from tinycnn.execution.graph.step import GraphStep
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.step import Loss, Step
from tinycnn.execution.teams.processes import WorkerError

__all__ = [
    "ENGINES",
    "STRATEGIES",
    "GraphStep",
    "Loss",
    "Step",
    "UnsupportedModel",
    "WorkerError",
    "cores",
    "make_step",
]
