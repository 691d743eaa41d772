"""The page in a real browser: its links, any width, dark and light, contrast, names, and nets that are not LeNet."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from tinycnn import explain, manual_seed
from tinycnn.models import LeNet
from tinycnn.nn import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, Tanh

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

TABS = ("slide", "im2col", "size", "channels", "network", "backward", "training", "lab", "edit")


STATES = [
    "tab=slide&src=conv2&img=1&o=3&i=5&j=6&c=2",
    "tab=size&n=11&k=4",
    "tab=network&unit=fc1:17",
    "tab=edit&moves=x1,r30",
    "tab=lab&act=tanh&init=kaiming&rate=0.3&ran=2",
]


@pytest.mark.parametrize("state", STATES)
def test_the_address_restores_the_state(state, page, quiet):
    quiet.open(page, state, reload=True)
    first = quiet.one('[role="tabpanel"]').text
    address = quiet.hash
    quiet.open(page, "tab=channels")
    assert quiet.one('[role="tabpanel"]').text != first
    quiet.js("location.hash = arguments[0]", address)
    quiet.wait(lambda: quiet.one('[role="tabpanel"]').text == first)


NONSENSE = [
    "tab=nowhere",
    "tab=slide&src=conv9&i=-4&j=1e9&o=77&img=5",
    "tab=slide&edits=w.9.9=1,x.0.0.0=NaN,rubbish",
    "tab=network&unit=conv1:99.0.0",
    "tab=edit&pic=999&moves=zz,b!,r1e400",
    "tab=im2col&tap=999&s=7",
    "tab=size&n=0&k=99&ss=0",
    "tab=training&step=99&cell=a.b",
    "tab=size&tour=99",
    "tab=lab&act=x&init=constructor&rate=-3&ran=-1e9",
]


@pytest.mark.parametrize("state", NONSENSE)
def test_an_address_that_makes_no_sense_does_no_harm(state, page, quiet):
    quiet.open(page, state, reload=True)
    assert quiet.one(".start h2" if "nowhere" in state else "h2.question").text


TOO_WIDE = """
    const scrolls = (e) =>
      e && e !== document.body && (getComputedStyle(e).overflowX !== 'visible' || scrolls(e.parentElement));
    return [...document.querySelectorAll('main *')]
      .filter((e) => e.checkVisibility() && !scrolls(e) && e.getBoundingClientRect().right > innerWidth + 1)
      .map((e) => e.className || e.tagName).slice(0, 5);
"""


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", TABS)
def test_no_width_needs_sideways_scrolling(name, width, page, quiet):
    quiet.open(page, f"tab={name}", size=(width, 800), touch=width == 360)
    wide = quiet.js("return document.documentElement.scrollWidth")
    assert wide <= width
    assert quiet.js(TOO_WIDE) == []


def test_dark_and_light(page, quiet):
    background = "return getComputedStyle(document.body).backgroundColor"
    light = quiet.open(page, prefers_color_scheme="light").js(background)
    dark = quiet.open(page, prefers_color_scheme="dark").js(background)
    assert light != dark
    quiet.one("#theme").click()
    assert quiet.js(background) == light and "theme=light" in quiet.hash
    assert quiet.open(page, "theme=dark", prefers_color_scheme="light").js(background) == dark


CONTRAST = """
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;  // of sRGB, as WCAG 2 has it
    const light = (colour) => {
      const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => linear(Number(v) / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (e) => {
      for (; e; e = e.parentElement) {
        const colour = getComputedStyle(e).backgroundColor;
        if (colour.startsWith('rgb(')) return colour;
      }
    };
    const written = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    return [...document.querySelectorAll('body *')]
      .filter((e) => e.checkVisibility() && !e.closest('svg, [aria-hidden]') && written(e))
      .map((e) => {
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), e.className || e.tagName, e.textContent.slice(0, 20)];
      }).filter(([ratio]) => ratio < 4.5);
"""


AXE = Path(os.environ.get("AXE", "axe.min.js"))
FAULTS = """
    const done = arguments[0];
    axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations.map(
      (v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160))])));
"""
OTHERS = {"prefers_color_scheme": "dark"}, {"forced_colors": "active"}


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed; AXE names its axe.min.js")
@pytest.mark.parametrize("media", [{}, *(pytest.param(media, marks=pytest.mark.slow) for media in OTHERS)], ids=str)
def test_axe_finds_nothing(media, page, quiet):
    views = ["", "tour=1", *(f"tab={name}&guess=0" for name in TABS)]
    views += [f"tab=backward&part={part}" for part in (2, 3, 4, 5)] + [
        f"tab=training&view={view}" for view in (2, 3, 4)
    ]
    views += [f"tab={name}&sheet=1" for name in ("slide", "im2col", "size", "network", "backward", "training", "lab")]
    faults = []
    for view in views:
        quiet.open(page, view, reload=view == "", **media)
        if not quiet.js("return window.axe !== undefined"):
            quiet.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
            quiet.js("(0, eval)(arguments[0])", AXE.read_text(encoding="utf-8"))
        found = quiet.driver.execute_async_script(FAULTS)
        faults.extend(f"{view}: {fault}" for fault in found)
    assert not faults, "\n".join(faults)


def test_numbers_stand_out_from_their_cells(page, quiet):
    script = """
        const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
        let least = 21;
        for (const {grid} of document.querySelectorAll('[role=tabpanel]:not([hidden]) .grid')) {
          const {most, least: from} = grid.paint;
          for (let k = 0; k <= 400; k++) {
            const fill = grid.paint(-most + k * most / 200);
            const ink = grid.ink(fill) === '#000' ? 0 : 1;
            const [a, b] = [light(fill), ink].sort((x, y) => y - x);
            least = Math.min(least, (a + 0.05) / (b + 0.05));
          }
        }
        return least;"""
    for theme in ("light", "dark"):
        for name in ("slide", "size", "channels"):
            assert quiet.open(page, f"tab={name}", prefers_color_scheme=theme).js(script) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme, page, quiet):
    for name in TABS:
        quiet.open(page, f"tab={name}&guess=0", prefers_color_scheme=theme, prefers_reduced_motion="reduce")
        assert quiet.js(CONTRAST) == [], name


def test_everything_that_can_be_used_has_a_name(page, quiet):
    script = """
        return [...document.querySelectorAll('button, input, select, [tabindex="0"]')].filter((e) => e.checkVisibility()
          && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim() || e.title))
          .map((e) => e.outerHTML.slice(0, 80))"""
    for name in TABS:
        assert quiet.open(page, f"tab={name}").js(script) == [], name


def test_the_lesson_page(quiet, tmp_path):
    path = explain.lesson_page(tmp_path / "lesson.html")
    quiet.open(path)
    assert quiet.js("return document.documentElement.dataset.selfcheck") == "pass"
    for name in TABS:
        quiet.one(f"#tab-{name}").click()
        assert quiet.one('[role="tabpanel"]').get_attribute("id") == f"panel-{name}"


def test_on_the_lesson_page_a_shift_changes_the_probabilities(quiet, tmp_path):
    """What the tab Edit says of them; a net that has learnt nothing would not show it."""
    quiet.open(explain.lesson_page(tmp_path / "lesson.html"), "tab=edit")
    bars = lambda: np.array([float(element.text) for element in quiet.find(".edit-bars .num")])  # noqa: E731
    before = bars()
    quiet.find(".answer")[0].click()
    assert "moves=x2" in quiet.hash
    assert np.abs(bars() - before).max() > 0.05


def test_a_page_without_training_says_how_to_train(quiet, traces, tmp_path):
    quiet.open(explain.report(traces, tmp_path / "page.html"), "tab=training")
    assert "python examples/lenet_fashion.py --report lenet.html" in quiet.one(".empty").text


FRAME = """<!doctype html><title>A lesson with the page in it</title><iframe width="1000" height="700"></iframe>
<script type="application/json" id="page">{page}</script>
<script>
  const frame = document.querySelector('iframe');
  frame.srcdoc = JSON.parse(document.getElementById('page').textContent);
</script>"""


def test_the_page_lives_in_a_frame_without_an_address(page, quiet, tmp_path):
    text = json.dumps(page.read_text(encoding="utf-8")).replace("<", "\\u003c")
    outer = tmp_path / "outer.html"
    outer.write_text(FRAME.replace("{page}", text), encoding="utf-8")
    quiet.driver.get(outer.as_uri())
    quiet.driver.switch_to.frame(0)
    try:
        quiet.wait(lambda: quiet.js("return document.documentElement.dataset.selfcheck === 'pass'"), 60)
        for name in ("im2col", "edit", "slide"):
            quiet.one(f"#tab-{name}").click()
            assert quiet.one('[role="tabpanel"]').get_attribute("id") == f"panel-{name}"
        quiet.grid("Output").send_keys(Keys.ARROW_DOWN)
        assert quiet.one(".say").text.startswith("Output (3, 2)")
    finally:
        quiet.driver.switch_to.default_content()


def test_a_page_for_a_lecture_turns_by_a_remote_control(page, quiet):
    quiet.open(page, "tour=1&present=1", reload=True)
    assert quiet.js("return parseFloat(getComputedStyle(document.body).zoom)") == 1.5 and quiet.find(".rest") == []
    body = quiet.driver.find_element("tag name", "body")
    for key, count in ((Keys.PAGE_DOWN, 2), (Keys.PAGE_DOWN, 3), (Keys.PAGE_UP, 2)):
        body.send_keys(key)
        assert quiet.one(".tour-count").text.startswith(f"Step {count} of")
    assert "present=1" in quiet.hash


FULL = "return [Boolean(document.fullscreenElement), document.documentElement.classList.contains('present')]"


@pytest.mark.parametrize(("by", "large"), [("button", False), ("key", False), ("key", True)])
def test_a_lecture_takes_the_whole_screen_and_escape_gives_it_back(by, large, page, quiet):
    """As a link has the page, large or not, so it is again afterwards."""
    quiet.open(page, f"tab=slide{'&present=1' * large}", reload=True)
    body = quiet.driver.find_element("tag name", "body")
    if by == "button":
        button = quiet.button("Full screen")
        quiet.js("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
    else:
        body.send_keys("f")
    quiet.wait(lambda: quiet.js(FULL) == [True, True])
    assert "present=1" in quiet.hash
    body.send_keys(Keys.ESCAPE)
    quiet.wait(lambda: quiet.js(FULL) == [False, large])
    assert ("present=1" in quiet.hash) == large
    body.send_keys("f")
    quiet.wait(lambda: quiet.js(FULL) == [True, True])
    body.send_keys("f")  # and the key itself, too
    quiet.wait(lambda: quiet.js(FULL) == [False, large])


def test_where_no_page_may_take_the_screen_it_is_large_until_escape(page, quiet):
    quiet.open(page, "tab=slide", reload=True)
    quiet.js("document.documentElement.requestFullscreen = () => Promise.reject(new TypeError('not allowed'))")
    body = quiet.driver.find_element("tag name", "body")
    body.send_keys("f")
    quiet.wait(lambda: quiet.js(FULL) == [False, True])
    body.send_keys(Keys.ESCAPE)
    quiet.wait(lambda: quiet.js(FULL) == [False, False])


EMBED = """<!doctype html><title>Around</title><iframe width="900" height="300" src="{address}"></iframe>
<script>
  addEventListener('message', ({{data}}) => {{
    if (data.source === 'tinycnn') document.querySelector('iframe').height = window.told = data.height;
  }});
</script>"""


def test_the_figure_alone_lives_in_another_page_and_tells_its_height(page, quiet, tmp_path):
    outer = tmp_path / "outer.html"
    address = f"{page.as_uri()}#tab=channels&embed=1&hide=controls"
    outer.write_text(EMBED.format(address=address), encoding="utf-8")
    quiet.driver.get(outer.as_uri())
    quiet.wait(lambda: (quiet.js("return window.told") or 0) > 300, 60)
    quiet.driver.switch_to.frame(0)
    try:
        quiet.wait(lambda: quiet.js("return document.documentElement.dataset.selfcheck === 'pass'"), 60)
        assert quiet.grid("Output map") and quiet.one(".dock")
        for hidden in ("h1", "nav", ".lead", ".code", ".foot", ".stage-controls"):
            assert quiet.find(hidden) == [], hidden
        assert quiet.js("return document.documentElement.scrollHeight <= innerHeight + 1")
    finally:
        quiet.driver.switch_to.default_content()


def test_paper_is_white_and_has_no_buttons(page, quiet):
    quiet.open(page, "tab=slide&theme=dark", reload=True)
    quiet.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert quiet.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for hidden in (".tools", ".tabs", ".player", ".skip", ".which", ".foot", ".controls"):
            assert quiet.find(hidden) == [], hidden
        assert quiet.one(".question") and quiet.find(".answer") and quiet.grid("Output")
        lines = "return [...document.querySelectorAll('.code pre')].filter((e) => e.checkVisibility())"
        assert quiet.js(lines + ".every((e) => e.scrollWidth <= e.clientWidth)")  # nothing is cut off
    finally:
        quiet.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_words_are_explained(page, quiet):
    quiet.open(page, "tab=slide")
    quiet.one("#words").click()
    words = [element.text for element in quiet.find("#glossary dt")]
    assert {"kernel", "filter", "channel", "bias", "stride", "padding", "gradient"} <= set(words)
    quiet.button("Close").click()


TOY_STATES = ["tab=slide", "tab=im2col", "tab=channels", "tab=backward&part=3", "tab=backward&part=4", "tab=lab&ran=20"]


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
@pytest.mark.parametrize("state", TOY_STATES)
def test_figure_and_controls_are_on_one_screen(state, size, page, quiet):
    """Of the toy: all of it on a desk; on a phone the sentence and the buttons stay in sight while one scrolls."""
    quiet.open(page, state, size=size, touch=size[0] < 500, reload=True)
    box = lambda selector: quiet.js("return arguments[0].getBoundingClientRect()", quiet.one(selector))  # noqa: E731
    if size[0] > 500:
        assert box(".stage-figure")["bottom"] <= box(".dock")["top"] + 1
    else:
        quiet.js("scrollBy(0, 250)")
    assert box(".dock")["bottom"] <= size[1] + 1 and box(".say")["bottom"] <= size[1] + 1


SCROLLED = """
    return [...document.querySelectorAll('.stage-controls > .controls')]
      .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth).length;
"""


# How far the figure reaches below the bar's upper edge, and the bar below the window's lower one.
BELOW = """
    const [figure, dock] = ['.stage-figure', '.dock'].map((selector) =>
      [...document.querySelectorAll(selector)].find((e) => e.checkVisibility()).getBoundingClientRect());
    return [figure.bottom - dock.top, dock.bottom - innerHeight];
"""
LAYER_STATES = [f"tab={tab}&src={layer}" for tab in ("slide", "im2col", "channels") for layer in ("conv1", "conv2")]
LAYER_STATES += [f"tab=backward&part={part}&src=conv2" for part in (3, 4)]
LARGER = [pytest.param(size, marks=pytest.mark.slow) for size in ((1366, 768), (1440, 900))]


@pytest.mark.parametrize("size", [(1024, 768), (1280, 720), *LARGER])
@pytest.mark.parametrize("lang", ["en", "vi"])
def test_figure_and_controls_are_all_in_sight_on_a_desk(lang, size, page, quiet):
    """Of the toy and of LeNet's layers: nothing is scrolled for, and no figure goes on behind the bar."""
    quiet.open(page, f"tab=slide&lang={lang}", size=size, reload=True)
    for state in TOY_STATES + LAYER_STATES:
        quiet.open(page, f"{state}&lang={lang}", size=size)
        assert quiet.js(SCROLLED) == 0, state
        behind, below = quiet.js(BELOW)
        assert behind <= 1 and below <= 1, f"{state}: {behind:.0f} pixels behind the bar"


class Twice(Module):
    def forward(self, x):
        return (x + x).tanh()


NETS = {
    "other layers": lambda: Sequential(
        Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), bias=False), Tanh(), MaxPool2d(3, stride=2, padding=1),
        Conv2d(4, 6, 2, groups=2, dilation=2), ReLU(), AvgPool2d(2, padding=1, count_include_pad=False),
        Flatten(), Dropout(0.3), Linear(6 * 2 * 2, 4)),
    "ceil mode": lambda: Sequential(
        Conv2d(3, 8, 3), AvgPool2d(2, ceil_mode=True), ReLU(), MaxPool2d(2, ceil_mode=True),
        Flatten(), Linear(8 * 3 * 2, 4)),
    "no convolution": lambda: Sequential(Flatten(), Linear(3 * 13 * 9, 20), ReLU(), Linear(20, 4)),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETS)
def test_other_nets(kind, quiet, tmp_path, rng):
    manual_seed(1)
    net, x = NETS[kind](), rng.random((2, 3, 13, 9)).astype(np.float32)
    path = explain.report([explain.trace(net, x[i : i + 1], [i]) for i in range(2)], tmp_path / "page.html")
    quiet.open(path)
    assert quiet.js("return document.documentElement.dataset.selfcheck") == "pass"
    for name in TABS:
        quiet.one(f"#tab-{name}").click()
        assert quiet.one("h2.question").text


def data_of(path):
    """What the page holds."""
    return json.loads(re.search(r'id="trace">(.*?)</script>', path.read_text(encoding="utf-8"), re.S)[1])


def wide():
    """The weights of its second convolution are the largest array that it has."""
    return Sequential(Conv2d(1, 64, 3, stride=3), ReLU(), Conv2d(64, 64, 3, stride=3), Flatten(), Linear(576, 10))


LEFT_OUT = [(LeNet, "all", 2), pytest.param(wide, "gradients", 1, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("make", "what", "image"), LEFT_OUT)
def test_every_tab_opens_whatever_was_left_out(make, what, image, quiet, tmp_path, garments):
    """Of two images: all of the second, then of the first what is not its outputs, and the large weights."""
    manual_seed(1)
    net, path = make(), tmp_path / "page.html"
    traces = [explain.trace(net, garments.images[k : k + 1], garments.labels[k : k + 1]) for k in range(2)]
    limit = explain.report(traces, path).stat().st_size
    while [what, image] not in [[part, number] for part, _, number in data_of(path)["left_out"]]:
        limit -= 300_000
        explain.report(traces, path, max_mb=limit / 1e6)
    data = data_of(path)
    assert len(data["samples"]) == 1
    quiet.open(path, "tab=slide&img=1&src=conv2")
    assert quiet.js("return document.documentElement.dataset.selfcheck") == "pass"
    units = ["conv1:0.3.3", "conv2:0.1.1", f"{data['model']['layers'][-1]['label']}:3"]
    states = [f"tab={name}" for name in TABS] + [f"tab=backward&part={part}&src=conv2" for part in (2, 3, 4)]
    for state in states + [f"tab=network&unit={unit}" for unit in units]:
        quiet.open(path, f"{state}&img=1")
        assert quiet.one("h2.question").text, state


def test_a_layer_that_the_browser_does_not_know(quiet, tmp_path, rng):
    net = Sequential(Conv2d(1, 2, 3), Twice(), Flatten(), Linear(2 * 36, 3))
    trace = explain.trace(net, rng.random((1, 1, 8, 8)).astype(np.float32), [1])
    quiet.open(explain.report(trace, tmp_path / "page.html"), "tab=network")
    assert quiet.js("return document.documentElement.dataset.selfcheck") == "pass"  # of what it does know
    quiet.press(quiet.grid("twice1, map 1"), 2, 3)
    assert quiet.value == trace["twice1"].out[0, 1, 2, 3]
    quiet.one("#tab-edit").click()
    assert "The browser cannot recompute this network: it does not have twice1 (Twice())" in quiet.one(".empty").text


def test_strange_class_names_are_text(quiet, tmp_path, net, garments):
    name = "</script><img src=x onerror=alert(1)>"
    trace = explain.trace(net, garments.images[:1], [0])
    quiet.open(explain.report(trace, tmp_path / "page.html", classes=[name] * 10, title=name), "tab=backward")
    assert quiet.one("h1").text == name and name in quiet.one(".bar-row.truth").text
    assert quiet.js("return document.images.length") == 0
