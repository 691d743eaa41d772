"""What every file of the project promises, read from the files themselves."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import tinycnn
from tinycnn import functional, ops

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
PACKAGE = REPOSITORY / "tinycnn"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = sorted([*REPOSITORY.glob("examples/**/*.py"), *REPOSITORY.glob("benchmarks/**/*.py")])
TEST_FILES = sorted(TESTS.rglob("*.py"))
OPS = sorted(path.stem for path in (PACKAGE / "ops").glob("*.py") if not path.stem.startswith("_"))

LONGEST_FUNCTION = 40  # lines of code, the docstring not counted
LONGER_FUNCTIONS: dict[str, str] = {}  # "tinycnn/x.py:function": why it stays in one piece
LONGEST_FILE = 300
LONGER_FILES = {
    "tinycnn/autograd/tensor.py": "Tensor is one class, one text; what its methods share is in arguments.py",
}

WITHOUT_A_MODULE = {  # tests that look at the project as a whole: what they look at
    "test_conventions.py": "all files",
    "test_layering.py": "all imports",
    "test_package.py": "the wheel",
    "test_readme.py": "the README",
    "test_where_it_runs.py": "archives, options, cores and pools that a program may run in",
    "test_device_clean.py": "a whole training step on a strict stand-in for CuPy",
    "test_fakecupy.py": "that stand-in",
    "emulator/test_planted_faults.py": "the graph with faults put in on purpose",
    "test_parity.py": "training side by side with PyTorch",
    "execution/test_strategies.py": "every way to run a step against the plain one",
    "ops/test_no_examples.py": "every operation, on a batch of no examples",
    "ops/test_elementwise.py": "operations on each number by itself, and what they have in common",
    "ops/test_fuzz.py": "operations against their definitions in loops, at random",
    "ops/test_half_precision.py": "every operation that adds up, in float16",
}


def relative(path):
    return path.relative_to(REPOSITORY).as_posix()


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def report(found):
    return "\n" + "\n".join(found)


# Operations


@pytest.mark.parametrize("name", OPS)
def test_an_op_has_its_test_and_gives_the_function_it_is_named_after(name):
    module = importlib.import_module(f"tinycnn.ops.{name}")
    assert (TESTS / "ops" / f"test_{name}.py").exists(), f"write tests/ops/test_{name}.py"
    assert name in module.__all__, f"ops/{name}.py: __all__ is {module.__all__}, expected {name!r} in it"
    for public in module.__all__:
        assert ops.PUBLIC[public] is getattr(functional, public) is getattr(module, public)


def test_functional_tells_type_checkers_what_is_there():
    told = {
        alias.asname
        for node in ast.walk(tree_of(PACKAGE / "functional.py"))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for alias in statement.names
    }
    assert told == set(ops.PUBLIC), "functional.py: list the names of ops.PUBLIC under `if TYPE_CHECKING:`"
    assert functional.__all__ == sorted(ops.PUBLIC)


@pytest.mark.parametrize("name", OPS)
def test_an_op_begins_with_its_name_and_formula(name):
    text = ast.get_docstring(tree_of(PACKAGE / "ops" / f"{name}.py")) or ""
    assert text.startswith(f"{name}: "), f'ops/{name}.py: open with """{name}: what it is, then the formula'


# Docstrings


def public_modules():
    names = ["functional", "nn", "init", "optim", "models", "data", "training", "execution", "explain", "onnx"]
    found = {module.name for module in pkgutil.iter_modules(tinycnn.__path__)}
    return ["tinycnn", *(f"tinycnn.{name}" for name in names if name in found)]


def public_names(module):
    """What a module offers: its `__all__`, or else its classes and functions without an underscore."""
    for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
        thing = getattr(module, name)
        if (inspect.isclass(thing) or inspect.isroutine(thing)) and thing.__module__.startswith("tinycnn"):
            yield name, thing


@pytest.mark.parametrize("name", public_modules())
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    found = [f"{name}.{public}" for public, thing in public_names(module) if not (thing.__doc__ or "").strip()]
    assert not found, "without a docstring:" + report(found)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_module_says_what_it_is(path):
    text = ast.get_docstring(tree_of(path)) or ""
    assert len(text.splitlines()[0] if text else "") > 20, f"{relative(path)}: open with a line that says what is in it"


SHAPE = re.compile(r"\((\w+, |\.\.\.|[A-Z]\w*,?\))|shape|axis|axes|elements|one number")


def takes_tensors(function):
    if not inspect.isroutine(function):
        return False
    annotations = [str(p.annotation) for p in inspect.signature(function).parameters.values()]
    return any("Tensor" in a and "Callable" not in a for a in annotations)


@pytest.mark.parametrize("name", public_modules())
def test_functions_of_tensors_speak_of_shapes(name):
    functions = [(public, f) for public, f in public_names(importlib.import_module(name)) if takes_tensors(f)]
    found = [f"{name}.{public}: {f.__doc__}" for public, f in functions if not SHAPE.search(f.__doc__ or "")]
    assert not found, "without a shape such as (N, C, H, W):" + report(found)
    assert functions or name not in ("tinycnn", "tinycnn.functional"), "the rule finds nothing to look at"


# Tests


def mirrored(path):
    """tests/ops/test_conv2d.py -> True if there is a tinycnn/ops/conv2d.py, or a folder of that name.

    So is test_conv2d_on_gpu.py, for a module whose tests fill more than one file.  Of a tool for tests the sources are
    in folders beside its tests: emulator/test_memory.py is of emulator/device/memory.cpp.
    """
    folder, words = path.relative_to(TESTS).parent, path.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:n]) for n in range(1, len(words) + 1)]
    places = [root / folder / name for root in (PACKAGE, REPOSITORY) for name in names]  # tests/examples has examples/
    if any(place.with_name(f"{place.name}.py").exists() or place.is_dir() for place in places):
        return True
    return any(file.stem in names for file in path.parent.glob("*/*") if file.parent.name != "__pycache__")


def test_tests_mirror_the_sources():
    found = [
        relative(path)
        for path in TEST_FILES
        if path.stem.startswith("test_")
        and path.relative_to(TESTS).as_posix() not in WITHOUT_A_MODULE
        and not mirrored(path)
    ]
    assert not found, "these test no module of that name; rename them, or say in WITHOUT_A_MODULE why:" + report(found)


def test_the_exceptions_exist():
    """A list of exceptions that nobody needs any more hides the next one."""
    assert all((TESTS / name).exists() for name in WITHOUT_A_MODULE)
    assert all(
        len((REPOSITORY / name).read_text(encoding="utf-8").splitlines()) > LONGEST_FILE for name in LONGER_FILES
    )
    assert set(LONGER_FUNCTIONS) <= set(long_functions())


# Sizes


def code_lines(function):
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    docstring = first.end_lineno - first.lineno + 1 if text else 0
    return function.end_lineno - function.lineno + 1 - docstring


def long_functions():
    return {
        f"{relative(path)}:{node.name}": code_lines(node)
        for path in [*SOURCES, *PROGRAMS]
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and code_lines(node) > LONGEST_FUNCTION
    }


def test_functions_are_short():
    found = [f"{name}: {n} lines" for name, n in long_functions().items() if name not in LONGER_FUNCTIONS]
    assert not found, f"more than {LONGEST_FUNCTION} lines; two jobs are two functions:" + report(found)


def test_files_are_short():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    found = [f"{name}: {n} lines" for name, n in lengths.items() if n > LONGEST_FILE and name not in LONGER_FILES]
    assert not found, f"more than {LONGEST_FILE} lines; two jobs are two files:" + report(found)


# Words

UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")
EXCUSE = re.compile(r"#\s*type:\s*ignore(\[[\w, -]+\])?(?P<reason>\s*#\s*\w.*)?")


@pytest.mark.parametrize("path", [*SOURCES, *PROGRAMS, *TEST_FILES], ids=relative)
def test_nothing_is_left_unfinished_or_excused_without_a_reason(path):
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if UNFINISHED.search(line):
            found.append(f"{relative(path)}:{number}: {line.strip()}: finish it, or leave it out")
        if path != Path(__file__) and (excuse := EXCUSE.search(line)) and not excuse["reason"]:
            found.append(f"{relative(path)}:{number}: {line.strip()}: say why, in a comment after it")
    assert not found, report(found)


# The rules can fail


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x = 1  # " + "TO" + "DO: finish", True),
        ("x = 1  # " + "X" * 3, True),
        ("x = TO" + "DOS", False),
        ("y = f(x)  # type: " + "ignore", True),
        ("y = f(x)  # type: " + "ignore[arg-type]", True),
        ("y = f(x)  # type: " + "ignore[arg-type, misc]  # x is a number here", False),
    ],
)
def test_the_rule_of_words_can_fail(line, fault, tmp_path, monkeypatch):
    path = tmp_path / "x.py"
    path.write_text(line, encoding="utf-8")
    monkeypatch.setitem(globals(), "REPOSITORY", tmp_path)
    if fault:
        with pytest.raises(AssertionError, match=r"x\.py:1: "):
            test_nothing_is_left_unfinished_or_excused_without_a_reason(path)
    else:
        test_nothing_is_left_unfinished_or_excused_without_a_reason(path)


def test_the_rules_of_size_can_fail(tmp_path, monkeypatch):
    path = tmp_path / "x.py"
    body = "    y = 1\n"
    monkeypatch.setitem(globals(), "REPOSITORY", tmp_path)
    monkeypatch.setitem(globals(), "SOURCES", [path])
    monkeypatch.setitem(globals(), "PROGRAMS", [])
    path.write_text(f'def f():\n    """{"a" * 9}\n\n    b\n    """\n' + body * (LONGEST_FUNCTION - 1), encoding="utf-8")
    test_functions_are_short()
    path.write_text("def f():\n" + body * LONGEST_FUNCTION, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"x\.py:f: 41 lines"):
        test_functions_are_short()
    test_files_are_short()
    path.write_text("x = 1\n" * 301, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"x\.py: 301 lines"):
        test_files_are_short()


def test_the_rule_of_shapes_can_fail():
    for text in ("The mean of x (N, C).", "Of x (...)", "x of any shape", "logits (N,)", "Sums an axis."):
        assert SHAPE.search(text), text
    for text in ("The softmax of x.", "A function (see above).", "Applies f(x) to it."):
        assert not SHAPE.search(text), text
