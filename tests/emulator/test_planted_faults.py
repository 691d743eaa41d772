"""Faults put into a copy of the package on purpose: each is noticed, by the device or by numbers that differ."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from emulator.programs import run

import tinycnn

PACKAGE = Path(tinycnn.__file__).parent

# Three steps of the strategies "graph" and "plain", one of them on a batch that is smaller, and a run of steps.
STEPS = """
from tinycnn import nn
from tinycnn.execution import make_step
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.random import manual_seed

def trainer(strategy):
    manual_seed(7)
    model = LeNet(channels=(3, 5), hidden=(12,), same_padding=True)
    model.to("gpu")
    return make_step(model, nn.CrossEntropyLoss(), SGD(model.parameters(), 0.2, momentum=0.9), strategy)

rng = np.random.default_rng(0)
images, labels = cp.asarray(rng.integers(0, 255, (60, 1, 28, 28), dtype=np.uint8)), cp.asarray(rng.integers(0, 10, 60))
graph, plain = trainer("graph"), trainer("plain")
pairs = [(graph(images[:n], labels[:n])[0], plain(images[:n], labels[:n])[0]) for n in (33, 20, 33)]
pairs += [(ours, plain(images[20 * k : 20 * k + 20], labels[20 * k : 20 * k + 20])[0])
          for k, ours in enumerate(graph.run(images, labels, batch_size=20)[0])]
print("agrees" if all(abs(float(a) - float(b)) < 1e-4 * float(b) for a, b in pairs) else "differs")
"""


class Fault(NamedTuple):
    file: str
    pattern: str
    instead: str
    settings: dict[str, int] = {}


FAULTS = {
    "a barrier is missing where images are gathered": Fault("kernels/gather.cu", r"__syncthreads\(\);", ""),
    "a barrier is missing in the convolution": Fault(
        "kernels/conv_forward.cu", r"(?s)__syncthreads\(\);(?!.*__syncthreads)", ""
    ),
    "pixels outside the image are read": Fault(
        "kernels/conv_forward.cu", r"const bool inside = .*;", "const bool inside = true;", {"no_pool": 1}
    ),
    "a branch is not joined": Fault("replay.py", r"self\.main\.wait_event\(.*\)", "pass"),
    "a branch does not wait for what it reads": Fault(
        "replay.py", r"self\.(side|streams\[launch\.branch\])\.wait_event\(.*\)", "pass"
    ),
    "the first launches do not wait for the arrays": Fault(
        "replay.py", r"self\.xp\.cuda\.get_current_stream\(\)\.synchronize\(\)", "pass", {"lagging": 1, "latest": 1}
    ),
    "memory is allocated in a capture": Fault(
        "replay.py", r"self\.main\.begin_capture\(\)", r"\g<0>; self.xp.zeros(3)"
    ),
    "a kernel gets a double for a float": Fault("replay.py", r"map\(np\.float32, rule\)", "map(np.float64, rule)"),
}


def steps(folder, **settings):
    """How the steps end: "agrees", "differs", or what the device or the program says."""
    package = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    done = run(package + STEPS, **settings)
    said = (done.stdout.strip() or done.stderr).splitlines()
    message = [line for line in said if line in ("agrees", "differs") or re.match(r"(emulator: |\S*Error)", line)]
    return message[-1] if message else done.stderr


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "tinycnn", ignore=shutil.ignore_patterns("__pycache__", "static"))
    return tmp_path


@pytest.mark.parametrize("settings", [{}, {"lagging": 1, "latest": 1, "no_pool": 1, "order": "random"}], ids=str)
def test_without_a_fault_all_agrees(settings, copy):
    assert steps(copy, **settings) == "agrees"


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_noticed(name, copy):
    fault = FAULTS[name]
    path = copy / "tinycnn/execution/graph" / fault.file
    text = path.read_text(encoding="utf-8")
    planted, count = re.subn(fault.pattern, fault.instead, text)
    assert count, f"{fault.file} has nothing like {fault.pattern} any more: plant the fault in its new text"
    path.write_text(planted, encoding="utf-8")
    ended = steps(copy, **fault.settings)
    print(ended)
    assert ended != "agrees"
