"""Tests of the emulated device itself: they run on it, and are skipped elsewhere."""

import os

import pytest

HERE = __file__.rpartition(os.sep)[0]


def pytest_collection_modifyitems(items):
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.emulator)
            if "EMULATOR_KERNELS" not in os.environ:
                item.add_marker(
                    pytest.mark.skip(reason="runs on the emulated device: tests/emulator/run python -m pytest")
                )
