"""execution: HOW a training step runs.  What it computes is the same for every strategy: the whole batch's gradient.

    plain       one tape for the whole batch, on CPU or GPU; the reference
    threads     parts of the batch that fit in cache, on threads
    processes   the same on forked processes that see one memory; Linux
    ranks       the same on processes that mpiexec has started, on one machine or many; MPI
    graph       fused kernels, captured in a CUDA graph; NVIDIA GPUs

Threads, processes and ranks compute parts with an engine: by the tape, or by stages over buffers that are made once.
`make_step` is the one line of a program that chooses; a program that can be one of several ranks says `with job():`
around all of it.  Read in this order: step (what all of them promise), plain (the textbook's ten lines), separable
(what may be cut), parts, engines/ and teams/ (cut, computed, and where), together (layers at which parts meet), job;
graph/.
"""

from tinycnn.execution.choice import ENGINES, STRATEGIES, cores, make_step
from tinycnn.execution.graph.step import GraphStep
from tinycnn.execution.inference import Inference
from tinycnn.execution.job import job
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.step import Loss, Step
from tinycnn.execution.teams.launcher import check_launch
from tinycnn.execution.teams.processes import WorkerError
from tinycnn.execution.teams.world import RankError

__all__ = [
    "ENGINES",
    "STRATEGIES",
    "GraphStep",
    "Inference",
    "Loss",
    "RankError",
    "Step",
    "UnsupportedModel",
    "WorkerError",
    "check_launch",
    "cores",
    "job",
    "make_step",
]
