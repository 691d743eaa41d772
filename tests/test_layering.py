"""Imports go downward only, CuPy and threads stay in their places, and `import tinycnn` is light and silent."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tinycnn

ROOT = Path(tinycnn.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))

# From the ground up: a file may import from the layers before its own, and from its own module or package.
LAYERS = [
    {"files"},  # writing them
    {
        "geometry",
        "elsewhere",
    },  # sizes and shapes of layers, in numbers alone; what to write instead of what is not here
    {"backend"},
    {"autograd", "cuda"},
    {"random", "whole"},
    {"ops"},
    {"functional"},
    {"init", "spelling", "serialization"},
    {"nn"},
    {"optim", "data"},
    {"models", "utils"},
    {"grading"},
    {"check"},
    {""},  # tinycnn/__init__.py gathers the public names; what is above may import it
    {"execution"},
    {"checkpoint", "thorough"},
    {"training", "profile", "doctor"},
    {"explain", "onnx", "d2l"},
    {"cli"},
    {"__main__"},
]
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}

THREADS = {"threading", "_thread", "multiprocessing", "concurrent", "asyncio"}
MAY_THREAD = {
    "autograd/tape.py": "no_grad is per thread",
    "random.py": "the generator's state is per thread",
    "whole.py": "which part of a batch is computed is per thread",
    "data/download.py": "a name lookup can hang for longer than any timeout; a thread can be left behind",
}


def name_of(path):
    """tinycnn/ops/conv2d.py -> "ops.conv2d"; tinycnn/__init__.py -> ""."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES}


def imports(path):
    """Every module that a file imports, as (line, absolute name): "tinycnn.ops", "numpy.typing", "cupy"."""
    package = ["tinycnn", *name_of(path).split(".")] if name_of(path) else ["tinycnn"]
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if inner.removeprefix("tinycnn.") in MODULES else origin
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def complaints(rule):
    """`rule(path, line, imported)` over all imports of the package; the ones it finds fault with, in words."""
    found = []
    for path in FILES:
        for line, imported in imports(path):
            if fault := rule(path, line, imported):
                found.append(f"{path.relative_to(ROOT.parent)}:{line} imports {imported}: {fault}")
    return "\n".join(found)


def upward(path, line, imported):
    if imported.split(".")[0] != "tinycnn":
        return None
    here, there = name_of(path), imported.removeprefix("tinycnn").removeprefix(".")
    unit, target = here.split(".")[0], there.split(".")[0]
    if unit == target:
        if unit == "ops" and path.name != "__init__.py" and not there.startswith(("ops.conv2d", "ops._")):
            return "an op may use ops.conv2d and the helpers ops._*, no other op"
        return None
    if LEVEL.get(target, len(LAYERS)) < LEVEL.get(unit, 0):
        return None
    return f"{unit or 'tinycnn/__init__.py'} lies below {target or 'tinycnn/__init__.py'}, or beside it"


def test_every_module_has_a_layer():
    missing = {name.split(".")[0] for name in MODULES} - set(LEVEL)
    assert not missing, f"add {sorted(missing)} to LAYERS in {Path(__file__).name}, at their place"


def test_imports_go_downward_only():
    assert not (found := complaints(upward)), f"\n{found}"


def test_cupy_is_imported_in_the_backend_only():
    def rule(path, line, imported):
        if imported.split(".")[0] in ("cupy", "cupyx", "cupy_backends") and not name_of(path).startswith("backend"):
            return "only tinycnn/backend may; ask it for array_module(x)"

    assert not (found := complaints(rule)), f"\n{found}"


def test_mpi_is_imported_in_one_place():
    """That is run for programs that a launcher has started, and by nobody else."""

    def rule(path, line, imported):
        where = path.relative_to(ROOT).as_posix()
        if imported.split(".")[0] == "mpi4py" and where != "execution/teams/world.py":
            return "only execution/teams/world.py may"

    assert not (found := complaints(rule)), f"\n{found}"


def test_threads_and_processes_live_in_execution():
    def rule(path, line, imported):
        where = path.relative_to(ROOT).as_posix()
        if imported.split(".")[0] in THREADS and not where.startswith("execution/") and where not in MAY_THREAD:
            return "only tinycnn/execution may run things side by side"

    assert not (found := complaints(rule)), f"\n{found}"


def test_programs_and_tests_are_imported_by_nothing():
    def rule(path, line, imported):
        if imported.split(".")[0] in ("examples", "benchmarks", "tests", "helpers", "conftest", "fakecupy"):
            return "the package stands alone"

    assert not (found := complaints(rule)), f"\n{found}"


def circles(arrows):
    """The names that can be reached from themselves, along arrows {name: names}."""
    reached = {name: set(targets) for name, targets in arrows.items()}
    for middle in reached:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    return sorted(name for name, targets in reached.items() if name in targets)


def test_no_modules_import_each_other_in_a_circle():
    """Packages are held apart by their layers; this looks into them: a module on its own, an __init__ for its names."""
    arrows = {}
    for path in FILES:
        targets = {
            imported.removeprefix("tinycnn.") for _, imported in imports(path) if imported.startswith("tinycnn.")
        }
        arrows[name_of(path)] = targets & MODULES
    assert not (found := circles(arrows)), f"these import each other in a circle: {found}"


def test_imports_are_absolute():
    found = [
        f"{path.relative_to(ROOT.parent)}:{node.lineno}: from {'.' * node.level}{node.module or ''} import ..."
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not found, "write `from tinycnn.x import y`:\n" + "\n".join(found)


def nested_imports(tree):
    """Imports inside functions; those under `if TYPE_CHECKING:` never run and do not count."""
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    yield node


def top_imports(tree):
    """Imports that run when the module is imported: outside functions and outside `if TYPE_CHECKING:`."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting += [
                child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.excepthandler))
            ]


def roots(node):
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "tinycnn"]
    return {"tinycnn" if getattr(node, "level", 0) else name.split(".")[0] for name in names}


def test_own_modules_are_imported_at_the_top_and_optional_libraries_where_they_are_used():
    found = []
    for path in FILES:
        tree, where = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT.parent)
        for node in nested_imports(tree):
            if roots(node) & {"tinycnn", "numpy"}:
                found.append(f"{where}:{node.lineno}: {ast.unparse(node)}: inside a function; move it to the top")
        for node in top_imports(tree):
            if optional := roots(node) - {"tinycnn", "numpy"} - set(sys.stdlib_module_names):
                found.append(f"{where}:{node.lineno}: {sorted(optional)}: at the top; import it where it is used")
    assert not found, "\n" + "\n".join(found)


# The rules can fail


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Write a file into a copy of the package's tree (file names only) and look at it with the rules above."""

    def plant(name, text):
        for path in FILES:
            copy = tmp_path / "tinycnn" / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
        path = tmp_path / "tinycnn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path / "tinycnn")
        monkeypatch.setattr(sys.modules[__name__], "FILES", [path])

    return plant


@pytest.mark.parametrize(
    ("name", "text", "check"),
    [
        ("autograd/tape.py", "from tinycnn.nn.module import Module", test_imports_go_downward_only),
        ("autograd/tape.py", "from tinycnn import nn", test_imports_go_downward_only),
        ("autograd/tape.py", "import tinycnn.nn", test_imports_go_downward_only),
        ("autograd/tape.py", "from .. import nn", test_imports_go_downward_only),
        ("autograd/tape.py", "def f():\n    from tinycnn.nn import Module", test_imports_go_downward_only),
        ("nn/layers.py", "from tinycnn import Tensor", test_imports_go_downward_only),
        ("__init__.py", "from tinycnn.training import train", test_imports_go_downward_only),
        ("functional.py", "from tinycnn.nn import Module", test_imports_go_downward_only),
        ("ops/relu.py", "from tinycnn.ops.sigmoid import sigmoid", test_imports_go_downward_only),
        ("ops/relu.py", "from tinycnn import ops", test_imports_go_downward_only),
        ("ops/relu.py", "from tinycnn.functional import sigmoid", test_imports_go_downward_only),
        ("models.py", "import tinycnn.models", test_no_modules_import_each_other_in_a_circle),
        ("strange.py", "import math", test_every_module_has_a_layer),
        ("ops/relu.py", "import cupy as cp", test_cupy_is_imported_in_the_backend_only),
        ("execution/graph/x.py", "from cupy.cuda import Stream", test_cupy_is_imported_in_the_backend_only),
        ("nn/x.py", "def f():\n    import cupyx.scipy", test_cupy_is_imported_in_the_backend_only),
        ("nn/x.py", "import importlib\nimportlib.import_module('cupy')", test_cupy_is_imported_in_the_backend_only),
        ("ops/relu.py", "import threading", test_threads_and_processes_live_in_execution),
        ("optim.py", "from concurrent.futures import Executor", test_threads_and_processes_live_in_execution),
        ("optim.py", "import multiprocessing as mp", test_threads_and_processes_live_in_execution),
        ("nn/x.py", "import benchmarks.tape", test_programs_and_tests_are_imported_by_nothing),
        ("nn/x.py", "from helpers import leaf", test_programs_and_tests_are_imported_by_nothing),
        ("nn/x.py", "from .module import Module", test_imports_are_absolute),
        ("nn/x.py", "def f():\n    from tinycnn.nn import y", "nested"),
        ("nn/x.py", "import matplotlib.pyplot as plt", "nested"),
        ("nn/x.py", "try:\n    import tqdm\nexcept ImportError:\n    pass", "nested"),
    ],
)
def test_rules_can_fail(name, text, check, planted, monkeypatch):
    planted(name, text)
    if check == "nested":
        check = test_own_modules_are_imported_at_the_top_and_optional_libraries_where_they_are_used
    if check is test_every_module_has_a_layer:
        monkeypatch.setattr(sys.modules[__name__], "MODULES", {name_of(path) for path in FILES})
    with pytest.raises(AssertionError, match=name.removesuffix(".py")):
        check()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nn/x.py", "from tinycnn.ops._checks import pair\nfrom tinycnn.nn import module\nimport numpy.typing"),
        ("ops/relu.py", "from tinycnn.ops import _checks\nfrom tinycnn.ops.conv2d import im2col"),
        ("backend/x.py", "def f():\n    import cupy"),
        ("execution/x.py", "import threading, multiprocessing"),
        ("nn/x.py", "def f():\n    import matplotlib.pyplot"),
        ("nn/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib"),
    ],
)
def test_rules_can_pass(name, text, planted):
    planted(name, text)
    test_imports_go_downward_only()
    test_cupy_is_imported_in_the_backend_only()
    test_threads_and_processes_live_in_execution()
    test_own_modules_are_imported_at_the_top_and_optional_libraries_where_they_are_used()


# import tinycnn, in a fresh interpreter


def run(program):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=600
    )


def test_import_is_silent_and_loads_numpy_alone():
    done = run("""
        import sys
        import numpy.random
        before = set(sys.modules)
        import tinycnn
        added = {name.split(".")[0] for name in set(sys.modules) - before} - {"numpy", *sys.stdlib_module_names}
        assert added == {"tinycnn"}, f"import tinycnn loads {sorted(added)}"
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_works_where_only_numpy_can_be_imported():
    done = run("""
        import sys

        class OnlyNumpy:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] not in {"tinycnn", "numpy", *sys.stdlib_module_names}:
                    raise ModuleNotFoundError(f"No module named {name!r}: blocked by the test", name=name)

        sys.meta_path.insert(0, OnlyNumpy())
        try:
            import pytest
        except ModuleNotFoundError:
            pass
        else:
            sys.exit("the hook blocks nothing")
        import tinycnn
        x = tinycnn.tensor([1.0, 2.0], requires_grad=True)
        (x * x).sum().backward()
        assert x.grad.numpy().tolist() == [2, 4]
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_takes_less_than_three_tenths_of_a_second_more_than_numpy():
    """The one budget in seconds that a test holds: of the processor's time, which other programs do not use up."""

    def seconds(modules):
        done = run(f"import time; t = time.process_time(); import {modules}; print(time.process_time() - t)")
        assert done.returncode == 0, done.stderr
        return float(done.stdout)

    seconds("tinycnn")  # compiles what is not compiled yet
    pairs = [(seconds("numpy"), seconds("tinycnn")) for _ in range(5)]
    extra = min(ours for _, ours in pairs) - min(theirs for theirs, _ in pairs)  # the least disturbed
    assert extra < 0.3, f"import tinycnn takes {extra:.3f} s more than import numpy"
