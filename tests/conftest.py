"""Fixtures that all tests share: a seeded generator, and the device as a parameter."""

import os
import signal
import sys
import zlib

import fakecupy
import numpy as np
import pytest

from tinycnn.backend import cupy_problem
from tinycnn.data import Silhouettes, datasets

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background jobs: tests send Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng(request):
    """Random numbers that are the same at every run of one test, and differ between tests."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


class Drawn(Silhouettes):
    """The generated images, drawn once for all tests, which may not write to them: it takes seconds."""

    known = {}

    def __init__(self, *how, **options):
        if (key := (how, *options.items())) not in self.known:
            super().__init__(*how, **options)
            self.images.flags.writeable = self.labels.flags.writeable = False
            self.known[key] = dict(vars(self))
        vars(self).update(self.known[key])


datasets.Silhouettes = Drawn  # what load() makes


@pytest.fixture(scope="session")
def a_gpu():
    """Skips, with the reason, where there is no GPU, real or emulated; where one is emulated, it has to be there."""
    if problem := cupy_problem():
        (pytest.fail if "EMULATOR_KERNELS" in os.environ else pytest.skip)(problem.splitlines()[0])


@pytest.fixture
def fake_cupy(monkeypatch):
    """A strict stand-in takes CuPy's place, so that "gpu" works without one; its `counts` start at 0."""
    monkeypatch.setitem(sys.modules, "cupy", fakecupy.cupy)
    fakecupy.reset()
    return fakecupy


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu), "stand-in"])
def device(request):
    """ "cpu", "gpu" where there is one, and "gpu" on the stand-in for CuPy."""
    if request.param == "stand-in":
        request.getfixturevalue("fake_cupy")
        return "gpu"
    if request.param == "gpu":
        request.getfixturevalue("a_gpu")
    return request.param
