"""doctor: what is installed, whether it works, and what to install for more.  One screen, and an exit status.

python -m tinycnn.doctor                   0 where all that is installed works; 1 where something does not
python -m tinycnn.doctor --device gpu      1 also where there is no GPU to train on
    --thorough                             and checks and times more on it, into a file for reports
mpiexec -n 4 python -m tinycnn.doctor      whether these four find each other; with --device gpu, so do their GPUs
"""

import argparse
import importlib.metadata
import importlib.util
import math
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

import tinycnn
from tinycnn import nn, thorough
from tinycnn.backend import cupy_problem, to_device
from tinycnn.backend.devices import CUDA12, CUDA13
from tinycnn.execution import cores, job, make_step
from tinycnn.execution.teams.launcher import launched
from tinycnn.execution.teams.world import world
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.random import manual_seed

EXTRAS = {  # what each brings, and which modules show that it is there
    "plot": ("curves and figures", ("matplotlib",)),
    "data": ("downloads with progress", ("pooch", "tqdm")),
    "io": ("checkpoints", ("safetensors",)),
    "train": ("all that the examples use", ("matplotlib", "pooch", "tqdm", "safetensors", "threadpoolctl")),
    "image": ("predictions on photos", ("PIL",)),
    "onnx": ("export for other runtimes", ("onnx",)),
    "tensorboard": ("logs for TensorBoard", ("tensorboardX",)),
    "mpi": ("training on several machines", ("mpi4py",)),
}
WIDTH = 15  # of the left column
FILE = "tinycnn-doctor.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report (`arguments` None: the program's own) and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tinycnn.doctor", description="What works here, and what is missing."
    )
    parser.add_argument(
        "--device", choices=("auto", "gpu"), default="auto", help="gpu: it is an error if there is none"
    )
    parser.add_argument("--thorough", action="store_true", help=f"with --device gpu: check and time more, into {FILE}")
    options = parser.parse_args(arguments)
    with job():  # of several ranks the first speaks
        facts = dict(report())
        for name, finding in facts.items():
            show(name, finding)
        healthy, wanted = True, options.device == "gpu"
        checks: dict[str, Callable[[], tuple[bool, str]]] = {
            "CPU": check_cpu,
            "GPU": lambda: check_gpu(wanted),
            "MPI": lambda: check_mpi(wanted),
        }
        for name, check in checks.items():
            works, finding = check()
            show(name, finding)
            healthy = healthy and works
        if options.thorough and wanted and healthy:
            healthy = thorough.report(thorough.thorough(), Path(FILE), facts, show)
            show("written", f"{FILE}, which can be attached to a report")
    return 0 if healthy else 1


def show(name: str, finding: str) -> None:
    """One line of the report."""
    print(f"{name:{WIDTH}s}{finding}", flush=True)


def report() -> Iterator[tuple[str, str]]:
    """(what, version and the like) for all there is to say before anything is tried."""
    yield "tinycnn", tinycnn.__version__
    yield "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {cores()} cores"
    yield "NumPy", f"{np.__version__}, {blas()}"
    yield "CuPy", cupy_version() or "not installed"
    yield "card", card() or "none found (no nvidia-smi)"
    for extra, (use, modules) in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        absent = f'without {", ".join(missing)}: pip install "tinycnn[{extra}]"'
        yield f"[{extra}]", f"{use}: {absent if missing else 'installed'}"


def blas() -> str:
    """The library that multiplies NumPy's matrices, as NumPy was built with it."""
    library = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"BLAS {library.get('name', 'unknown')} {library.get('version', '')}".rstrip()


def cupy_version() -> str:
    """The installed CuPy packages with their versions; there must not be two, for each overwrites the other."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if _is_cupy(d.metadata["Name"])}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _is_cupy(name: str | None) -> bool:
    return name == "cupy" or (name or "").startswith("cupy-")


def card() -> str:
    """Name, memory and driver of the NVIDIA cards, as nvidia-smi tells them; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi fails: {error}"
    lines = [line for line in (answer.stdout or answer.stderr).splitlines() if line.strip()]
    return "; ".join(lines) if answer.returncode == 0 else f"nvidia-smi fails: {(lines or ['it says nothing'])[0]}"


def check_cpu() -> tuple[bool, str]:
    """(whether a training step runs on the CPU, the same in words)."""
    try:
        loss = _second_loss("cpu", "plain")
    except Exception as error:  # a doctor must survive whatever is wrong
        return False, f"a training step fails: {type(error).__name__}: {error}"
    return math.isfinite(loss), f"a training step runs, its loss is {loss:.3f}"


def check_gpu(wanted: bool = False) -> tuple[bool, str]:
    """(whether nothing is wrong with the GPU, in words what is, and what mends it).

    A CuPy that is not installed is nothing wrong, unless the GPU is `wanted`.
    """
    packages = cupy_version()
    if not packages:
        how = f"{CUDA13} (driver 580 or newer) or {CUDA12} (driver 525 or newer)"
        return not wanted, f"not used, for CuPy is not installed; where there is an NVIDIA card: {how}"
    if "," in packages:
        return False, f"several CuPy packages overwrite each other ({packages}); uninstall them all, then {CUDA13}"
    if problem := cupy_problem():
        return False, problem.removeprefix("GPU: ")
    start = time.perf_counter()
    try:
        losses = {strategy: _second_loss("gpu", strategy) for strategy in ("plain", "graph")}
    except Exception as error:
        return False, f"a training step fails: {type(error).__name__}: {error}"
    expected, seconds = _second_loss("cpu", "plain"), time.perf_counter() - start
    if any(not math.isclose(loss, expected, rel_tol=1e-3) for loss in losses.values()):
        return False, f"a training step has losses {losses}, but {expected} on the CPU; this is a bug, please report it"
    return True, f"a training step runs, eager and as fused kernels, and agrees with the CPU ({seconds:.1f} s)"


def check_mpi(on_gpus: bool = False) -> tuple[bool, str]:
    """(whether nothing is wrong with MPI, in words which one it is, what ranks there are, or what is in the way).

    Of several ranks, also how their GPUs talk, where it is `on_gpus` that they are to train and there are some.
    """
    if importlib.util.find_spec("mpi4py") is None:
        return True, 'not used, for mpi4py is not installed; for several machines: pip install "tinycnn[mpi]" mpich'
    launch = launched()
    if launch is None:  # a process of its own: MPI that cannot start may end the one that starts it
        command = [sys.executable, "-c", "from tinycnn.execution.teams.world import world; print(world().library())"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            return False, "MPI does not start within a minute"
        said = (answer.stdout if answer.returncode == 0 else answer.stderr).strip().splitlines() or ["it says nothing"]
        if answer.returncode:
            return False, f"MPI does not start: {said[-1]}"
        return True, f"{said[0]} starts; `mpiexec -n 4 tinycnn doctor` shows whether ranks find each other"
    try:
        alone = _second_loss("cpu", "plain")
        together, how = _second_step("gpu" if on_gpus and not cupy_problem() else "cpu", "ranks")
    except Exception as error:
        return False, f"a training step {launch.many} fails: {type(error).__name__}: {error}"
    agrees = math.isclose(alone, together, rel_tol=1e-3)
    who = f"{world().places()}, {world().library()}{''.join(how.partition(', GPUs ')[1:])}"
    return agrees, f"{who}: a training step of theirs has loss {together:.3f}" + (
        "" if agrees else f", but {alone:.3f} in one process; this is a bug, please report it"
    )


def _second_loss(device: str, strategy: str) -> float:
    """The loss of a small LeNet in its second training step on noise."""
    return _second_step(device, strategy)[0]


def _second_step(device: str, strategy: str) -> tuple[float, str]:
    """That loss, and how the step runs."""
    manual_seed(0)
    rng, model = np.random.default_rng(0), LeNet(channels=(2, 4), hidden=(16,))
    images, labels = rng.integers(0, 256, (8, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, 8)
    x, y = to_device(images, device), to_device(labels, device)
    model.to(device)
    micro_batch = 1 if strategy == "ranks" else None  # so that eight of them have something to do
    optimizer = SGD(model.parameters(), 0.1)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, micro_batch=micro_batch) as step:
        step(x, y)
        return float(step(x, y)[0]) / len(y), step.description


if __name__ == "__main__":
    sys.exit(main())
