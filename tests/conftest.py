"""Fixtures that all tests share: a seeded generator, and the device as a parameter."""

import zlib

import numpy as np
import pytest

from tinycnn.backend import cupy_problem


@pytest.fixture
def rng(request):
    """Random numbers that are the same at every run of one test, and differ between tests."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request):
    """ "cpu", and "gpu" where there is one."""
    if request.param == "gpu" and (problem := cupy_problem()):
        pytest.skip(problem.splitlines()[0])
    return request.param
