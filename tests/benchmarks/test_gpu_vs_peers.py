"""The GPU benchmark as far as it goes without a GPU: its program, its table, and its contenders on small data."""

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CARD = {"name": "a card", "flops": 66.9e12, "bytes per second": 4.8e12, "cuda driver": 13000, "launch gap": 1.5}


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu_vs_peers")


def facts(*times, loss=0.5, kernels=15, **more):
    return {"times": list(times), "loss": loss, "kernels": kernels, "setup": {"import": 0.5, "compile": 2.0}} | more


# The table


def test_rows_say_time_rate_ratio_and_setup(benchmark):
    rows = {"tinycnn graph": facts(50.0, 40.0, 45.0), "PyTorch eager": facts(450.0, kernels=None)}
    text = benchmark.table({"LeNet, batch 256": rows}, CARD)
    assert "| tinycnn graph | 45.0 | 5,688,889 |  | 15 | 0.50 | import 0.5 s, compile 2.0 s |" in text
    assert "| PyTorch eager | 450.0 | 568,889 | 10.0 times faster | ? | 0.50 |" in text


def test_the_bound_is_that_of_the_chapters_net(benchmark):
    flops, traffic = benchmark.work("lenet", 256)
    assert flops == pytest.approx(579.6e6, rel=1e-3) and traffic == 256 * 784 + 8 * 61_706
    text = benchmark.table({"LeNet, batch 256": {"tinycnn graph": facts(62.4)}}, CARD)
    assert "Bound: arithmetic at peak 8.7 us, memory at peak 0.1 us, 15 launches 22.5 us; together 31.2 us" in text
    assert "tinycnn graph takes 2.0 times that" in text


def test_what_failed_and_what_did_not_learn_is_said(benchmark):
    rows = {
        "tinycnn graph": facts(50.0),
        "PyTorch compile": {"error": "RuntimeError: no compiler", "times": []},
        "JAX scan": facts(70.0, loss=2.31),
        "PyTorch chapter loop": facts(9000.0, loss=2.2),  # which has only one epoch to learn in
    }
    text = benchmark.table({"LeNet, batch 256": rows}, CARD)
    assert "| PyTorch compile | RuntimeError: no compiler |" in text
    assert "2.31 (did not learn)" in text and "2.20 |" in text


def test_the_report_is_written(benchmark, tmp_path):
    found = {case: {"tinycnn graph": facts(50.0)} for case in benchmark.CASES}
    machine = benchmark.machine.describe("numpy")
    benchmark.write({"machine": machine, "card": CARD, "tests": "9 passed", "TF32 off": found}, tmp_path)
    text = (tmp_path / "gpu_vs_peers.md").read_text(encoding="utf-8")
    assert "a card, CUDA driver 13000, one kernel of a chain costs 1.50 us" in text and "GPU tests: 9 passed" in text
    assert text.count("### ") == 3 and "## TF32 on" not in text
    assert json.loads((tmp_path / "gpu_vs_peers.json").read_text(encoding="utf-8"))["TF32 off"] == found


# The race


class Scripted:
    def __init__(self, variant, answers):
        self.variant, self.answers, self.orders = variant, answers, []

    def ask(self, **order):
        self.orders.append(order)
        return dict(self.answers[order["do"]])


LEARNT = {"loss": 0.6, "epoch": 0.01, "setup": {"import": 1.0}, "kernels": 15}


def test_contenders_take_turns(benchmark, capsys):
    team = [Scripted(name, {"learn": LEARNT, "measure": {"us": 40.0}}) for name in ("tinycnn graph", "JAX scan")]
    found = benchmark.race(team, list(benchmark.CASES)[:2], False, 3, 0.5, time.monotonic() + 60)
    for rows in found.values():
        assert rows["JAX scan"]["times"] == [40.0] * 3 and rows["tinycnn graph"]["loss"] == 0.6
    assert [order["do"] for order in team[0].orders] == 2 * (["learn"] + ["measure"] * 3)
    assert "LeNet, batch 256       JAX scan                     40.0 us per step" in capsys.readouterr().out


def test_a_failure_ends_one_row_and_lack_of_time_the_rest(benchmark):
    broken = Scripted("PyTorch compile", {"learn": {"error": "no"}})
    halfway = Scripted("JAX scan", {"learn": LEARNT, "measure": {"error": "out of memory"}})
    found = benchmark.race([broken, halfway], ["LeNet, batch 256"], False, 2, 0.5, time.monotonic() + 60)
    assert found["LeNet, batch 256"]["PyTorch compile"]["error"] == "no"
    assert found["LeNet, batch 256"]["JAX scan"]["error"] == "out of memory" and len(halfway.orders) == 2
    found = benchmark.race([halfway], ["LeNet, batch 256"], False, 2, 0.5, time.monotonic() - 1)
    assert found["LeNet, batch 256"]["JAX scan"] == {"error": "not measured: out of time"}


def test_the_chapters_loop_runs_once(benchmark):
    loop = Scripted(benchmark.CHAPTER, {"learn": LEARNT, "measure": {"us": 9000.0}})
    found = benchmark.race([loop], list(benchmark.CASES), False, 1, 0.5, time.monotonic() + 60)
    assert [len(rows) for rows in found.values()] == [1, 0, 0] and loop.orders[0]["slow"]


# The program


def test_without_a_gpu_it_says_so(benchmark, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "cupy_problem", lambda: "GPU: CuPy cannot be imported (No module named 'cupy').")
    assert benchmark.main(["--out", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err
    assert (
        error == "gpu_vs_peers: nothing can be measured here.\nGPU: CuPy cannot be imported (No module named 'cupy').\n"
    )
    assert not (tmp_path / "results").exists()


def test_the_variants_are_those_that_the_peers_know(benchmark):
    for module, (_, names) in benchmark.PEERS.items():
        assert set(importlib.import_module(f"gpu_peers.{module}").NAMES) == set(names)


def test_help():
    done = subprocess.run([sys.executable, BENCHMARKS / "gpu_vs_peers.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--out" in done.stdout


# The contenders, on a few images


@pytest.fixture
def few_images(benchmark, monkeypatch, rng):
    """24 images in three batches of 8, for LeNet at "batch 256"."""
    peers = importlib.import_module("gpu_peers")
    images, labels = rng.integers(0, 256, (24, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, 24)
    for module in (peers, *(importlib.import_module(f"gpu_peers.{name}") for name in benchmark.PEERS)):
        monkeypatch.setattr(module, "resident", lambda: (images, labels))
    peers.orders.cache_clear()
    yield peers
    peers.orders.cache_clear()


def check(benchmark, monkeypatch, contender):
    """The two orders that the benchmark gives, and a look at what they answer."""
    monkeypatch.setattr(benchmark, "LEARNING_STEPS", 7)
    monkeypatch.setattr(type(contender), "kernels", lambda self: 15)
    learnt = benchmark.obey(contender, {"do": "learn", "slow": False}, 8)
    assert contender.done == 4 and 0 < learnt["loss"] < 5 and {"import", "context", "compile"} == set(learnt["setup"])
    order = {"do": "measure", "seconds": 2 * learnt["epoch"], "epoch": learnt["epoch"]}
    measured = benchmark.obey(contender, order, 8)
    assert measured["steps"] == 6 and measured["us"] > 0 and contender.done == 6


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
@pytest.mark.parametrize("variant", ["tinycnn graph", "tinycnn eager"])
def test_tinycnn_contends(variant, benchmark, few_images, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "0")
    contender = importlib.import_module("gpu_peers.tinycnn_gpu").make(variant, "lenet", 8, False)
    contender.done = 0
    check(benchmark, monkeypatch, contender)


@pytest.mark.parametrize("variant", ["PyTorch eager", "PyTorch chapter loop"])
def test_pytorch_contends(variant, benchmark, few_images, monkeypatch):
    torch = pytest.importorskip("torch")
    peer = importlib.import_module("gpu_peers.torch_gpu")

    class Event:
        def __init__(self, enable_timing):
            pass

        def record(self):
            self.time = time.perf_counter()

        def synchronize(self):
            pass

        def elapsed_time(self, end):
            return 1e3 * (end.time - self.time)

    monkeypatch.setattr(peer, "DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    loader = torch.utils.data.DataLoader
    monkeypatch.setattr(torch.utils.data, "DataLoader", lambda *a, num_workers, **o: loader(*a, **o))
    contender = peer.make(variant, "lenet", 8, False)
    check(benchmark, monkeypatch, contender)


def test_jax_contends(benchmark, few_images, monkeypatch):
    pytest.importorskip("jax")
    contender = importlib.import_module("gpu_peers.jax_gpu").make("JAX scan", "wide", 8, False)
    contender.done = 0
    check(benchmark, monkeypatch, contender)
