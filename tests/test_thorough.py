"""The doctor's thorough checks: what they ask, what they say, and the file they leave."""

import json
import subprocess

import numpy as np
import pytest

from tinycnn import nn, thorough
from tinycnn.backend import to_device
from tinycnn.execution.graph.step import GraphStep
from tinycnn.models import LeNet
from tinycnn.optim import SGD
from tinycnn.thorough import Check


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_all_checks_on_the_stand_in(monkeypatch, tmp_path):
    monkeypatch.setattr(thorough, "_imports", lambda: Check("imports", True, "fine", {}))
    shown = {}
    works = thorough.report(thorough.thorough(4, 2, 1), tmp_path / "found.json", {"card": "none"}, shown.__setitem__)
    assert works and list(shown) == ["imports", "compile", "beside eager", "memory", "launches", "step"]
    assert shown["memory"].endswith(" GiB free") and shown["launches"].startswith("12 a step, ")
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["facts"] == {"card": "none"} and len(found["checks"][4]["numbers"]) == 12
    assert 0 <= found["checks"][2]["numbers"]["furthest"] < thorough.NEAR


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_kernels_that_go_astray_are_noticed(monkeypatch):
    step = thorough._step

    def astray(strategy):
        made = step(strategy)
        made.optimizer.lr = 0.2 if strategy == "graph" else 0.1
        return made

    monkeypatch.setattr(thorough, "_step", astray)
    checks = {check.name: check.works for check in thorough.thorough(4, 2, 1)}
    assert checks["compile"] and not checks["beside eager"]


def test_a_failure_is_shown_and_written(tmp_path):
    def checks():
        yield Check("imports", True, "fine", {})
        raise RuntimeError("no card")

    shown = {}
    assert not thorough.report(checks(), tmp_path / "found.json", {}, shown.__setitem__)
    assert shown == {"imports": "fine", "failure": "RuntimeError: no card"}
    assert not json.loads((tmp_path / "found.json").read_text())["checks"][1]["works"]


def test_a_warning_at_import_is_found(monkeypatch):
    done = subprocess.CompletedProcess([], 1, "", "Traceback\nFutureWarning: soon no more\n")
    monkeypatch.setattr(subprocess, "run", lambda *command, **options: done)
    assert thorough._imports() == Check("imports", False, "FutureWarning: soon no more", {})


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_timing_launches_changes_no_parameter_and_no_momentum(rng):
    model = LeNet(channels=(2, 3), hidden=(7,))
    model.to("gpu")
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    step = GraphStep(model, nn.CrossEntropyLoss(), optimizer)
    x = to_device(rng.integers(0, 256, (6, 1, 28, 28), dtype=np.uint8), "gpu")
    y = to_device(rng.integers(0, 10, 6), "gpu")
    step.run(x, y, batch_size=3)
    before = [a.get() for a in (*(p.data for p in optimizer.params), *optimizer.momentum_buffers)]
    times = step.launch_times(x, y, 3, 2)
    assert [name for name, _ in times][:2] == ["gather", "conv_forward"] and all(us > 0 for _, us in times)
    after = [a.get() for a in (*(p.data for p in optimizer.params), *optimizer.momentum_buffers)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
