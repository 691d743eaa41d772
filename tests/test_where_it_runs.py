"""Odd places to run in: no docstrings and asserts, a zip archive, one core, pools, Ctrl-C while starting."""

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

import tinycnn

PACKAGE = Path(tinycnn.__file__).parent
PROGRAM = """
    import numpy as np
    from concurrent.futures import ProcessPoolExecutor
    import tinycnn
    from tinycnn import nn, optim
    from tinycnn.execution import make_step

    def trained(_=None):
        model = tinycnn.models.LeNet()
        images, labels = np.zeros((256, 1, 28, 28), np.uint8), np.arange(256) % 10
        with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)) as step:
            loss, _ = step(images, labels)
            return f"{loss / 256:.1f} on {step.description}"

    if __name__ == "__main__":
"""
STEP = "print(trained())"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes, and cores to keep to, are Linux's")


def python(folder, line, *options, path=PACKAGE.parent):
    """What a program prints that defines `trained` and then runs a line."""
    file = folder / "program.py"
    file.write_text(textwrap.dedent(PROGRAM) + f"        {line}\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(path)}
    environment.pop("OMP_NUM_THREADS", None)
    command = [sys.executable, *options, str(file)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_docstrings_and_asserts(tmp_path):
    assert " on " in python(tmp_path, STEP, "-OO")


def test_from_a_zip_archive_nets_are_trained_and_the_lesson_is_refused(tmp_path):
    archive = tmp_path / "tinycnn.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in PACKAGE.rglob("*.py"):
            file.write(path, path.relative_to(PACKAGE.parent))
    assert " on " in python(tmp_path, STEP, path=archive)
    line = "from tinycnn.cli import main; raise SystemExit(0 if main(['explain', '--out', 'x.html']) == 1 else 9)"
    environment = {**os.environ, "PYTHONPATH": str(archive)}
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "unpack it, or install it with pip" in done.stderr


@LINUX
def test_one_core_gets_one_worker(tmp_path):
    line = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {STEP}"
    assert "on 1 thread" in python(tmp_path, line)


@LINUX
def test_in_the_workers_of_a_pool(tmp_path):
    said = python(tmp_path, "print(*ProcessPoolExecutor(2).map(trained, range(2)), sep='\\n')").splitlines()
    assert len(said) == 2 and said[0] == said[1]


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_while_numpy_is_imported_is_quiet(tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGE.parent}"}
    done = subprocess.run(
        [sys.executable, "-m", "tinycnn"], cwd=tmp_path, env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGINT and done.stderr == b""
