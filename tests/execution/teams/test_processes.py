"""Worker processes that die, overlap, or cannot be made."""

import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from tinycnn import nn, optim
from tinycnn.execution import WorkerError, make_step

pytest.importorskip("threadpoolctl", reason="parts on workers need threadpoolctl")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's fork")


def opened(workers=2):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    step = make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", workers, 2)
    step(*BATCH)
    return step


BATCH = np.ones((8, 1, 2, 2), np.float32), np.arange(8) % 2


def test_a_worker_killed_between_steps_is_reported_as_such():
    step = opened()
    process = step._team[0][0]
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises(WorkerError, match="worker process 1 ended with exit code -9"):
        step(*BATCH)


def test_steps_that_overlap_close_at_once():
    a, b = opened(3), opened(3)
    start = time.monotonic()
    a.close()
    b.close()
    assert time.monotonic() - start < 1.5  # a worker that does not notice is given two seconds, and then killed


def test_a_fork_that_fails_leaves_nothing_and_can_be_tried_again(monkeypatch):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", 3, 2) as step:
        start, calls = multiprocessing.process.BaseProcess.start, []

        def fails_at_the_second(process):
            calls.append(process)
            if len(calls) == 2:
                raise BlockingIOError("Resource temporarily unavailable")
            start(process)

        monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", fails_at_the_second)
        with pytest.raises(BlockingIOError):
            step(*BATCH)
        assert not calls[0].is_alive() and not step._team
        step(*BATCH)
        assert len(step._team) == 2


def test_a_model_that_keeps_what_could_change_unseen_is_refused_by_name():
    class Mine(nn.Module):
        def __init__(self):
            self.cache = {"made": object()}

        def forward(self, x):
            return x.flatten(1)

    model = nn.Sequential(Mine(), nn.Linear(4, 2))
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "processes", 2, 2) as step:
        with pytest.raises(RuntimeError, match=r"their own cache of layer 0 \(Mine\), a dict"):
            step(*BATCH)


def test_ctrl_c_is_the_calling_processs_affair():
    with opened() as step:
        os.kill(step._team[0][0].pid, signal.SIGINT)
        step(*BATCH)
        assert step._team[0][0].is_alive()


def test_a_step_whose_worker_died_is_closed():
    step = opened(3)
    others = [process for process, _ in step._team[1:]]
    os.kill(step._team[0][0].pid, signal.SIGKILL)
    with pytest.raises(WorkerError):
        step(*BATCH)
    assert not step._team and not any(process.is_alive() for process in others)
    with pytest.raises(RuntimeError, match="this step is closed, or a worker of it has died"):
        step(*BATCH)


def test_a_worker_that_does_not_listen_is_ended_all_the_same():
    step = opened()
    process = step._team[0][0]
    os.kill(process.pid, signal.SIGSTOP)
    closing = threading.Thread(target=step.close, daemon=True)
    closing.start()
    closing.join(20)
    ended = not closing.is_alive()
    if not ended:
        process.kill()
    assert ended and not process.is_alive()
