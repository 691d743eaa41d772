"""Every tab of the page in a real browser, from a file, with every request refused: what it shows is the engine's."""

import re

import numpy as np
import pytest
from chromium import corrupted

from tinycnn import explain
from tinycnn.explain import lesson
from tinycnn.explain.figures.convolution import columns
from tinycnn.geometry import output_size

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

TABS = ("slide", "im2col", "size", "channels", "network", "backward", "training", "lab", "edit")


# The self-check


def test_selfcheck_passes_and_says_how_far_off(page, quiet):
    quiet.open(page, check=True)
    found = quiet.js("return {...document.documentElement.dataset}")
    assert found["selfcheck"] == "pass" and 0 < float(found["maxdiff"]) < 1e-5
    quiet.one("#badge").click()
    assert "The browser agrees with the engine" in quiet.one("dialog").text
    rows = [row.text for row in quiet.find("dialog tbody tr")]
    assert len(rows) > 40 and all(row.startswith("✓") for row in rows)
    for part in ("columns, to the bit", "gradients of single units", "the whole net", "output sizes"):
        assert any(part in row for row in rows), part
    quiet.button("Close").click()


# Something beside the self-check that wants its turn: how often it gets it while the check is under way.
BESIDE = """
    window.turns = 0;
    const {port1, port2} = new MessageChannel();
    port1.onmessage = () => {
      if (document.documentElement?.dataset.selfcheck) return;
      if (document.readyState === 'complete') window.turns += 1;
      port2.postMessage(null);
    };
    port2.postMessage(null);
"""
WORK = 500_000  # products and sums: less than 50 ms, where even a slow phone does ten millions of them in a second


def test_the_selfcheck_works_in_slices_and_lets_the_page_answer_in_between(page, quiet):
    """Counted in what it works out, not in time; two images of LeNet are more than ten millions of products."""
    script = quiet.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": BESIDE})
    try:
        quiet.open(page, check=True)
        found = quiet.js("return {...document.documentElement.dataset, turns: window.turns}")
    finally:
        quiet.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert found["selfcheck"] == "pass"
    assert 0 < int(found["largest"]) <= WORK
    assert int(found["slices"]) >= 1e7 / WORK
    assert found["turns"] >= int(found["slices"]) / 2


CORRUPTIONS = {
    "a kernel": lambda data: data["model"]["layers"][0]["w"],
    "a weight of the last layer": lambda data: data["model"]["layers"][-1]["w"],
    "a bias": lambda data: data["model"]["layers"][3]["b"],
    "a column": lambda data: data["samples"][1]["layers"]["conv2"]["cols"],
    "a gradient of columns": lambda data: data["samples"][0]["layers"]["conv1"]["grad_cols"],
    "a weight gradient": lambda data: data["samples"][0]["layers"]["conv2"]["grad_w"],
    "an activation": lambda data: data["samples"][0]["layers"]["sigmoid2"]["out"],
    "a gradient of the logits": lambda data: data["samples"][0]["layers"]["fc3"]["grad_out"],
    "a unit's gradient": lambda data: data["samples"][0]["units"][40]["gradient"],
    "a partial map": lambda data: data["samples"][0]["layers"]["conv2"]["partials"],
    "the toy's output": lambda data: data["lesson"]["cases"][3]["arrays"]["out"],
}


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_selfcheck_fails_where_one_number_is_wrong(what, page, browser, tmp_path):
    browser.open(corrupted(page, tmp_path / "wrong.html", CORRUPTIONS[what]))
    assert browser.js("return document.documentElement.dataset.selfcheck") == "fail"
    assert "does not reproduce the engine" in browser.one(".alarm").text
    assert "failed" in browser.one("#badge").text


# Every tab, by mouse and by keyboard


def test_every_tab_by_mouse(page, quiet):
    quiet.open(page)
    for name in TABS:
        quiet.one(f"#tab-{name}").click()
        assert_tab(quiet, name)


def test_every_tab_by_keyboard(page, quiet):
    quiet.open(page)
    quiet.js("document.getElementById('tab-slide').focus()")
    for name in [*TABS[1:], TABS[0]]:
        quiet.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        assert quiet.driver.switch_to.active_element.get_attribute("id") == f"tab-{name}"
        assert_tab(quiet, name)
    quiet.driver.switch_to.active_element.send_keys(Keys.END)
    assert_tab(quiet, "edit")
    quiet.driver.back()  # a tab is a step of the browser's history
    assert_tab(quiet, "slide")


COLOURS = """
    const canvas = [...document.querySelectorAll('[role=tabpanel]:not([hidden]) canvas')]
      .find((c) => c.width > 40 && c.checkVisibility());
    if (!canvas) return document.querySelectorAll('[role=tabpanel]:not([hidden]) :is(.meter, .curve)').length;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 4).join());
    return seen.size;
"""


def assert_tab(browser, name):
    assert browser.one('[role="tab"][aria-selected="true"]').get_attribute("id") == f"tab-{name}"
    assert browser.one('[role="tabpanel"]').get_attribute("id") == f"panel-{name}"
    assert browser.one("h2.question").text
    browser.wait(lambda: browser.js(COLOURS) > 2)  # painted with the next frame


@pytest.mark.parametrize("name", TABS)
def test_every_answer_has_a_reply(name, page, quiet):
    """Three questions, one right answer each, and to each wrong one what is wrong about it."""
    quiet.open(page, f"tab={name}", reload=True)
    asked = set()
    for k in range(3):
        quiet.one(f'.which [aria-label="Question {k + 1}"]').click()
        asked.add(quiet.one(".question").text)
        assert quiet.find(".reveal p") == []
        quiet.find(".answer")[0].click()
        told = quiet.one(".reveal p").text
        assert told.startswith(("Yes. ", "Not quite. ")) and len(quiet.find(".answer.right")) == 1
        assert quiet.find(".answer.wrong") or told.startswith("Yes. ")
    assert len(asked) == 3 and len(quiet.find(".which .done")) == 3
    replies = quiet.js(REPLIES)
    assert all(reply for reply in replies) and len(set(replies)) == len(replies)


REPLIES = """
    const steps = [...document.querySelectorAll('[role=tabpanel]:not([hidden]) .which button')], found = [];
    for (const step of steps) {
      step.click();
      const lead = step.closest('.lead');
      const wrong = [...lead.querySelectorAll('.answer')].flatMap((e, k) => e.matches('.right') ? [] : [k]);
      for (const at of wrong) {
        lead.querySelectorAll('.answer')[at].click();
        found.push(lead.querySelector('.reveal p').textContent.split('Not quite. ')[1]);
      }
    }
    return found;
"""


def test_answers_stay_and_are_in_no_link(page, quiet):
    quiet.open(page, "tab=slide", reload=True)
    quiet.find(".answer")[0].click()
    told = quiet.one(".reveal p").text
    quiet.one("#tab-size").click()
    quiet.one("#tab-slide").click()
    assert quiet.one(".reveal p").text == told
    assert "guess" not in quiet.hash
    quiet.open(page, "tab=slide&guess=1", reload=True)  # but a link may bring one along
    assert quiet.one(".reveal p").text.startswith("Yes. ")
    quiet.one("#tab-size").click()
    assert "guess" not in quiet.hash


def test_an_answer_moves_the_figure(page, quiet):
    quiet.open(page, "tab=size&n=7", reload=True)
    quiet.find(".answer")[2].click()
    assert "n=8" in quiet.hash and len(quiet.find(".pixel.drop")) == 1


# Slide


@pytest.mark.parametrize("label", ["conv1", "conv2"])
def test_hovering_any_output_shows_the_engines_number_to_the_last_bit(label, page, traces, quiet, rng):
    for img, trace in enumerate(traces):
        o, out = int(rng.integers(trace[label].out.shape[1])), trace[label].out[0]
        quiet.open(page, f"tab=slide&src={label}&img={img}&o={o}")
        grid = quiet.grid("Output")
        for i, j in rng.integers(0, out.shape[1], (12, 2)).tolist():
            quiet.point(grid, i, j)
            assert quiet.value == out[o, i, j]


def test_all_numbers_of_a_map_are_the_engines(page, traces, quiet):
    """Stepping with the arrow key through every output of a map, as a reader would."""
    quiet.open(page, "tab=slide&src=conv2&img=1&o=4&i=0&j=0")
    out = traces[1]["conv2"].out[0, 4]
    shown = quiet.js("""
        const read = () => document.querySelector('#panel-slide output.value').dataset.value;
        const shown = [read()];
        for (let k = 1; k < arguments[1]; k++) { arguments[0].click(); shown.push(read()); }
        return shown;""", quiet.one('[aria-label="Step"]'), out.size)  # fmt: skip
    assert np.array_equal(np.array(shown, np.float32).reshape(out.shape), out)
    assert quiet.one("output.value").get_attribute("data-value") == shown[-1]


@pytest.mark.parametrize("options", ["s=1&p=1&d=1", "s=2&p=0&d=1", "s=1&p=1&d=2", "s=1&p=1&d=1&flip=1"])
def test_the_toys_sums_are_the_engines(options, page, quiet, rng):
    quiet.open(page, f"tab=slide&{options}&o=1&i=0&j=0")
    chosen = {name: int(value) for name, value in (pair.split("=") for pair in options.split("&"))}
    out = lesson.toy(chosen["s"], chosen["p"], chosen["d"], bool(chosen.get("flip")))["conv1"].out[0, 1]
    grid = quiet.grid("Output")
    for i, j in rng.integers(0, out.shape[0], (8, 2)).tolist():
        quiet.point(grid, i, j)
        assert quiet.value == out[i, j]
        sums = [t.text.split("\n")[0].replace("−", "-") for t in quiet.find(".equation:first-child .term")]
        *parts, total = map(float, sums)
        assert sum(parts) == total == out[i, j]


def test_arrow_keys_move_the_window_as_the_mouse_does(page, quiet):
    quiet.open(page, "tab=slide&i=1&j=1")
    grid = quiet.grid("Output")
    grid.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "j=3" in quiet.hash and "i=" not in quiet.hash  # (2, 3); 2 is where one begins
    by_keys = quiet.one(".say").text
    quiet.press(grid, 5, 5)
    assert quiet.one(".say").text != by_keys
    quiet.press(grid, 2, 3)
    assert quiet.one(".say").text == by_keys
    grid.send_keys(*[Keys.ARROW_LEFT] * 9)
    assert "j=0" in quiet.hash  # it stops at the edge


def test_a_pixel_shows_the_outputs_it_takes_part_in(page, quiet):
    quiet.open(page, "tab=slide")
    quiet.point(quiet.grid("Input, channel 0"), 3, 3)
    assert "takes part in 9 outputs" in quiet.one(".say").text
    assert len(quiet.find('.grid[aria-label^="Output"] .mark.use')) == 9
    quiet.point(quiet.grid("Input, channel 0"), 0, 0)
    assert "This zero of the padding takes part in 1 output" in quiet.one(".say").text
    quiet.grid("Input, channel 1").send_keys(Keys.ARROW_RIGHT)
    assert "takes part in" in quiet.one(".say").text
    quiet.point(quiet.grid("Kernel, channel 0"), 1, 2)
    assert "Weight (1, 2) is 2." in quiet.one(".say").text


def test_changed_numbers_are_the_browsers_and_have_a_link(page, quiet):
    quiet.open(page, "tab=slide&i=2&j=2")
    assert quiet.value == 32
    quiet.press(quiet.grid("Kernel, channel 0"), 1, 2)
    quiet.one('.editor [aria-label="more"]').click()
    assert "edits=w.0.0.1.2%3D3" in quiet.hash
    assert quiet.find("output.value") == [] and len(quiet.find(".origin.engine")) == 1  # that of the footer
    assert "make 40" in quiet.open(page, quiet.hash[1:], reload=True).one(".say").text  # 32 + the 8 under it
    quiet.button("Undo changes").click()
    assert quiet.value == 32


def test_nothing_jumps_when_a_number_is_changed(page, quiet):
    quiet.open(page, "tab=slide&i=2&j=2", reload=True)
    quiet.press(quiet.grid("Kernel, channel 0"), 1, 2)
    more = quiet.one('.editor [aria-label="more"]')
    for k in range(3):
        before = more.location
        more.click()
        assert more.location == before, f"after {k + 1} clicks"
    assert "edits=w.0.0.1.2%3D5" in quiet.hash


def test_a_changed_weight_can_be_followed_from_tab_to_tab(page, quiet):
    """w[0, 0, 1, 2] = 5 instead of 2, and what a naive convolution makes of it, forward and backward."""
    edits = "w.0.0.1.2%3D5"
    w, trace = np.array(lesson.W, np.float64), lesson.toy(1, 1, 1, False)[0]
    w[0, 0, 1, 2] = 5
    x = np.pad(np.array(lesson.X, np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))  # (C, OH, OW, KH, KW)
    out = np.einsum("chwuv,ocuv->ohw", windows, w) + np.array(lesson.B)[:, None, None]
    quiet.open(page, f"tab=slide&edits={edits}", reload=True)
    assert np.array_equal(quiet.numbers(quiet.grid("Output")), out[0])
    quiet.one("#tab-im2col").click()
    assert quiet.numbers(quiet.grid("Weights"))[0, 5] == 5
    assert np.array_equal(quiet.numbers(quiet.grid("Output, one row")), out.reshape(2, -1))
    quiet.one("#tab-channels").click()
    assert np.array_equal(quiet.numbers(quiet.grid("Output map")), out[0])
    dy = trace.grad_out[0].astype(np.float64)
    dx = np.zeros_like(x)
    for i, j in np.ndindex(6, 6):
        dx[:, i : i + 3, j : j + 3] += np.einsum("o,ocuv->cuv", dy[:, i, j], w)
    quiet.open(page, f"tab=backward&part=4&i=5&j=5&edits={edits}")
    assert np.array_equal(quiet.numbers(quiet.grid("Gradient of the input, the whole"))[1:-1, 1:-1], dx[0, 1:-1, 1:-1])
    assert "the sum is complete" in quiet.one(".say").text and len(quiet.find(".origin.engine")) == 1


def test_numbers_fly_into_their_column_where_motion_is_welcome(page, quiet):
    for motion, flying in (("no-preference", 18), ("reduce", 0)):
        quiet.open(page, "tab=im2col&fill=1&i=0&j=0", reload=True, prefers_reduced_motion=motion)
        step = quiet.one('[aria-label="Step"]')
        assert quiet.js("arguments[0].click(); return document.querySelectorAll('.ghost').length", step) == flying


def test_touch(page, quiet):
    quiet.open(page, "tab=slide", size=(390, 800), touch=True, reload=True)
    grid = quiet.grid("Output")
    quiet.point(grid, 4, 1, touch=True)
    assert "i=4" in quiet.hash and "j=1" in quiet.hash and quiet.value == 23


def test_a_finger_takes_the_window_along(page, quiet):
    quiet.open(page, "tab=slide", size=(390, 844), touch=True, reload=True)
    grid = quiet.grid("Output")
    quiet.js("arguments[0].scrollIntoView({block: 'center'})", grid)
    box = quiet.js("return arguments[0].getBoundingClientRect()", grid)
    spots = [
        {"x": box["left"] + (k + 0.5) * box["width"] / 6, "y": box["top"] + 0.5 * box["height"] / 6} for k in (1, 3, 4)
    ]
    touch = quiet.driver.execute_cdp_cmd
    touch("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": spots[:1]})
    for spot in spots[1:]:
        touch("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [spot]})
    touch("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert "i=0" in quiet.hash and "j=4" in quiet.hash and quiet.one(".say").text.startswith("Output (0, 4)")


def solved(browser):
    """The answer to what the dialog asks, worked out from what it shows."""
    text = browser.one(".practice-ask").text
    if "how many outputs" in text:
        return output_size(*(int(k) for k in re.findall(r"\d+", text)))
    grids = {e.get_attribute("aria-label").split(": ")[1]: browser.numbers(e) for e in browser.find("dialog .grid")}
    row, column = (int(k) for k in re.search(r"\((\d), (\d)\)", text).groups())
    if "What is output" in text:
        return (grids["image"][row : row + 2, column : column + 2] * grids["kernel"]).sum()
    if "gradient of weight" in text:
        return (grids["image"][row : row + 2, column : column + 2] * grids["dy"]).sum()
    dx = np.zeros((3, 3))
    for i, j in np.ndindex(2, 2):
        dx[i : i + 2, j : j + 2] += grids["dy"][i, j] * grids["kernel"]
    return dx[row, column]


def test_practice_asks_what_can_be_worked_out_and_keeps_the_score(page, quiet):
    quiet.open(page, "tab=slide", reload=True)
    quiet.one("#practise").click()
    right = 0
    for turn in range(12):
        guess = int(solved(quiet)) + (turn % 5 == 4)
        right += turn % 5 != 4
        quiet.one('[aria-label="Your answer"]').send_keys(str(guess), Keys.ENTER)
        told = quiet.one(".practice-told").text
        assert told.startswith("Not quite, it is " if turn % 5 == 4 else "Right: ")
        assert told.endswith(f"{right} of {turn + 1} so far.")
        quiet.button("Another").click()
    quiet.button("Close").click()


# The other tabs


def test_im2col_shows_the_columns_the_forward_multiplied(page, traces, quiet, rng):
    record = traces[0]["conv2"]
    quiet.open(page, "tab=im2col&src=conv2&stored=1")
    cols = record.cols[0]  # (OH, K, OW)
    assert np.array_equal(quiet.numbers(quiet.grid("Columns")), cols.transpose(1, 0, 2).reshape(cols.shape[1], -1))
    quiet.find('[aria-label="Rows"] button')[0].click()
    assert np.array_equal(quiet.numbers(quiet.grid("Columns")), columns(record))  # as in the lessons and the figures
    quiet.point(quiet.grid("Output, one row per filter"), 5, 37)
    quiet.press(quiet.grid("Output, one row per filter"), 5, 37)
    assert quiet.value == record.out[0, 5, 3, 7]


def test_im2col_fills_column_by_column(page, quiet):
    quiet.open(page, "tab=im2col&fill=1&i=0&j=0")
    grid = quiet.grid("Columns")
    filled = lambda: int((~np.isnan(quiet.numbers(grid)[0])).sum())  # noqa: E731
    assert filled() == 1
    quiet.one('[aria-label="Step"]').click()
    grid.send_keys(Keys.ARROW_RIGHT)
    assert filled() == 3
    grid.send_keys(Keys.ARROW_DOWN)
    assert quiet.one(".say").text.startswith("Row 0 belongs to weight (0, 0, 0)")
    labels = [element.text for element in quiet.find(".row-labels span")]
    assert labels[:5] == ["c u v", "0 0 0", "0 0 1", "0 0 2", "0 1 0"] and labels[10] == "1 0 0"


def test_play_runs_and_stops(page, quiet):
    quiet.open(page, "tab=im2col&fill=1&i=5&j=3")
    quiet.one('[aria-label="Play"]').click()
    quiet.one('[aria-label="Pause"]')
    quiet.wait(lambda: quiet.find('[aria-label="Play"]'), 20)
    assert "i=5" in quiet.hash and "j=5" in quiet.hash  # it stops at the last window


def test_sizes_follow_the_formula_and_the_quiz_hides_them(page, quiet):
    quiet.open(page, "tab=size&n=8&k=3&ss=2&sp=0&sd=1")
    assert quiet.one(".answer-size").text == "3"
    assert "3 windows of 3 fit into 8 pixels. 1 pixel of 8 never used." in quiet.one(".say").text
    assert len(quiet.find(".pixel.drop")) == 1
    slider = quiet.find('input[type="range"]')[0]
    slider.send_keys(Keys.ARROW_RIGHT)
    assert quiet.one(".answer-size").text == "4" and quiet.find(".pixel.drop") == []


def test_the_quiz_asks_random_sizes_and_gives_nothing_away(page, quiet):
    quiet.open(page, "tab=size")
    quiet.find('input[type="checkbox"]')[0].click()
    asked, right = set(), 0
    for turn in range(5):
        n, k, s, p, d = quiet.js("return [...document.querySelectorAll('.sliders input')].map((e) => Number(e.value))")
        size = output_size(n, k, s, p, d)
        asked.add((n, k, s, p, d))
        assert quiet.one(".answer-size").text == "?"
        assert quiet.find(".line-strip .tap") == [] and quiet.find('.grid[aria-label^="How many windows"]') == []
        assert "window over" not in quiet.one(".line-strip").get_attribute("aria-label")
        assert quiet.one(".say").text == "How many windows fit? The figure appears with your answer."
        guess = size + turn % 2  # right and wrong in turn
        right += guess == size
        quiet.one('input[type="number"]').send_keys(str(guess), Keys.ENTER)
        verdict = "✓ right" if guess == size else f"✗ it is {size}"
        assert quiet.one(".verdict").text == f"{verdict} · {right} of {turn + 1}"
        assert quiet.one(".answer-size").text == str(size)
        assert len(quiet.find(".line-strip .tap")) == size * k
        quiet.button("another").click()
    assert len(asked) > 1


def test_a_size_below_one_is_said_as_the_formula_has_it(page, quiet):
    quiet.open(page, "tab=size&n=2&k=7&ss=1&sp=0&sd=1", reload=True)  # no quiz that another test has begun
    assert "= −4, which means 0" in quiet.one(".formula").text.replace("\n", " ")
    quiet.open(page, "tab=size&n=1&k=1&ss=1&sp=0&sd=1")
    assert "1 window of 1 fits into 1 pixel." in quiet.one(".say").text


def test_channels_add_up_to_the_engines_map(page, traces, quiet):
    out = traces[1]["conv2"].out[0, 7]
    quiet.open(page, "tab=channels&src=conv2&img=1&o=7")
    quiet.point(quiet.grid("Partial map of channel 2"), 4, 6)
    assert quiet.value == out[4, 6]
    terms = [t.text.split("\n")[0].replace("−", "-") for t in quiet.find(".equation.small .term")]
    assert len(terms) == 7 and sum(map(float, terms)) == pytest.approx(out[4, 6], abs=5e-3)


def test_network_shows_the_engines_gradient_of_a_unit(page, traces, quiet):
    record = traces[0]["conv2"]
    c, (i, j) = 5, np.unravel_index(record.out[0, 5].argmax(), (10, 10))
    quiet.open(page, "tab=network")
    quiet.press(quiet.grid("conv2, map 5"), int(i), int(j))
    assert quiet.value == record.out[0, c, i, j]
    assert "the engine’s own gradient" in quiet.one(".inspector").text
    assert_gradient(quiet, traces[0].input_gradient("conv2", (0, c, int(i), int(j)))[0, 0], 0)
    quiet.grid("conv2, map 5").send_keys(Keys.ARROW_UP if i else Keys.ARROW_DOWN)
    i += -1 if i else 1
    assert quiet.value == record.out[0, c, i, j]
    assert "Worked out by the browser" in quiet.one(".inspector").text
    assert_gradient(quiet, traces[0].input_gradient("conv2", (0, c, int(i), int(j)))[0, 0], 1e-5)


def assert_gradient(browser, expected, tolerance):
    found = browser.numbers(browser.grid("Gradient of the unit")).astype(np.float32)
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_every_layer_of_the_network_can_be_chosen(page, traces, quiet):
    quiet.open(page, "tab=network&img=1")
    for label in ("pool1", "sigmoid2", "fc1", "fc3"):
        pick = quiet.one(".inspector select")
        quiet.js("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", pick, label)
        text = quiet.one(".inspector h3").text
        assert text.startswith(label)
        place = [int(k) for k in re.findall(r"\d+", text.split(",", 1)[1])[:3]]
        out = traces[1][label].out[0]
        assert quiet.value == (out[place[0], place[1], place[2]] if out.ndim == 3 else out[place[0]])


SOURCES = ["src=toy", "src=toy&s=2&d=2&p=1&c=1", "src=conv2&img=1&o=3&c=2"]


def test_how_a_number_was_made(page, traces, quiet):
    """Whatever the layer, what is shown to make the number makes the engine's."""
    for unit in ("sigmoid1:2.9.9", "pool1:3.5.6", "pool2:7.1.2", "fc1:33", "sigmoid3:5", "fc3:9"):
        label, place = unit.split(":")
        out = traces[1][label].out[0][tuple(int(k) for k in place.split("."))]
        quiet.open(page, f"tab=network&img=1&unit={unit}")
        quiet.js("document.querySelector('.made-how').open = true")
        shown = [float(e.text.replace("−", "-").replace("e-", "e-")) for e in quiet.find("output.made")]
        assert shown[0] == pytest.approx(float(out), rel=6e-3), unit
    p = np.exp(traces[1].out[0] - traces[1].out[0].max())
    assert shown[1] == pytest.approx(p[9] / p.sum(), rel=6e-3)  # the softmax, for the last layer
    assert len(quiet.find(".made-terms tbody tr")) == 7


def test_a_number_of_a_convolution_is_shown_in_slide(page, traces, quiet):
    quiet.open(page, "tab=network&img=1&unit=conv2:7.4.6", reload=True)  # everything is folded
    quiet.one(".made-how summary").click()
    quiet.one(".made-there").click()
    assert quiet.one('[role="tabpanel"]').get_attribute("id") == "panel-slide"
    assert quiet.value == traces[1]["conv2"].out[0, 7, 4, 6]
    quiet.driver.back()
    assert quiet.one(".inspector h3").text.startswith("conv2, map 7, unit (4, 6)")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("part", [3, 4])
def test_backward_ends_at_the_engines_gradients(source, part, page, quiet):
    quiet.open(page, f"tab=backward&part={part}&{source}&i=99&j=99")  # the last window, whatever the size
    assert "the sum is now the engine’s gradient" in quiet.one(".say").text
    name = "Weight gradient" if part == 3 else "Gradient of the input"
    ours, theirs = quiet.numbers(quiet.grid(f"{name} so far")), quiet.numbers(quiet.grid(f"{name}, the whole"))
    inside = ~np.isnan(theirs)  # the engine keeps no gradient of the padding
    most = np.abs(theirs[inside]).max()
    assert most > 0 and np.abs(ours - theirs)[inside].max() <= 1e-5 * most


@pytest.mark.parametrize("source", SOURCES)
def test_backward_adds_each_window_to_what_was_there(source, page, quiet, rng):
    """before + this = after; and before is after, one window earlier."""
    i, j = int(rng.integers(2)), 1
    for part, name, this in (
        (3, "Weight gradient", "What this window adds"),
        (4, "Gradient of the input", "What this window adds to the pixels"),
    ):
        quiet.open(page, f"tab=backward&part={part}&{source}&i={i}&j={j - 1}")
        earlier = quiet.numbers(quiet.grid(f"{name} so far"))
        quiet.one('[aria-label="Step"]').click()
        before, after = (quiet.numbers(quiet.grid(f"{name} {when}")) for when in ("before", "so far"))
        np.testing.assert_array_equal(before, earlier)
        np.testing.assert_allclose(before + quiet.numbers(quiet.grid(this)), after, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("source", SOURCES)
def test_every_filter_hands_back_its_kernel_times_its_gradient(source, page, quiet):
    quiet.open(page, f"tab=backward&part=4&{source}&i=1&j=0")
    terms = [quiet.numbers(grid) for grid in quiet.find('.grid[aria-label^="Term of filter"]')]
    kernels = [quiet.numbers(grid) for grid in quiet.find('.grid[aria-label^="Kernel of filter"]')]
    others = [quiet.numbers(grid) for grid in quiet.find('.grid[aria-label^="The terms of the other"]')]
    column = quiet.numbers(quiet.grid("This window’s column"))
    np.testing.assert_allclose(sum(terms + others), column, rtol=1e-5, atol=1e-7)
    assert len(terms) == len(kernels) == (2 if "toy" in source else 1) and len(others) == ("toy" not in source)
    for term, kernel, shown in zip(terms, kernels, quiet.find(".term.gradient b"), strict=True):
        gradient = float(shown.text.replace("−", "-"))
        np.testing.assert_allclose(term, kernel * gradient, rtol=0.01, atol=1e-12)  # the gradient is shown rounded


def test_backward_shows_loss_adjoint_and_gradient_check(page, traces, quiet):
    quiet.open(page, "tab=backward")
    assert f"the loss is {traces[0].loss:.4f}" in quiet.one('[role="tabpanel"]').text
    quiet.button("5 proof").click()
    left, right = (element.text for element in quiet.find(".inner b"))
    assert left == right == f"{lesson.facts()['adjoint']['left']:.0f}".replace("-", "−")
    assert len(quiet.find(".gradcheck tbody tr")) == 20


def test_training(page, quiet):
    quiet.open(page, "tab=training")
    assert "still guessing" in quiet.one('[role="tabpanel"]').text
    assert len(quiet.find(".curve")) == 4
    quiet.button("2 kernels").click()
    slider = quiet.one('input[type="range"]')
    first = quiet.js("return document.querySelector('.kernels .grid').grid.value(0, 0)")
    slider.send_keys(Keys.HOME)
    assert "step=0" in quiet.hash
    assert quiet.js("return document.querySelector('.kernels .grid').grid.value(0, 0)") != first
    quiet.one('.step:not([hidden]) [aria-label="Step"]').click()
    assert "step=1" in quiet.hash
    quiet.button("3 confusions").click()
    quiet.press(quiet.grid("Confusion matrix"), 1, 1)
    assert re.fullmatch(r"Trouser: \d+ recognised\.", quiet.one(".say").text)
    quiet.grid("Confusion matrix").send_keys(Keys.ARROW_RIGHT)
    assert re.fullmatch(r"Trouser taken for Pullover: \d+ times?(; the surest \d are shown)?\.", quiet.one(".say").text)
    quiet.button("4 mistakes").click()
    assert quiet.find(".mistake")


def test_edit_moves_maps_and_probabilities(page, net, garments, quiet):
    quiet.open(page, "tab=edit")
    before = [element.text for element in quiet.find(".edit-bars .num")]
    assert sum(map(float, before)) == pytest.approx(1, abs=0.01)
    quiet.one('[aria-label="shift right"]').click()
    quiet.one('[aria-label="shift right"]').click()
    assert "moves=x2" in quiet.hash
    shifted = np.zeros((1, 1, 28, 28), np.uint8)
    shifted[..., 2:] = garments.images[75:76, ..., :-2]
    logits = explain.trace(net, shifted, [0]).out[0]
    p = np.exp(logits - logits.max())
    shown = [float(element.text) for element in quiet.find(".edit-bars .num")]
    np.testing.assert_allclose(shown, p / p.sum(), atol=6e-4)
    easel = quiet.grid("The garment")
    quiet.press(easel, 3, 3)
    easel.send_keys(Keys.ARROW_UP, " ")
    assert "b" in quiet.hash.split("moves=")[1]
    painted = "return document.querySelector('.easel').grid.value(3, 3)"
    assert quiet.js(painted) == 1
    assert quiet.open(page, quiet.hash[1:], reload=True).js(painted) == 1
    for name in ("rotate left", "rotate right"):
        quiet.one(f'[aria-label$="{name}"]').click()
    quiet.button("reset").click()
    assert [element.text for element in quiet.find(".edit-bars .num")] == before
