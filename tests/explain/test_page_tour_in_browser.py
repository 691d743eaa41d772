"""The tour of the lesson page, each step by mouse, by keyboard and by touch; from a file, with the network refused."""

import numpy as np
import pytest

from tinycnn import explain

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

STEPS = 16


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return explain.lesson_page(tmp_path_factory.mktemp("lesson") / "lesson.html")


class Mouse:
    """A reader with a mouse."""

    touch = False

    def __init__(self, browser):
        self.browser = browser

    def press(self, element):
        element.click()

    def cell(self, name, row, column):
        self.browser.press(self.browser.grid(name), row, column)

    def slide(self, element, key, times):
        """Sliders are dragged; to a value that far away."""
        by = {Keys.ARROW_RIGHT: times, Keys.HOME: -1000}[key]
        script = """
            const input = arguments[0];
            input.value = Number(input.value) + arguments[1];
            input.dispatchEvent(new Event('input', {bubbles: true}));"""
        self.browser.js(script, element, by)


class Finger(Mouse):
    """A reader with a finger on a phone."""

    touch = True

    def press(self, element):
        self.browser.js("arguments[0].scrollIntoView({block: 'center'})", element)
        box = self.browser.js("return arguments[0].getBoundingClientRect()", element)
        spot = {"x": box["left"] + box["width"] / 2, "y": box["top"] + box["height"] / 2}
        touch = self.browser.driver.execute_cdp_cmd
        touch("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [spot]})
        touch("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def cell(self, name, row, column):
        self.browser.point(self.browser.grid(name), row, column, touch=True)


class Keyboard(Mouse):
    """A reader without a mouse: everything has the focus once, and takes keys."""

    def press(self, element):
        assert element.get_attribute("tabindex") != "-1" or element.get_attribute("role") == "radio"
        element.send_keys(Keys.ENTER)

    def cell(self, name, row, column):
        grid, where = self.browser.grid(name), [0, 0]
        if name.startswith("Output;"):
            where = self.browser.js(
                "return [...document.querySelectorAll('.slide .output .mark')].map("
                "(e) => [parseFloat(e.style.top) / 100 * 6, parseFloat(e.style.left) / 100 * 6])[0]"
            )
        keys = [Keys.ARROW_DOWN] * round(row - where[0]) + [Keys.ARROW_UP] * round(where[0] - row)
        keys += [Keys.ARROW_RIGHT] * round(column - where[1]) + [Keys.ARROW_LEFT] * round(where[1] - column)
        grid.send_keys(*keys or [Keys.ARROW_RIGHT])

    def slide(self, element, key, times):
        element.send_keys(*[key] * times)


def largest(browser):
    numbers = browser.numbers(browser.grid("Output;"))
    return (int(k) for k in np.unravel_index(numbers.argmax(), numbers.shape))


def answer(text):
    return lambda reader, browser: reader.press(next(b for b in browser.find(".tour .answer") if b.text == text))


def step(times):
    def act(reader, browser):
        for _ in range(times):
            reader.press(browser.one('[aria-label="Step"]'))

    return act


def change_a_weight(reader, browser):
    reader.cell("Kernel, channel 0", 1, 2)
    reader.press(browser.one('[aria-label="more"]'))


def slider(place, key, times=1):
    return lambda reader, browser: reader.slide(browser.find('input[type="range"]')[place], key, times)


def choose_unit(reader, browser):
    if isinstance(reader, Keyboard):
        browser.one('.grid[aria-label^="conv2"][tabindex="0"]').send_keys(Keys.ARROW_LEFT)
    else:
        reader.cell("conv2, map 3", 4, 4)
    if isinstance(reader, Keyboard):
        browser.one(".made-how summary").send_keys(Keys.ENTER)
    else:
        reader.press(browser.one(".made-how summary"))
    reader.press(browser.one(".made-there"))


ACTS = {
    1: lambda reader, browser: reader.cell("Output;", 4, 1),
    2: answer("18"),
    3: lambda reader, browser: reader.cell("Output;", *largest(browser)),
    4: change_a_weight,
    5: slider(3, Keys.ARROW_RIGHT),
    6: slider(0, Keys.ARROW_RIGHT),
    7: slider(0, Keys.ARROW_RIGHT),
    8: step(5),
    9: lambda reader, browser: reader.cell("Columns", 4, 14),
    10: choose_unit,
    11: answer("Shirt"),
    12: step(2),
    13: answer("9"),
    14: slider(0, Keys.HOME),
    15: lambda reader, browser: reader.press(browser.button("The same with ReLU")),
    16: lambda reader, browser: reader.press(browser.one('[aria-label="shift right"]')),
}


@pytest.mark.parametrize("kind", [Mouse, Finger, Keyboard])
def test_every_step_can_be_done(kind, lesson, quiet):
    quiet.open(lesson, size=(390, 844) if kind.touch else (1280, 900), touch=kind.touch, reload=True)
    reader = kind(quiet)
    reader.press(quiet.button("Take the tour"))
    for number in range(1, STEPS + 1):
        assert quiet.one(".tour-count").text == f"Step {number} of {STEPS}"
        assert quiet.find(".lit-by-tour"), f"step {number} lights nothing"
        assert quiet.one(".tour h2").text
        assert not quiet.find(".tour .because") or quiet.one(".tour .because").text == "", (
            f"step {number} is done at once"
        )
        ACTS[number](reader, quiet)
        assert len(quiet.one(".tour .because").text) > 30, f"step {number} is not done"
        assert quiet.find(".lead") == []  # one voice at a time
        reader.press(quiet.button("Next" if number < STEPS else "End of the tour"))
    assert quiet.find(".tour") == [] and quiet.find(".lit-by-tour") == []
    assert quiet.one("h2.question").text


def test_a_wrong_answer_is_told_why_and_may_be_changed(lesson, quiet):
    quiet.open(lesson, "tour=2", reload=True)
    answer("9")(Mouse(quiet), quiet)
    assert quiet.one(".tour .reply").text == "Not quite. That is one channel; there are two."
    assert quiet.one(".tour .because").text == ""
    answer("18")(Mouse(quiet), quiet)
    assert quiet.find(".tour .reply") == [] and quiet.one(".tour .because").text


def test_every_step_has_a_link_and_the_tour_goes_on_where_it_was_left(lesson, quiet):
    for number in (5, 9, 16):
        quiet.open(lesson, f"tour={number}", reload=True)
        assert quiet.one(".tour-count").text == f"Step {number} of {STEPS}"
    title, address = quiet.one(".tour h2").text, quiet.hash
    quiet.open(lesson, address[1:], reload=True)
    assert quiet.one(".tour h2").text == title
    quiet.one("#tab-slide").click()  # one looks elsewhere
    assert quiet.find(".tour") == []
    quiet.one("#home").click()
    quiet.button("Go on with the tour, step 16").click()
    assert quiet.one(".tour h2").text == title
    quiet.driver.back()
    quiet.driver.back()
    assert quiet.one('[role="tab"][aria-selected="true"]').get_attribute("id") == "tab-slide"


def test_a_step_is_reached_by_its_number_in_the_address_of_the_open_page(lesson, quiet):
    """And the Back button leads to what was seen before, not to that step again."""
    quiet.open(lesson, "tab=size", reload=True)
    quiet.js("location.hash = 'tour=4'")
    quiet.wait(lambda: quiet.find(".tour-count"))
    assert quiet.one(".tour-count").text == f"Step 4 of {STEPS}"
    assert quiet.one('[role="tabpanel"]').get_attribute("id") == "panel-slide" and "tab=slide" in quiet.hash
    quiet.driver.back()
    quiet.wait(lambda: quiet.one('[role="tabpanel"]').get_attribute("id") == "panel-size")
    assert quiet.find(".tour") == []


def test_the_step_on_the_plateau_shows_both_curves_when_its_trainings_are_over(lesson, quiet):
    """It begins with the sigmoid's training; the one with ReLU is drawn beside it."""
    quiet.open(lesson, "tour=15", reload=True)
    at_end = lambda: quiet.js("return document.querySelector('[data-steps]')?.dataset.steps") == "400"  # noqa: E731
    quiet.wait(at_end, 120)
    quiet.button("The same with ReLU").click()
    assert quiet.one(".tour .because").text
    quiet.wait(lambda: at_end() and quiet.find(".legend-item.plain"), 120)
    texts = [item.text.split() for item in quiet.find(".lab figure:first-child .legend-item")]
    losses = {" ".join(name): float(number) for *name, number in texts}
    assert losses["before"] > 1.5 * losses["training"]


def test_the_first_screen_leads_to_the_tour_and_to_every_tab(lesson, quiet):
    quiet.open(lesson, reload=True)
    assert quiet.find('[role="tabpanel"]') == [] and quiet.one(".start h2").text
    names = [card.text.split("\n")[1] for card in quiet.find(".start-tabs button")]
    assert names == ["Slide", "im2col", "Size", "Channels", "Network", "Backward", "Training", "Train here", "Edit"]
    quiet.find(".start-tabs button")[2].click()
    assert quiet.one('[role="tabpanel"]').get_attribute("id") == "panel-size"
    quiet.one("#home").click()
    quiet.button("Look around").click()
    assert quiet.one('[role="tabpanel"]').get_attribute("id") == "panel-slide"
