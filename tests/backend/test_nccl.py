"""NCCL as CuPy offers it, on stand-ins that say what was asked of them; jobs of real processes are in test_links.py."""

import sys
import types

import numpy as np
import pytest

from tinycnn.backend import nccl


class Recorder:
    """A module cupy.cuda.nccl, its communicator and a stream at once, which write down what is called."""

    NCCL_UINT8, available, ptr = 1, True, 77

    def __init__(self, done_after):
        self.calls, self.done_after = [], done_after

    def get_version(self):
        return 22707

    def NcclCommunicator(self, *arguments):  # noqa: N802  (CuPy's name)
        self.calls.append(("communicator", *arguments))
        return self

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))

    def record(self, event):
        self.calls.append(("record",))
        return self

    @property
    def done(self):
        self.done_after -= 1
        return self.done_after < 0


@pytest.fixture
def cards(monkeypatch):
    """A function that puts a Recorder in CuPy's place, whose messages arrive when somebody has asked so often."""

    def install(done_after=0):
        recorder = Recorder(done_after)
        cuda = types.ModuleType("cupy.cuda")
        cuda.nccl, cuda.get_current_stream = recorder, lambda: recorder
        cuda.Event = lambda disable_timing: "event"
        module = types.ModuleType("cupy")
        module.cuda = cuda
        for name, value in (("cupy", module), ("cupy.cuda", cuda), ("cupy.cuda.nccl", recorder)):
            monkeypatch.setitem(sys.modules, name, value)
        return recorder

    return install


def on_card(size, pointer):
    return types.SimpleNamespace(data=types.SimpleNamespace(ptr=pointer), nbytes=np.zeros(size, np.float32).nbytes)


def test_messages_go_as_one_group_on_the_current_stream_and_are_waited_for(cards):
    recorder = cards(done_after=2)
    talk = nccl.Nccl(2, 1, (5, 6))
    talk.exchange({0: on_card(3, 1000)}, {0: on_card(2, 2000)}, 50)
    assert recorder.calls == [
        ("communicator", 2, (5, 6), 1),
        ("groupStart",),
        ("send", 1000, 12, 1, 0, 77),
        ("recv", 2000, 8, 1, 0, 77),
        ("groupEnd",),
        ("record",),
        ("check_async_error",),
        ("check_async_error",),
    ]
    talk.close()
    assert recorder.calls[-1] == ("destroy",)


def test_what_does_not_arrive_is_given_up(cards):
    recorder = cards(done_after=10**9)
    with pytest.raises(TimeoutError, match=r"nccl: an exchange is not over after 0\.01 seconds"):
        nccl.Nccl(2, 0, ()).exchange({1: on_card(1, 1)}, {}, 0.01)
    assert recorder.calls[-1] == ("abort",)


@pytest.mark.parametrize(("number", "words"), [(22707, "2.27.7"), (21803, "2.18.3"), (2708, "2.7.8")])
def test_versions(cards, monkeypatch, number, words):
    monkeypatch.setattr(cards(), "get_version", lambda: number, raising=False)
    assert nccl.version() == words and nccl.why_no_nccl() == ""


def test_what_is_missing_is_said(cards, monkeypatch):
    recorder = cards()
    monkeypatch.setattr(recorder, "get_version", lambda: 2604, raising=False)
    assert nccl.why_no_nccl() == "NCCL 2.6.4 is older than 2.7"
    monkeypatch.setattr(recorder, "available", False, raising=False)
    assert nccl.why_no_nccl().startswith("CuPy finds no NCCL (pip install nvidia-nccl-cu13")
