"""Fixtures of the page's tests: a traced net, a page with everything in it, and a browser."""

import numpy as np
import pytest
from chromium import start

from tinycnn import explain, manual_seed
from tinycnn.data import Silhouettes
from tinycnn.models import LeNet
from tinycnn.training import Epoch, Point


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    browser = start(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def quiet(browser):
    """The browser; afterwards, nothing was complained of and nothing was asked of the network."""
    browser.complaints()
    yield browser
    assert browser.complaints() == []


@pytest.fixture(scope="session")
def garments():
    return Silhouettes(train=False, size=80)


@pytest.fixture(scope="session")
def net():
    manual_seed(6)
    return LeNet()


@pytest.fixture(scope="session")
def traces(net, garments):
    return [explain.trace(net, garments.images[i : i + 1], garments.labels[i : i + 1]) for i in (75, 13)]


@pytest.fixture(scope="session")
def extras(traces, garments):
    """What report() takes for a page with everything in it."""
    rng = np.random.default_rng(0)
    history = [Point(1, k, k / 5, 0.9, 2.3 - k / 5, k / 10) for k in range(1, 6)]
    history += [Epoch(1, 1, 0.9, 1.3, 0.5, 1.2, 0.6), Epoch(2, 2, 0.9, 1.1, 0.6, 1.0, 0.7)]
    kernels = [(k, rng.standard_normal((6, 1, 5, 5)).astype(np.float32)) for k in range(4)]
    extras = {"history": history, "snapshots": kernels, "test": garments, "untrained": traces[0]}
    return {**extras, "classes": garments.classes}


@pytest.fixture(scope="session")
def page(traces, extras, tmp_path_factory):
    """A page with everything in it."""
    return explain.report(traces, tmp_path_factory.mktemp("page") / "page.html", title="A net", **extras)
