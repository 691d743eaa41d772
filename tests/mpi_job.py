"""Programs on MPI ranks, for tests: the launcher that belongs to mpi4py, a time limit, and nothing left running."""

import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "tests" / "rank_program.py"


@functools.cache
def launcher():
    """(mpiexec and its options, "") or ([], why there is none)."""
    for module, extra in (("mpi4py", "mpi"), ("threadpoolctl", "train")):
        if importlib.util.find_spec(module) is None:
            return [], f'{module} is not installed: pip install ".[{extra}]"'
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if mpiexec is None:
        return [], "there is no mpiexec: pip install mpich"
    return [mpiexec, *(["--oversubscribe"] if "Open MPI" in version(mpiexec) else [])], ""


def version(mpiexec=""):
    """What mpiexec says of itself."""
    command = [mpiexec or launcher()[0][0], "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


def needs_mpi():
    """A mark for tests that launch jobs."""
    return pytest.mark.skipif(bool(launcher()[1]), reason=launcher()[1] or "MPI works")


def start(ranks, *program, **environment):
    """A job of so many ranks of `python *program`, in a process group of its own."""
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    command = [*launcher()[0], "-n", str(ranks), sys.executable, *map(str, program)]
    env = {**os.environ, **root, **one_thread, "PYTHONPATH": path, **environment}
    out, new = subprocess.PIPE, {"start_new_session": True, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, env=env, stdout=out, stderr=out, text=True, errors="replace", **new)


def ended(job, timeout=90):
    """(exit status, output, errors, seconds) of a job; TimeoutExpired, and the job killed, where it takes longer."""
    began = time.monotonic()
    try:
        out, errors = job.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        job.communicate()
        raise
    return job.returncode, out, errors, time.monotonic() - began


def run(ranks, *program, **environment):
    """What becomes of a job."""
    return ended(start(ranks, *program, **environment))
