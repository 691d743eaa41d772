"""The wheel holds all that the package needs, and works in an environment that has NumPy and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tinycnn"
LESSONS = ROOT / "examples" / "lessons"

pytestmark = pytest.mark.slow

# what holds the page's scripts to their rules is no part of the program
LINTER = {f"tinycnn/explain/static/{name}" for name in ("package.json", "eslint.config.mjs")}


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files_of(folder):
    """All files of the package, but for what Python leaves behind when it runs."""
    paths = (path.relative_to(folder.parent) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the sources, as a download of them would be: building leaves folders behind."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(PACKAGE, folder / "tinycnn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(LESSONS, folder / "examples" / "lessons", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", folder, source)
    (path,) = folder.glob("tinycnn-*.whl")
    return path


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = archive.read(about).decode("utf-8")
        scripts = archive.read(about.replace("METADATA", "entry_points.txt")).decode("utf-8")
    shared = {name for name in names if ".data/data/" in name}
    assert {name.partition("/share/tinycnn/lessons/")[2] for name in shared} == {
        path.name for path in LESSONS.iterdir() if path.is_file()
    }
    assert names - shared == files_of(PACKAGE) - LINTER
    kernels = "tinycnn/execution/graph/kernels"
    assert {"tinycnn/py.typed", f"{kernels}/common.cuh", "tinycnn/explain/static/page.html"} <= names
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    assert required == ["Requires-Dist: numpy>=2.0"]
    assert "tinycnn = tinycnn.__main__:main" in scripts


JOB = """
import sys
import numpy as np
import tinycnn
from tinycnn.data import Batches, Silhouettes
from tinycnn.execution import make_step
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.training import train

data = Silhouettes(train=True, size=500)
net = LeNet(activation="relu")
batches = Batches(data.images, data.labels, 50)
with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=0.1), "plain") as step:
    run = train(step, batches, batches, epochs=1)
assert 0 < run.result.test_loss < 2.4, run.result
print(tinycnn.__file__)
"""


def test_the_wheel_works_where_there_is_numpy_alone(wheel, tmp_path):
    """NumPy is linked into the new environment from this one, so that nothing needs to be downloaded."""
    import numpy

    venv.create(tmp_path / "empty", with_pip=False)
    scripts = tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    installed = Path(numpy.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):  # the second is where wheels keep BLAS
        if (installed / name).exists():
            shutil.copytree(installed / name, packages / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    where = ["--target", packages, "--no-deps", "--no-index", "-q"]
    run(sys.executable, "-m", "pip", "install", *where, wheel)

    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    options = {"cwd": tmp_path, "env": {**clean, "PYTHONUTF8": "1"}}
    place = run(python, "-I", "-c", "import sys; print(sys.path)", **options)
    assert str(ROOT) not in place and str(installed) not in place
    assert Path(run(python, "-I", "-W", "error", "-c", JOB, **options).strip()).is_relative_to(packages)
    assert "61,706" in run(python, "-I", "-m", "tinycnn", "summary", **options)
    assert "wrote" in run(python, "-I", "-m", "tinycnn", "explain", "--out", "lesson.html", **options)
    assert "notebooks (10)" in run(python, "-I", "-m", "tinycnn", "lessons", **options)


def test_a_source_archive_builds_the_same_wheel(source, wheel, tmp_path):
    pytest.importorskip("build")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", tmp_path / "dist", source)  # sdist, then wheel from it
    (again,) = (tmp_path / "dist").glob("*.whl")
    assert list((tmp_path / "dist").glob("tinycnn-*.tar.gz"))
    contents = [
        sorted((file.filename, file.CRC) for file in zipfile.ZipFile(path).infolist()) for path in (again, wheel)
    ]
    assert contents[0] == contents[1]


def test_the_api_page_builds_without_a_warning(tmp_path):
    pytest.importorskip("pdoc")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    modules = re.search(r"-m pdoc (.*?) -o", script, re.DOTALL)[1].replace("\\\n", "").split()
    run(sys.executable, "-W", "error", "-m", "pdoc", *modules, "-o", tmp_path / "api", cwd=ROOT)
    first = (tmp_path / "api" / "tinycnn.html").read_text(encoding="utf-8")
    for name in ("autograd/tensor", "checkpoint", "onnx"):
        assert (tmp_path / "api" / "tinycnn" / f"{name}.html").exists()
    assert 'href="#Tensor"' in first  # names in backticks become links
