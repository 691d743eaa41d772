"""The figure of each tab as a file: what was downloaded is read back, and its numbers and colours are the engine's."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tinycnn import explain
from tinycnn.explain import lesson
from tinycnn.explain.figures.convolution import columns

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

SVG = "{http://www.w3.org/2000/svg}"
VIEWS = {
    "slide": ["", "src=conv2&img=1&o=3"],
    "im2col": ["", "src=conv1"],
    "size": ["n=8"],
    "channels": ["", "src=conv2"],
    "network": ["unit=pool1:3.5.6"],
    "backward": [f"part={part}" for part in range(1, 6)],
    "training": [f"view={view}" for view in range(1, 5)],
    "lab": ["", "ran=45"],
    "edit": ["moves=x2"],
}


@pytest.fixture
def saved(quiet, tmp_path):
    """saved(kind) presses the button of that kind and gives the file that comes of it; by=key presses its letter."""
    folder = tmp_path / "downloads"
    allowed = {"behavior": "allow", "downloadPath": str(folder)}
    quiet.driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)

    def save(kind, by=None):
        for old in folder.glob("*"):
            old.unlink()
        if by:
            quiet.driver.find_element("tag name", "body").send_keys(by)
        else:
            button = quiet.button(f"Save figure as {kind.upper()}")
            quiet.js("arguments[0].scrollIntoView({block: 'center'})", button)  # from behind the bar
            button.click()
        found = lambda: [path for path in folder.glob(f"*.{kind}") if path.stat().st_size]  # noqa: E731
        quiet.wait(found)
        return found()[0]

    yield save
    quiet.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})


def grid_of(root, name):
    """The group of the grid whose name begins so."""
    found = [g for g in root.iter(f"{SVG}g") if (t := g.find(f"{SVG}title")) is not None and t.text.startswith(name)]
    assert len(found) == 1, f"{len(found)} grids {name}"
    return found[0]


def numbers(root, name):
    """What is written in the cells of a grid."""
    return np.array([float(text.text.replace("−", "-")) for text in grid_of(root, name).iter(f"{SVG}text")])


def light(colour):
    """How much light a colour gives, by WCAG 2."""
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_every_figure_is_a_file_that_needs_nothing_else(name, theme, page, quiet, saved):
    for view in VIEWS[name]:
        quiet.open(page, f"tab={name}&theme={theme}&{view}")
        path = saved("svg")
        assert path.stem.startswith(f"tinycnn-{name}")
        text = path.read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert root.find(f"{SVG}title").text.startswith(quiet.one(f"#tab-{name}").text.lstrip("0123456789\n"))
        assert root.find(f"{SVG}title").text.endswith("A net")
        assert not re.search(r"\s(class|style|href|src)=|var\(|color\(|NaN|undefined|Infinity", text)
        assert len(list(root.iter(f"{SVG}text"))) > 5
        assert root[1].get("fill") == "#ffffff"
        loose = [t for t in root.iter(f"{SVG}text") if t.get("font-family") and t.get("fill") != "none"]
        assert all(1.05 / (light(t.get("fill")) + 0.05) >= 4.5 for t in loose)  # on white
        assert quiet.js("return document.documentElement.dataset.theme") == theme
        assert quiet.one(".kit [role=status]").text == f"Saved tinycnn-{name}.svg."


@pytest.mark.parametrize("key", [None, "s"])
def test_the_numbers_of_a_convolution_are_the_engines(key, page, quiet, saved):
    out = lesson.toy(1, 1, 1, False)["conv1"].out[0, 1]
    quiet.open(page, "tab=slide&o=1&i=3&j=4", reload=True)
    root = ET.fromstring(saved("svg", key).read_text(encoding="utf-8"))
    assert np.array_equal(numbers(root, "Output"), out.ravel())
    assert np.array_equal(numbers(root, "Kernel, channel 1"), np.ravel(lesson.W[1][1]))
    x = np.pad(lesson.X[0], 1)
    assert np.array_equal(numbers(root, "Input, channel 0"), x.ravel())
    texts = [t.text.replace("−", "-") for t in root.iter(f"{SVG}text")]
    assert texts[texts.index("[1, 3, 4]") + 2] == str(int(out[3, 4]))  # y[1, 3, 4] = and its value, below the figure


def test_columns_product_and_gradients_are_the_engines(page, quiet, saved):
    record = lesson.toy(1, 1, 1, False)["conv1"]
    root = ET.fromstring(saved_at(quiet, page, saved, "tab=im2col").read_text(encoding="utf-8"))
    assert np.array_equal(numbers(root, "Columns"), columns(record).ravel())
    assert np.array_equal(numbers(root, "Output, one row per filter"), record.out[0].ravel())
    root = ET.fromstring(saved_at(quiet, page, saved, "tab=backward&part=3").read_text(encoding="utf-8"))
    assert np.array_equal(numbers(root, "Weight gradient, the whole"), record.grad_w[0, 0].ravel())
    root = ET.fromstring(saved_at(quiet, page, saved, "tab=channels").read_text(encoding="utf-8"))
    assert np.array_equal(numbers(root, "Output map"), record.out[0, 0].ravel())


def saved_at(browser, page, saved, state):
    browser.open(page, state)
    return saved("svg")


def test_maps_have_the_colours_of_the_engines_numbers(page, traces, quiet, saved):
    """A map without numbers: every cell of the file is painted as the page paints the engine's number."""
    quiet.open(page, "tab=network&img=1")
    out = traces[1]["conv2"].out[0, 5]
    paint = "return arguments[1].map((v) => arguments[0].grid.paint(v))"
    expected = np.array(quiet.js(paint, quiet.grid("conv2, map 5"), out.ravel().tolist())).reshape(10, 10, 3)
    group = grid_of(ET.fromstring(saved("svg").read_text(encoding="utf-8")), "conv2, map 5")
    found = np.full((10, 10, 3), -1)
    for path in group.iter(f"{SVG}path"):
        colour = [int(path.get("fill")[k : k + 2], 16) for k in (1, 3, 5)]
        for c, r, wide in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path.get("d")):
            found[int(r), int(c) : int(c) + int(wide)] = colour
    assert np.array_equal(found, expected)


def test_a_training_is_saved_with_its_kernels_curves_and_numbers(page, quiet, saved):
    quiet.open(page, "tab=lab&act=tanh&init=kaiming&rate=0.3&ran=45", reload=True)
    quiet.wait(lambda: quiet.one("[data-steps]").get_attribute("data-steps") == "45", 60)
    root = ET.fromstring(saved("svg").read_text(encoding="utf-8"))
    for name in ("Kernel of filter 2", "Gradient of the kernel of filter 2"):
        shown = quiet.numbers(quiet.grid(name)).ravel().tolist()
        paint = "return arguments[1].map((v) => arguments[0].grid.paint(v))"
        expected = ["#" + bytes(colour[:3]).hex() for colour in quiet.js(paint, quiet.grid(name), shown)]
        assert [rect.get("fill") for rect in grid_of(root, name).iter(f"{SVG}rect")] == expected
    curves = [line.get("points") for line in root.iter(f"{SVG}polyline") if line.get("points")]
    points = "return [...document.querySelectorAll('.lab .curve')].map((e) => e.getAttribute('points'))"
    assert curves == [line for line in quiet.js(points) if line] and len(curves) == 6
    assert curves[0].count(",") == 45  # a point for each step
    pen = lambda line: (line.get("stroke"), "stroke-dasharray" in line.keys())  # noqa: E731
    lines = [line for line in root.iter(f"{SVG}line") if float(line.get("x2")) - float(line.get("x1")) == 18]
    drawn = [line for line in root.iter(f"{SVG}polyline") if line.get("points")]
    assert [pen(line) for line in lines] == [pen(line) for line in drawn]  # the legends' pieces of line
    texts = " ".join(t.text for t in root.iter(f"{SVG}text"))
    for told in [e.text for e in quiet.find(".lab .legend-item")] + [quiet.one(".say").text]:
        assert told in texts
    assert "training: mean of 20 steps" in texts and "±" in texts


@pytest.mark.parametrize("key", [None, "p"])
def test_png_is_the_same_at_twice_the_size(key, page, quiet, saved):
    image = pytest.importorskip("PIL.Image")
    quiet.open(page, "tab=slide", reload=True)
    root = ET.fromstring(saved("svg").read_text(encoding="utf-8"))
    picture = image.open(saved("png", key)).convert("RGB")
    assert picture.size == (2 * int(root.get("width")), 2 * int(root.get("height")))
    assert picture.getpixel((3, 3)) == (255, 255, 255)
    ours = {picture.getpixel((x, y)) for x in range(0, picture.width, 9) for y in range(0, picture.height, 9)}
    cells = {rect.get("fill") for rect in grid_of(root, "Input, channel 0").iter(f"{SVG}rect")} - {"none"}
    assert len(cells) > 5 and {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in ours} >= cells


def test_letters_that_are_typed_save_nothing(page, quiet, tmp_path):
    quiet.open(page, "tab=size", reload=True)
    quiet.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "deny"})
    quiet.one('.stage input[type="checkbox"]').click()
    quiet.one('input[type="number"]').send_keys("s")
    quiet.one("#words").click()
    quiet.driver.switch_to.active_element.send_keys("s")
    quiet.button("Close").click()
    assert quiet.js("return document.querySelector('.kit [role=status]').textContent") == ""
    quiet.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "default"})


def test_letters_press_no_button_that_is_not_there(page, quiet):
    """No figure on the first screen, no worksheet of the tab Edit."""
    quiet.open(page, reload=True)
    body = quiet.driver.find_element("tag name", "body")
    body.send_keys("s", "w")
    assert quiet.hash == "" and quiet.one(".start")
    quiet.one("#tab-edit").click()
    body.send_keys("w")
    quiet.one("#tab-slide").click()
    assert "sheet" not in quiet.hash and quiet.one("h2.question")


def test_letters_can_be_turned_off_and_stay_so_in_the_link(page, quiet):
    """WCAG 2.1.4: who speaks to a computer would press a button with every word."""
    quiet.open(page, "tab=slide", reload=True)
    body, switch = quiet.driver.find_element("tag name", "body"), quiet.one(".kit input")
    button = quiet.button("Worksheet")
    assert switch.find_element("xpath", "..").text == "Letter keys F, P, S, W" and switch.is_selected()
    told = lambda one: (one.get_attribute("title"), one.get_attribute("aria-keyshortcuts"))  # noqa: E731
    assert told(button) == ("key W", "W")
    quiet.js("arguments[0].scrollIntoView({block: 'center'})", switch)
    switch.click()
    assert "keys=0" in quiet.hash and told(button) == ("", None)
    body.send_keys("w", "f", "s")
    assert quiet.find(".sheet") == []
    assert quiet.js("return document.querySelector('.kit [role=status]').textContent") == ""
    assert quiet.js("return document.fullscreenElement") is None
    quiet.open(page, quiet.hash[1:], reload=True)
    quiet.driver.find_element("tag name", "body").send_keys("w")
    assert quiet.find(".sheet") == [] and not quiet.one(".kit input").is_selected()
    quiet.one(".kit input").send_keys(" ")  # and on again, by the keyboard
    quiet.driver.find_element("tag name", "body").send_keys("w")
    assert "keys" not in quiet.hash and quiet.one(".sheet:not(.solution)")


def test_a_tab_without_a_figure_has_no_such_button(quiet, traces, tmp_path):
    quiet.open(explain.report(traces, tmp_path / "page.html"), "tab=training")
    assert quiet.find(".kit") == []
    quiet.one("#tab-slide").click()
    assert quiet.one(".kit")
