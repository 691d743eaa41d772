"""The tab "Train here" in a browser: its first steps are the engine's, and what it says of the experiments is so."""

import numpy as np
import pytest
from chromium import corrupted

from tinycnn import explain
from tinycnn.explain import lab

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

LESS = 0.5 * 10**-3  # the figure shows three digits after the point


def trained(browser, steps):
    """Wait until the training has come to that step, and rests there."""
    seen = lambda: browser.js("return document.querySelector('[data-steps]')?.dataset.steps")  # noqa: E731
    playing = lambda: any("Pause" in e.text for e in browser.find(".player .play"))  # noqa: E731
    return browser.wait(lambda: seen() == str(steps) and not playing(), 120)


def legend(browser, chart):
    """What the legend of a chart says: {name: number}."""
    figure = browser.find(".lab-charts figure")[chart]
    items = [e.text.removesuffix(" %") for e in figure.find_elements("css selector", ".legend-item") if e.text]
    return {name: float(number.replace("−", "-")) for name, number in (item.rsplit(" ", 1) for item in items)}


# The engine's steps


@pytest.mark.parametrize("start", ["small", "large"])
@pytest.mark.parametrize("activation", lab.ACTIVATIONS)
def test_step_by_step_the_page_does_what_the_engine_does(activation, start, page, quiet):
    quiet.open(page, f"tab=lab&act={activation}&init={start}&rate={lab.RATE}", reload=True)
    steps = lab.first_steps(activation, start)
    for k in range(lab.STEPS):
        quiet.button("→ Step").click()
        loss, kernels, dense = steps.numbers[:, : k + 1].mean(axis=1)  # the figure shows the mean since the beginning
        assert legend(quiet, 0)["training"] == pytest.approx(loss, abs=LESS)
        sizes = legend(quiet, 2)
        assert sizes["kernels"] == pytest.approx(kernels, rel=0.05)  # of two digits or three
        assert sizes["dense layer"] == pytest.approx(dense, rel=0.05)  # of two digits or three
    shown = np.stack([quiet.numbers(quiet.grid(f"Gradient of the kernel of filter {o}")) for o in range(lab.FILTERS)])
    np.testing.assert_allclose(shown, steps.gradients["w"][:, 0], rtol=1e-9, atol=1e-12)
    assert f"ran={lab.STEPS}" in quiet.hash


WRONG = {
    "a first weight": lambda data: data["lab"]["starts"]["kaiming"]["v"],
    "a kernel": lambda data: data["lab"]["starts"]["large"]["w"],
    "a loss": lambda data: data["lab"]["runs"][2]["numbers"],
    "a gradient": lambda data: data["lab"]["runs"][2]["gradients"]["w"],
    "the order": lambda data: data["lab"]["order"],
    "an image": lambda data: data["lab"]["images"],
}


@pytest.mark.parametrize("what", WRONG)
def test_selfcheck_fails_where_one_number_of_the_training_is_wrong(what, page, browser, tmp_path):
    amount = {"the order": 1, "an image": 16}.get(what, 1e-4)
    browser.open(corrupted(page, tmp_path / "wrong.html", WRONG[what], amount, place=7))
    assert browser.js("return document.documentElement.dataset.selfcheck") == "fail"
    browser.one("#badge").click()
    bad = [row.text for row in browser.find("dialog .bad")]
    assert bad and all(row.startswith("✗ training here with") for row in bad)


def test_selfcheck_has_the_training_in_its_table(page, quiet):
    quiet.open(page, check=True)
    quiet.one("#badge").click()
    rows = [row.text for row in quiet.find("dialog tbody tr") if "training here" in row.text]
    assert len(rows) == 9 and all(row.startswith("✓") for row in rows)
    assert all(float(row.split()[-2].replace("−", "-")) < 1e-9 for row in rows)


# The experiments


def test_sigmoid_stays_on_the_plateau_where_relu_has_left_it(page, quiet):
    quiet.open(page, "tab=lab", reload=True)
    losses = {}
    for name in ("plateau", "relu"):
        quiet.one(f'[data-experiment="{name}"]').click()
        trained(quiet, 400)
        losses[name] = quiet.js(CURVE, 1)
    guess = np.log(10)
    sigmoid, relu = (np.array(losses[name]) for name in ("plateau", "relu"))
    left = [int(np.argmax(np.convolve(curve < 2.2, np.ones(5), "valid") == 5)) for curve in (sigmoid, relu)]
    assert 2.5 < left[0] / left[1] < 3.5  # “about three times as long”
    assert abs(sigmoid[60:180] - guess).max() < 0.1 and sigmoid[-1] < 1.9 and relu[-1] < 1.0
    assert "With sigmoid, too small, rate 0.1 the loss was 1.7" in quiet.one(".say").text
    assert legend(quiet, 0)["before"] == pytest.approx(sigmoid[-1], abs=0.02)


CURVE = """
    const points = document.querySelectorAll('.lab-charts .curve')[arguments[0]].getAttribute('points').split(' ');
    return points.map((point) => 3 * (117 - Number(point.split(',')[1])) / 110);
"""


def test_equal_kernels_stay_equal(page, quiet):
    quiet.open(page, "tab=lab&act=sigmoid&init=zeros&rate=0.3&ran=100", reload=True)
    trained(quiet, 100)
    first, *others = [quiet.numbers(quiet.grid(f"Kernel of filter {o}")) for o in range(lab.FILTERS)]
    assert np.abs(first).max() > 0.01
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-9)


# What can be done with it


def test_play_pause_reset_and_settings(page, quiet):
    quiet.open(page, "tab=lab", reload=True)
    quiet.button("▶ Play").click()
    quiet.wait(lambda: int(quiet.one("[data-steps]").get_attribute("data-steps")) > 8)
    quiet.button("❚❚ Pause").click()
    steps = quiet.one("[data-steps]").get_attribute("data-steps")
    assert f"ran={steps}" in quiet.hash and f"After {steps} steps" in quiet.one(".say").text
    quiet.button("→ Step").click()
    assert f"ran={int(steps) + 1}" in quiet.hash
    quiet.button("↺ Reset").click()
    assert "ran=" not in quiet.hash and quiet.one("[data-steps]").get_attribute("data-steps") == "0"
    pick = quiet.one('[data-setting="init"]')
    pick.send_keys(Keys.ARROW_DOWN)  # from "too small" to "too large"
    assert "init=large" in quiet.hash
    assert np.abs(quiet.numbers(quiet.grid("Kernel of filter 0"))).max() > 1


def test_it_rests_where_it_is_not_seen(page, quiet):
    quiet.open(page, "tab=lab", reload=True)
    quiet.button("▶ Play").click()
    quiet.one("#tab-edit").click()
    quiet.wait(lambda: "ran=" in quiet.hash)
    steps = quiet.hash
    quiet.one("#tab-lab").click()
    assert quiet.hash.split("ran=")[1] == steps.split("ran=")[1].split("&")[0] and quiet.button("▶ Play")


def test_a_link_shows_the_same_training_again(page, quiet):
    quiet.open(page, "tab=lab&act=tanh&init=kaiming&rate=0.3&ran=45", reload=True)
    trained(quiet, 45)
    seen = quiet.numbers(quiet.grid("Kernel of filter 2"))
    quiet.open(page, quiet.hash[1:], reload=True)
    trained(quiet, 45)
    assert np.array_equal(quiet.numbers(quiet.grid("Kernel of filter 2")), seen)


def test_a_page_without_its_images_says_so(traces, quiet, tmp_path):
    whole = explain.report(traces[:1], tmp_path / "whole.html").stat().st_size
    small = explain.report(traces[:1], tmp_path / "small.html", max_mb=(whole - 600_000) / 1e6)
    quiet.open(small, "tab=lab")
    assert quiet.js("return document.documentElement.dataset.selfcheck") == "pass"
    assert "The images for this tab were left out" in quiet.one(".empty").text
