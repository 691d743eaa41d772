"""Which strategy "auto" takes, and why; how many workers."""

import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinycnn import nn, optim
from tinycnn.execution import choice, make_step
from tinycnn.execution.choice import cores

pytest.importorskip("threadpoolctl", reason="parts on workers need threadpoolctl")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's fork")


@pytest.fixture(autouse=True)
def no_threads_but_the_tests_own(monkeypatch):
    """Those that were there before, a test runner's for instance, are left out of account."""
    running = threading.enumerate
    before = [thread for thread in running() if thread is not threading.current_thread()]
    monkeypatch.setattr(choice.threading, "enumerate", lambda: [t for t in running() if t not in before])


def described(strategy="auto", workers=2):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), strategy, workers) as step:
        step(np.zeros((3, 1, 2, 2), np.float32), np.zeros(3, int))
        return step.description


@LINUX
def test_two_cores_and_nobody_else_give_processes():
    assert described().startswith("processes") and described(workers=1).startswith("threads")


@LINUX
def test_another_thread_gives_threads_and_says_why():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait, name="busy")
    thread.start()
    try:
        said = described()
    finally:
        go_on.set()
        thread.join()
    assert said.startswith("threads") and "another thread (busy) is running" in said


@LINUX
def test_a_thread_that_only_waits_for_messages_is_in_nobodys_way():
    go_on = threading.Event()

    class Heartbeat(threading.Thread):
        def run(self):
            go_on.wait()

    Heartbeat.__module__ = "ipykernel.heartbeat"
    thread = Heartbeat()
    thread.start()
    try:
        assert described().startswith("processes")
    finally:
        go_on.set()
        thread.join()


@LINUX
def test_a_worker_of_a_pool_gets_threads_and_is_told_so():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        said = pool.apply(described)
        with pytest.raises(RuntimeError, match="this process is itself a worker"):
            pool.apply(described, ("processes",))
    assert said.startswith("threads") and "this process is itself a worker" in said


def test_cores_keep_to_what_was_asked_for_and_what_is_granted(monkeypatch, tmp_path):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(choice.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(choice, "_quota", lambda: 1 << 30)
    assert cores() == 8
    for asked, found in (("3", 3), ("1,2", 1), ("16", 8), ("0", 8), ("many", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert cores() == found
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(choice, "_quota", lambda: 2)
    assert cores() == 2


@pytest.mark.parametrize(("text", "found"), [("max 100000", 1 << 30), ("150000 100000", 2), ("50000 100000", 1)])
def test_the_quota_of_a_control_group(text, found, tmp_path):
    assert choice._quota(tmp_path) == 1 << 30
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert choice._quota(tmp_path) == found


@LINUX
def test_a_program_may_multiply_in_a_thread_while_another_trains():
    """With forked workers this stood still: a lock of BLAS, held by the thread, was never given back in the worker."""
    program = (
        "import threading, numpy as np\n"
        "from tinycnn import nn, optim\n"
        "from tinycnn.execution import make_step\n"
        "a, on = np.ones((500, 500), np.float32), [True]\n"
        "def multiply():\n"
        "    while on:\n"
        "        a @ a\n"
        "thread = threading.Thread(target=multiply); thread.start()\n"
        "for _ in range(10):\n"
        "    model = nn.Sequential(nn.Flatten(), nn.Linear(400, 40), nn.Linear(40, 2))\n"
        "    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), workers=2) as step:\n"
        "        step(np.ones((128, 1, 20, 20), np.float32), np.zeros(128, int))\n"
        "on.clear(); thread.join()\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=300).returncode == 0


def test_an_optimizer_of_another_model_is_refused():
    earlier, model = nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="none of the 2 tensors that SGD moves is a parameter of the Sequential; make"):
        make_step(model, nn.CrossEntropyLoss(), optim.SGD(earlier.parameters(), 0.1))
    with pytest.raises(TypeError, match="make_step: object has no params, expected an Optimizer"):
        make_step(model, nn.CrossEntropyLoss(), object())
    both = [*earlier.parameters(), *list(model.parameters())[:1]]  # some of it is enough
    make_step(model, nn.CrossEntropyLoss(), optim.SGD(both, 0.1), "plain").close()


@pytest.mark.parametrize(
    ("strategy", "workers", "micro_batch"), [("plain", 2, None), ("plain", None, 8), ("graph", 1, 1)]
)
def test_one_piece_has_no_workers_and_no_parts(strategy, workers, micro_batch):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match=f"workers {workers}, but {strategy} computes the batch in one piece"):
        make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers, micro_batch)


@pytest.mark.parametrize(
    ("strategy", "workers", "micro_batch"), [("auto", 0, None), ("threads", 1, 0), ("plain", -1, 4)]
)
def test_numbers_below_one(strategy, workers, micro_batch):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match=f"got micro_batch {micro_batch}, workers {workers}; expected 1 or more"):
        make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers, micro_batch)
