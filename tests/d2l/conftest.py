"""Small drawn images in Fashion-MNIST's place, and pictures into the test's own folder."""

import sys

import pytest

from tinycnn.d2l import images
from tinycnn.data import Silhouettes


@pytest.fixture(autouse=True)
def out(tmp_path, monkeypatch):
    """Where the pictures go; no window is opened."""
    monkeypatch.setenv("TINYCNN_OUT", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("DISPLAY", raising=False)
    yield tmp_path
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    """300 training and 100 test images."""
    sets = Silhouettes(train=True, size=300), Silhouettes(train=False, size=100)
    monkeypatch.setattr(images, "load", lambda *_, **__: sets)
    return sets
