"""choice: which strategy a step gets, and how many workers."""

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path

from tinycnn.execution.blas import can_limit_blas
from tinycnn.execution.engines.engine import Engine
from tinycnn.execution.engines.stages import StagesEngine, check_stages
from tinycnn.execution.engines.tape import TapeEngine
from tinycnn.execution.graph.step import GraphStep
from tinycnn.execution.plain import PlainStep
from tinycnn.execution.separable import Snapshot, meets, why_not_separable
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.step import Loss, Step
from tinycnn.execution.teams.processes import ProcessesStep, why_no_workers
from tinycnn.execution.teams.ranks import RanksStep
from tinycnn.execution.teams.threads import ThreadsStep
from tinycnn.nn import Module
from tinycnn.optim import Optimizer

STRATEGIES = ("auto", "plain", "threads", "processes", "ranks", "graph")
ENGINES: dict[str, Callable[..., Engine]] = {"tape": TapeEngine, "stages": StagesEngine}
TEAMS: dict[str, Callable[..., Step]] = {"threads": ThreadsStep, "processes": ProcessesStep, "ranks": RanksStep}

WAITING = ("ipykernel", "IPython", "zmq", "tornado", "tqdm", "debugpy")  # whose threads wait, and never multiply


def make_step(
    model: Module,
    loss: Loss,
    optimizer: Optimizer,
    strategy: str = "auto",
    workers: int | None = None,
    micro_batch: int | None = None,
    engine: str = "auto",
) -> Step:
    """A Step that trains `model` by `optimizer` on batches of any size; close it, or use it in a `with` block.

    "auto" takes the fastest that is known to be right.  On a CPU that is "processes", or "threads" where processes
    cannot be forked, if the examples of a batch stay apart in every layer and the loss is the engine's; else "plain".
    With batch normalisation the parts of a batch wait for each other: there "auto" takes them only if by stages.
    On a GPU it is "graph" where that knows the layers, else "plain".  The step's description says which, and why.
    `workers` is the number of cores unless given, and `micro_batch` the images in a part; where "auto" takes plain or
    graph, there are none.  "ranks" is for programs that mpiexec or srun has started several times, and takes its number
    of workers from there.

    `engine` is what threads, processes and ranks compute parts with: "stages" (see engines/stages) or "tape"; "auto"
    takes stages where they can read the model and the loss is the engine's.  They differ by rounding alone.  ValueError
    for an unknown strategy or engine, for numbers below 1, and for any with "plain" or "graph", which compute a batch
    in one piece; UnsupportedModel, which names the layer, where graph or stages cannot compute it; RuntimeError where
    the strategy cannot run here, with the reason.  TypeError or ValueError for an optimizer that moves nothing of the
    model.
    """
    _check_optimizer(model, optimizer)
    on_gpu = optimizer.params[0].device == "gpu"
    if on_gpu and engine == "stages":
        raise UnsupportedModel('stages: they compute on the CPU, and the parameters are on the GPU; use engine="tape"')
    _check_settings(strategy, workers, micro_batch, engine)
    if strategy == "auto" and on_gpu:
        return _fastest_on_gpu(model, loss, optimizer)
    strategy, reason = _fastest(model, loss, workers) if strategy == "auto" else (strategy, "")
    if engine == "stages" and strategy not in TEAMS:
        raise UnsupportedModel(f"stages: threads, processes and ranks compute by them, and this is {strategy}{reason}")
    if strategy == "plain":
        step: Step = PlainStep(model, loss, optimizer)
    elif strategy == "graph":
        step = GraphStep(model, loss, optimizer)
    else:
        made, doubt = _engine(model, loss, "tape" if on_gpu and engine == "auto" else engine)
        reason += doubt
        if workers is None and strategy != "ranks":
            workers = cores()
        step = TEAMS[strategy](model, loss, optimizer, workers, micro_batch, made)
    step.description += reason
    return step


def _check_settings(strategy: str, workers: int | None, micro_batch: int | None, engine: str) -> None:
    """Strategy and engine are known, numbers are at least 1, and only given to what works in parts."""
    if engine not in ("auto", *ENGINES):
        raise ValueError(f"make_step: engine must be one of auto, {', '.join(ENGINES)}, got {engine!r}")
    if strategy not in STRATEGIES:
        raise ValueError(f"make_step: strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}")
    if any(number is not None and number < 1 for number in (workers, micro_batch)):
        raise ValueError(f"make_step: got micro_batch {micro_batch}, workers {workers}; expected 1 or more")
    if strategy in ("plain", "graph") and (workers, micro_batch) != (None, None):
        raise ValueError(
            f"make_step: got micro_batch {micro_batch}, workers {workers}, but {strategy} computes the batch in one "
            'piece; leave them out, or use strategy "threads" or "processes"'
        )


def _check_optimizer(model: Module, optimizer: Optimizer) -> None:
    """It has to move something of the model; one that was made for an earlier net would train nothing, silently."""
    if not (params := getattr(optimizer, "params", None)):
        raise TypeError(
            f"make_step: {type(optimizer).__name__} has no params, expected an Optimizer or something with a list "
            "params of tensors, zero_grad() and step()"
        )
    own = {id(p) for p in model.parameters()}
    if own and not own & {id(p) for p in params}:
        raise ValueError(
            f"make_step: none of the {len(params)} tensors that {type(optimizer).__name__} moves is a parameter of the "
            f"{type(model).__name__}; make the optimizer anew for this model: {type(optimizer).__name__}"
            "(model.parameters(), ...)"
        )


def _engine(model: Module, loss: Loss, engine: str) -> tuple[Callable[..., Engine], str]:
    """What computes the parts, and, where "auto" could not take stages, what to add to the description."""
    if engine == "tape":
        return TapeEngine, ""
    try:
        check_stages(model, loss)
    except UnsupportedModel as problem:
        if engine == "stages":
            raise
        return TapeEngine, f", not stages: {str(problem).removeprefix('stages: ').split(';')[0]}"
    return StagesEngine, ""


def _fastest_on_gpu(model: Module, loss: Loss, optimizer: Optimizer) -> Step:
    """Graph where it can run the model; else plain, which says what was in the way."""
    try:
        return GraphStep(model, loss, optimizer)
    except UnsupportedModel as problem:
        step = PlainStep(model, loss, optimizer)
        step.description += f", not graph: {str(problem).removeprefix('graph: ').split(';')[0]}"
        return step


def _fastest(model: Module, loss: Loss, workers: int | None) -> tuple[str, str]:
    """The strategy that "auto" stands for on a CPU, and what to add to its description."""
    if doubt := why_not_separable(model, loss):
        return "plain", f", not in parts: {doubt}"
    if (layer := meets(model)) and _engine(model, loss, "auto")[0] is TapeEngine:
        return "plain", f", not in parts on tapes, which would be no faster: they would meet at every {layer}"
    if not can_limit_blas():
        return "plain", '; faster with threadpoolctl: pip install "tinycnn[train]"'
    if (workers or cores()) == 1:
        return "threads", ""
    if reason := why_no_workers() or _why_no_fork() or next(Snapshot(model, loss).unseen(), ""):
        return "threads", f", not processes: {reason}"
    return "processes", ""


def _why_no_fork() -> str:
    """Empty where no other thread of this process can be in the middle of something that a fork would break off."""
    for thread in threading.enumerate():
        does = getattr(getattr(thread, "_target", None), "__module__", None) or type(thread).__module__
        if thread is not threading.current_thread() and not str(does).startswith(WAITING):
            return f"another thread ({thread.name}) is running, whose locks a forked process would inherit"
    return ""


def cores() -> int:
    """The processor cores that this process may use: by affinity, OMP_NUM_THREADS, and the control group's quota."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    limits = [found, _quota(), int(asked) if asked.isdigit() and int(asked) else found]
    return max(1, min(limits))


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores' worth of time that Linux's control group grants, rounded up; very many where there is no limit."""
    try:
        time, period = (root / "cpu.max").read_text(encoding="ascii").split()
        return 1 << 30 if time == "max" else math.ceil(int(time) / int(period))
    except (OSError, ValueError):
        return 1 << 30
