"""The GPU benchmark as far as it goes without a GPU: its program, its table, and its contenders on small data."""

import importlib
import json
import os
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


@pytest.fixture
def report(benchmark):
    return benchmark.report


def facts(*times, loss=0.5, kernels=15, **more):
    return {"times": list(times), "loss": loss, "kernels": kernels, "setup": {"import": 0.5, "compile": 2.0}} | more


# The table


def table(report, rows):
    return "\n".join(report.table("LeNet, batch 256", rows, CARD))


def test_rows_say_time_rate_ratio_and_setup_the_fastest_first(report):
    rows = {"PyTorch eager": facts(450.0, kernels=None), "tinycnn graph": facts(50.0, 40.0, 45.0)}
    lines = report.table("LeNet, batch 256", rows, CARD)
    assert lines[2] == "| tinycnn graph | 45.0 | 5,688,889 | 1.00 | 15 | 0.50 | import 0.5 s, compile 2.0 s |"
    assert lines[3].startswith("| PyTorch eager | 450.0 | 568,889 | 10.00 | ? | 0.50 |")


def test_the_bound_is_that_of_the_chapters_net_and_the_longest_path(report):
    flops, traffic = report.work("lenet", 256)
    assert flops == pytest.approx(579.6e6, rel=1e-3) and traffic == 256 * 784 + 8 * 61_706
    text = table(report, {"tinycnn graph": facts(44.4) | {"in a row": 9}})
    assert "Bound: arithmetic 8.7 us, memory 0.1 us, 9 kernels in a row 13.5 us; together 22.2 us" in text
    assert "tinycnn graph takes 2.0 times that" in text


def test_what_failed_and_what_did_not_learn_is_said(report):
    rows = {
        "tinycnn graph": facts(50.0),
        "PyTorch compile": {"error": "RuntimeError: no compiler", "times": []},
        "JAX scan": facts(70.0, loss=2.31),
        "PyTorch chapter loop": facts(9000.0, loss=2.2),  # which has only one epoch to learn in
    }
    text = table(report, rows)
    assert "| PyTorch compile | RuntimeError: no compiler |" in text
    assert "2.31 (did not learn)" in text and "2.20 |" in text


def test_the_result_is_written(benchmark, tmp_path):
    found = {"LeNet, batch 256": {"tinycnn graph": facts(50.0)}}
    benchmark.write({"machine": benchmark.machine.describe("numpy"), "card": CARD, "cases": found}, tmp_path)
    text = (tmp_path / "gpu_vs_peers.md").read_text(encoding="utf-8")
    assert "a card, CUDA driver 13000; measured: 66.9 TFLOP/s in float32, 4.80 TB/s of copying, 1.50 us" in text
    assert text.count("### ") == 1
    assert json.loads((tmp_path / "gpu_vs_peers.json").read_text(encoding="utf-8"))["cases"] == found


# The race


class Scripted:
    def __init__(self, variant, answers, log=None):
        self.variant = self.name = variant
        self.answers, self.orders, self.log = answers, [], [] if log is None else log

    def send(self, **order):
        self.orders.append(order)
        self.log.append((self.name, order["do"]))

    def answer(self, deadline):
        return dict(self.answers[self.orders[-1]["do"]])


LEARNT = {"loss": 0.6, "epoch": 0.01, "setup": {"import": 1.0}}
ANSWERS = {"learn": LEARNT, "measure": {"us": 40.0, "epoch": 0.02}, "count": {"kernels": 15, "in a row": 9}}
CASE = "LeNet, batch 256"


def test_contenders_take_turns_in_an_order_that_rotates_and_are_counted_last(benchmark, capsys):
    log = []
    team = [Scripted(name, ANSWERS, log) for name in ("tinycnn graph", "JAX scan", "PyTorch eager")]
    rows = benchmark.race(team, CASE, 3, 0.5, time.monotonic() + 60)
    assert rows["JAX scan"]["times"] == [40.0] * 3 and rows["tinycnn graph"]["kernels"] == 15
    assert [do for _, do in log] == 3 * ["learn"] + 9 * ["measure"] + 3 * ["count"]
    assert [name for name, _ in log[3:12:3]] == ["tinycnn graph", "JAX scan", "PyTorch eager"]
    assert [order["epoch"] for order in team[0].orders[1:4]] == [0.01, 0.02, 0.02]  # what was measured last counts
    assert "JAX scan                                 40.0 us per step" in capsys.readouterr().out


def test_a_failure_ends_one_row_and_lack_of_time_the_rest(benchmark):
    broken = Scripted("PyTorch compile", {"learn": {"error": "no"}})
    halfway = Scripted("JAX scan", ANSWERS | {"measure": {"error": "out of memory"}})
    rows = benchmark.race([broken, halfway], CASE, 2, 0.5, time.monotonic() + 60)
    assert rows["PyTorch compile"]["error"] == "no" and rows["JAX scan"]["error"] == "out of memory"
    assert [order["do"] for order in halfway.orders] == ["learn", "measure"]
    late = Scripted("JAX scan", ANSWERS)
    rows = benchmark.race([late], CASE, 2, 0.5, time.monotonic() - 1)
    assert not rows["JAX scan"]["times"] and [order["do"] for order in late.orders] == ["learn", "count"]


def test_the_chapters_loop_is_measured_once(benchmark):
    loop = Scripted(benchmark.CHAPTER, ANSWERS)
    rows = benchmark.race([loop], CASE, 3, 0.5, time.monotonic() + 60)
    assert rows[benchmark.CHAPTER]["times"] == [40.0] and loop.orders[0]["slow"]


CHILD = """
import os, sys
for line in sys.stdin:
    os.write(1, b"a library says something\\n")
    print('{"loss": 0.5}', flush=True)
    if "last" in line:
        break
    if "hang" in line:
        sys.stdin.readline()
"""


def test_answers_are_found_among_other_words_and_silence_ends(benchmark, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: popen([sys.executable, "-c", CHILD], **options))
    contender = benchmark.Contender("torch_gpu", "PyTorch eager", True)
    assert contender.name == "PyTorch eager, TF32"
    contender.send(do="hang")
    assert contender.answer(time.monotonic() + 60) == {"loss": 0.5}
    assert contender.answer(time.monotonic() + 0.1) == {"error": "out of time"}
    assert contender.process.poll() is not None
    contender = benchmark.Contender("torch_gpu", "PyTorch eager", False)
    contender.send(do="last")
    assert contender.answer(time.monotonic() + 60) == {"loss": 0.5}
    assert contender.answer(time.monotonic() + 60) == {"error": "the process ended"}
    contender.close()
    contender.send(do="learn")
    assert contender.answer(time.monotonic() + 60) == {"error": "the process ended"}


def test_tests_that_take_too_long_leave_what_they_said(benchmark, monkeypatch, tmp_path):
    def run(command, stdout, timeout, **options):
        stdout.write(b"three tests passed")
        stdout.flush()
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert benchmark.gpu_tests(tmp_path, 5) == "out of time after 5 s"
    assert (tmp_path / "gpu_tests.txt").read_text().startswith("three tests passed")


# The program


def test_without_a_gpu_it_says_so(benchmark, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "cupy_problem", lambda: "GPU: CuPy cannot be imported (No module named 'cupy').")
    assert benchmark.main(["--out", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err
    assert (
        error == "gpu_vs_peers: nothing can be measured here.\nGPU: CuPy cannot be imported (No module named 'cupy').\n"
    )
    assert not (tmp_path / "results").exists()


def test_it_runs_from_a_checkout_where_tinycnn_is_not_installed(tmp_path):
    command = [sys.executable, BENCHMARKS / "gpu_vs_peers.py", "--out", tmp_path]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr


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
    assert measured["us"] > 0 and measured["epoch"] > 0 and contender.done >= 6
    assert benchmark.obey(contender, {"do": "count"}, 8)["kernels"] == 15


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
