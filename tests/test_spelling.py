"""torch's names: every row of the table is run, and where PyTorch is installed it must say the same."""

import builtins
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
import tinycnn.utils.data
from tinycnn import nn, spelling
from tinycnn.elsewhere import INSTEAD

TABLE = (Path(__file__).parents[1] / "examples" / "torch_spelling.md").read_text(encoding="utf-8")


def rows(heading):
    """The rows of the table below a heading, as lists of cells without their backticks."""
    lines = TABLE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [[cell.removeprefix("`").removesuffix("`") for cell in row] for row in cells[:] if row][2:]


def evaluated(code, torch, package):
    """The value of the last expression of `a; b; c`, with the names that the table's rows use."""
    names = {"torch": torch, "nn": package, "np": np, **setting(torch)}
    *before, last = code.split("; ")
    for statement in before:
        exec(statement, names)
    return eval(last, names)


def setting(torch):
    X = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
    return {
        "X": X,
        "y": torch.tensor([2, 0]),
        "W": torch.tensor([[0.5, -1.0], [2.0, 1.5], [-0.25, 3.0]], requires_grad=True),
    }


def as_numbers(value):
    if isinstance(value, (tuple, list)):
        return [as_numbers(v) for v in value]
    if hasattr(value, "detach"):
        value = value.detach()
    return value.numpy() if hasattr(value, "numpy") else value


@pytest.mark.parametrize(("theirs", "ours", "differs"), rows("The same"), ids=lambda cell: cell[:40])
def test_a_row_of_names_that_are_the_same(theirs, ours, differs):
    """Ours is what a reader types after `import tinycnn as torch`, that is theirs, unless the table says otherwise."""
    value = evaluated(ours.replace("tinycnn.", "torch."), tinycnn, nn)
    if "random" not in differs and (torch := pytest.importorskip("torch", reason="to compare with")):
        expected = evaluated(theirs, torch, torch.nn)
        compare(as_numbers(value), as_numbers(expected))


def compare(value, expected):
    if isinstance(expected, list):
        assert len(value) == len(expected)
        for v, e in zip(value, expected, strict=True):
            compare(v, e)
    elif isinstance(expected, np.ndarray):
        assert value.dtype == expected.dtype and value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7)
    else:
        assert str(value) == str(expected).replace("torch.", "").replace("cuda:0", "gpu")


def test_the_table_has_all_names_that_the_package_takes_from_torch():
    known = {name for name in spelling.__all__ if name not in ("is_tensor",)} | {"abs", "max", "pow", "sum", "t"}
    missing = sorted(name for name in known if not re.search(rf"torch\.{name}\b", TABLE))
    assert not missing, f"add rows for {missing}"


@pytest.mark.parametrize(("name", "instead"), rows("Not there"), ids=lambda cell: cell[:30])
def test_a_name_that_is_not_there_says_what_to_write(name, instead):
    with pytest.raises(AttributeError) as caught:
        evaluated(name, tinycnn, nn)
    assert str(caught.value).endswith(f"; write instead: {instead}")


PLACES = {  # what the table calls them
    "tinycnn": "torch", "Tensor": "X", "Module": "nn.Linear(2, 2)", "nn": "nn", "nn.functional": "nn.functional",
    "nn.utils": "nn.utils", "optim": "torch.optim", "optim.lr_scheduler": "torch.optim.lr_scheduler",
    "utils.data": "torch.utils.data",
}  # fmt: skip


def test_what_is_not_there_is_in_the_table_and_nowhere_else():
    names = [f"{PLACES[place]}.{name}" for place, names in INSTEAD.items() for name in names]
    assert [name for name, _ in rows("Not there")] == names


SAME = {  # what the table says to write instead, and what it is instead of; with what the words leave open
    "-amax(-x, dim)": "torch.amin(x, dim)",
    "-max(-x)": "torch.min(x)",
    "x @ y": "torch.bmm(x[None], y[None])[0]",
    "x.unsqueeze(1) * y": "torch.outer(x, y)",
    "x != x": "torch.isnan(x)",
    "((x - x.mean(dim, keepdim=True)) ** 2).mean(dim)": "torch.var(x, dim, correction=0)",
    "((x - x.mean(dim, keepdim=True)) ** 2).mean(dim).sqrt()": "torch.std(x, dim, correction=0)",
    "(x ** 2).sum().sqrt()": "x.norm()",
    "x != 0": "x.bool()",
    "-(-x).amax(dim)": "x.amin(dim)",
    "x.type(torch.uint8)": "x.abs().byte()",
    "torch.cat([x] * 3, dim)": "x.repeat(1, 3)",
    "x + torch.zeros((4, 3, 3))": "x.expand(4, 3, 3)",
    "torch.tensor(numpy.sort(x.numpy()))": "x.sort()[0]",
    "torch.tensor(x.numpy().cumsum(1))": "x.cumsum(1)",
    "torch.tensor(numpy.triu(x.numpy()))": "torch.triu(x)",
    "((x - y) ** 2).mean()": "torch.nn.functional.mse_loss(x, y)",
    "torch.abs(x - y).mean()": "torch.nn.functional.l1_loss(x, y)",
    "-(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()": "torch.nn.functional.binary_cross_entropy(p, y)",
    "x / (x ** 2).sum(1, keepdim=True).sqrt()": "torch.nn.functional.normalize(x)",
    "torch.eye(4)[labels]": "torch.nn.functional.one_hot(labels, 4).float()",
    "torch.nn.functional.cross_entropy(x, labels)": "torch.nn.functional.nll_loss(torch.log_softmax(x, 1), labels)",
    "(x.reshape(1, 1, 3, 1, 3, 1) + torch.zeros((1, 1, 3, 2, 3, 2))).reshape(1, 1, 6, 6)": (
        "torch.nn.functional.interpolate(x.reshape(1, 1, 3, 3), scale_factor=2)"
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), SAME.items(), ids=SAME)
def test_what_to_write_instead_says_the_same(ours, theirs, rng):
    torch = pytest.importorskip("torch", reason="to compare with")
    x, y, p = (rng.random((3, 3)).astype(np.float32) for _ in range(3))
    x, y = (x[0], y[0]) if "outer" in theirs else (x, y)
    found = []
    for package, code in ((tinycnn, ours), (torch, theirs)):
        names = {"x": package.tensor(x), "y": package.tensor(y), "p": package.tensor(p), "dim": 1, "numpy": np}
        names |= {"amax": package.amax, "max": package.max, "labels": package.tensor([2, 0, 1])}
        found.append(as_numbers(eval(code, names | {"torch": package})))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ["RMSprop"])
def test_the_nearest_optimizer_is_near(rule, rng):
    """After some steps, when the correction of the first has worn off, both go equally far."""
    torch = pytest.importorskip("torch", reason="to compare with")
    start, gradients = rng.random(4), rng.random((900, 4))
    ours, theirs = nn.Parameter(start.copy()), torch.nn.Parameter(torch.tensor(start.copy()))
    rules = tinycnn.optim.Adam([ours], 1e-3, betas=(0, 0.99)), getattr(torch.optim, rule)([theirs], 1e-3)
    for i, gradient in enumerate(gradients):
        if i == 600:
            before = ours.numpy().copy(), theirs.detach().numpy().copy()
        ours.grad, theirs.grad = gradient.copy(), torch.tensor(gradient)
        for optimizer in rules:
            optimizer.step()
    moved = ours.numpy() - before[0], theirs.detach().numpy() - before[1]
    np.testing.assert_allclose(*moved, rtol=5e-3)


def test_names_near_to_others_are_told():
    with pytest.raises(AttributeError, match="tinycnn.nn has no 'Conv2D'; the nearest are Conv2d"):
        nn.Conv2D  # noqa: B018
    with pytest.raises(AttributeError, match="Tensor has no 'reshap'; the nearest are reshape"):
        tinycnn.ones(2).reshap  # noqa: B018
    with pytest.raises(AttributeError, match="Sequential has no 'children_'; the nearest are children, named_children"):
        nn.Sequential().children_  # noqa: B018
    assert not hasattr(tinycnn.ones(2), "__cuda_array_interface__")


def test_an_activation_in_place_is_refused():
    with pytest.raises(ValueError, match=r"ReLU: inplace is not there, got True; write ReLU\(\)"):
        nn.ReLU(inplace=True)
    assert nn.ReLU(inplace=False)(tinycnn.ones(1)).item() == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zeros_lik", "the nearest are zeros_like"),
        ("sofmax", "the nearest are softmax"),
        ("training", "write import tinycnn.training"),
        ("qqq", "tinycnn has no 'qqq'$"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name, text):
    program = f"import tinycnn\ntry:\n    tinycnn.{name}\nexcept AttributeError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.search(text, done.stdout.strip()), done.stdout


def test_a_star_import_brings_no_name_of_pythons_own():
    names = {}
    exec("from tinycnn import *", names)
    assert not (set(names) - {"__builtins__"}) & set(vars(builtins))
    assert names["zeros"] is tinycnn.zeros and all(len(name) > 1 for name in names)
    assert {n for n in names if not n.startswith("_")} == set(tinycnn.__all__)


# Import lines


@pytest.mark.parametrize(("theirs", "ours"), rows("Import lines"), ids=lambda cell: cell[:40])
def test_an_import_line_brings_what_torchs_brings(theirs, ours):
    """Ours in a process of its own: a module that another test has loaded must not help."""
    program = f"{ours}\nprint({{name: type(v).__name__ for name, v in dict(globals()).items() if name[0] != '_'}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    brought = eval(done.stdout)
    pytest.importorskip("torch", reason="to compare with")
    expected = {}
    exec(theirs, expected)
    del expected["__builtins__"]
    assert set(brought) == set(expected)
    assert {n for n in brought if brought[n] == "module"} == {n for n in expected if inspect.ismodule(expected[n])}


def test_modules_under_torchs_names_are_the_engines_own():
    import tinycnn.nn.functional as F
    import tinycnn.nn.init as init
    import tinycnn.utils.data as data

    assert nn.functional is F and nn.init is init and tinycnn.optim.lr_scheduler.StepLR is tinycnn.optim.StepLR
    for module, own in ((F, tinycnn.functional), (init, tinycnn.init), (data, tinycnn.data)):
        assert module.__all__ is own.__all__
        assert all(getattr(module, name) is getattr(own, name) for name in own.__all__)


# Makers


@pytest.mark.parametrize("make", [tinycnn.rand, tinycnn.randn, lambda *a, **o: tinycnn.normal(0, 1, *a, **o)])
def test_random_makers_follow_the_seed_and_change_no_net(make, device):
    tinycnn.manual_seed(3)
    expected = nn.Linear(4, 3).weight.numpy()
    tinycnn.manual_seed(3)
    first = make((50, 40), device=device, requires_grad=True)
    assert np.array_equal(nn.Linear(4, 3).weight.numpy(), expected)
    tinycnn.manual_seed(3)
    again = make((50, 40), dtype=tinycnn.float64)
    assert first.dtype == np.float32 and first.device == device and first.requires_grad and again.dtype == np.float64
    assert_close(first.to("cpu", np.float64), again)
    assert not np.array_equal(first.numpy(), make((50, 40)).numpy())
    tinycnn.manual_seed(4)
    assert not np.array_equal(first.numpy(), make((50, 40)).numpy())


def test_distributions():
    tinycnn.manual_seed(0)
    u, z, n = tinycnn.rand(20000).numpy(), tinycnn.randn(20000).numpy(), tinycnn.normal(3, 0.5, (20000,)).numpy()
    assert 0 <= u.min() and u.max() < 1 and abs(u.mean() - 0.5) < 0.02
    assert abs(z.mean()) < 0.04 and abs(z.std() - 1) < 0.04
    assert abs(n.mean() - 3) < 0.02 and abs(n.std() - 0.5) < 0.02


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: tinycnn.normal(0, -1, (2,)), ValueError, "normal: std must be at least 0, got -1"),
        (lambda: tinycnn.zeros(2, dtype="U3"), TypeError, "dtype: got 'U3', expected a dtype"),
        (lambda: tinycnn.device("cuda:1"), ValueError, "device: got 'cuda:1', .* CUDA_VISIBLE_DEVICES says which"),
        (lambda: tinycnn.exp(np.ones(2)), TypeError, "exp: expected a Tensor, got ndarray; wrap it"),
        (lambda: tinycnn.sum(tinycnn.ones(2), dim=0, axis=0), TypeError, "sum: dim and axis are the same"),
        (lambda: tinycnn.ones(2, 2, 2).t(), ValueError, "t: expected at most 2 axes"),
    ],
)
def test_what_makes_no_sense_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_cuda_answers_on_the_stand_in(device):
    if device == "gpu":
        assert tinycnn.cuda.is_available() and tinycnn.cuda.device_count() == 1
        assert tinycnn.ones(2).to("cuda:0").device == tinycnn.ones(2, device="cuda").device == "gpu"
        assert next(iter(nn.Linear(2, 3).to("cuda:0").parameters())).device == "gpu"
    else:
        assert tinycnn.ones(2).to(tinycnn.device("cpu")).cpu().device == "cpu"
