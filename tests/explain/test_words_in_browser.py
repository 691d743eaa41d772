"""No word is forgotten: where a language writes every text in letters of its own, the page shows no other letters."""

import json
import re

import pytest

from tinycnn import explain
from tinycnn.explain import words
from tinycnn.nn import Flatten, Linear, Module, Sequential

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # every state of every tab is looked at
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

TABS = ("slide", "im2col", "size", "channels", "network", "backward", "training", "lab", "edit")


def foreign(entry):
    """The texts of a table in letters of their own, "Ｌｉｋｅ ｔｈｉｓ"; {parts} stay."""
    if isinstance(entry, list):
        return [foreign(part) for part in entry]
    if isinstance(entry, dict):
        return {name: foreign(part) for name, part in entry.items()}
    return re.sub(r"\{\w+\}|[A-Za-z]", lambda m: m[0] if len(m[0]) > 1 else chr(ord(m[0]) + 0xFEE0), entry)


@pytest.fixture(scope="module")
def other_words(tmp_path_factory):
    """A third language, as a folder of tables in the place of the package's."""
    folder = tmp_path_factory.mktemp("languages")
    for path in words.FOLDER.glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    table = json.loads((folder / "en.json").read_text(encoding="utf-8"))
    (folder / "eo.json").write_text(json.dumps(foreign(table)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "FOLDER", folder)
        yield folder


@pytest.fixture(scope="module")
def strange(traces, extras, other_words):
    """The page with everything in it, in that language."""
    return explain.report(traces, other_words / "page.html", lang="eo", **extras)


# What is written for a reader, and what is not: code, names, formulas, and languages in their own words.

SHOWN = """
    const [kept, found] = ['pre, code, i, .file, td.kind, #home, #language, .row-labels, .symbols', []];
    const letters = /[A-Za-z]{2}/;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (!letters.test(walker.currentNode.data)) continue;  // a number, as most are, needs no look at where it is
      const at = walker.currentNode.parentElement;
      if (at.checkVisibility() && !at.closest(kept)) found.push(walker.currentNode.data);
    }
    for (const name of ['aria-label', 'aria-roledescription', 'title', 'alt', 'placeholder']) {
      for (const element of document.querySelectorAll(`body [${name}]`)) {
        const text = element.getAttribute(name);
        if (letters.test(text) && element.checkVisibility()) found.push(text);
      }
    }
    return [document.title, ...found];
"""
NAMES = re.compile(
    r"(conv|pool|fc|sigmoid|odd|mul|flatten)\d?|tinycnn|NumPy|Python|CPU|GPU|float\d+|[\w/]+\.py|cols(?=\[)|softmax|Odd\(\)"
    r"|im2col|col2im|max_pool2d|avg_pool2d|dcols|dy|dx|dw|\d[\d.]*e[−+]\d+"
)


def forgotten(browser):
    """The words that no table has."""
    rest = [(NAMES.sub("", text), text) for text in browser.js(SHOWN)]
    return sorted({text for left, text in rest if re.search(r"[A-Za-z]{2}", left)})


EVERYTHING_OPEN = "for (const one of document.querySelectorAll('details')) one.open = true;"
EDITS = "edits=w.0.0.1.2%3D5"
STATES = {
    "slide": ["", "flip=1&src=toy&i=5", "src=conv2&img=1&o=3", EDITS],
    "im2col": ["", "fill=1&i=0&j=0", "tap=4", "src=conv2", "d=2", EDITS],
    "size": ["", "n=8", "n=2&k=7&ss=1", "n=9&sd=2&sp=1", "n=1&k=1&ss=1"],
    "channels": ["", "src=conv1", "src=conv2"],
    "network": [f"unit={unit}" for unit in ("conv2:0.1.1", "sigmoid1:2.9.9", "pool1:3.5.6", "fc1:33", "fc3:9")],
    "backward": [*(f"part={k}" for k in range(1, 6)), "part=3&i=9&j=9", "part=4&src=conv2", f"part=4&i=9&j=9&{EDITS}"],
    "training": ["view=1", "view=2", "view=3", "view=3&cell=1.1", "view=3&cell=6.2", "view=4"],
    "lab": ["ran=21", "act=relu&init=large&rate=1&ran=20", "act=tanh&init=zeros&ran=1", "act=tanh&init=xavier"],
    "edit": ["", "moves=x9,r90", "pic=3&moves=v1"],
}  # fmt: skip


@pytest.mark.parametrize("name", TABS)
def test_no_view_of_a_tab_has_a_word_that_no_table_has(name, strange, quiet):
    found = set()
    for state in [*STATES[name], "sheet=1"]:
        quiet.open(strange, f"tab={name}&{state}")
        quiet.js(EVERYTHING_OPEN)
        found.update(forgotten(quiet))
    assert not found
    assert quiet.js("return document.documentElement.lang") == "eo"


@pytest.mark.parametrize("name", TABS)
def test_no_question_has_a_word_that_no_table_has(name, strange, quiet):
    found = set()
    for answer in range(3):
        quiet.open(strange, f"tab={name}", reload=True)
        for turn in quiet.find(".which button"):
            turn.click()
            found.update(forgotten(quiet))
            answers = quiet.find(".answer")
            answers[answer % len(answers)].click()
            found.update(forgotten(quiet))
    assert not found


def test_nothing_that_is_pointed_at_is_called_by_a_word_that_no_table_has(strange, quiet):
    quiet.open(strange, "tab=slide&s=2&p=0", reload=True)
    found = set()
    for role in ("input", "kernel", "output"):
        grid = quiet.find(f".grid.{role}")[0]
        for place in ((0, 0), (1, 1), (2, 2)):
            quiet.press(grid, *place)
            found.update(forgotten(quiet))
    quiet.press(quiet.find(".grid.input")[0], 5, 5)  # no window reaches it
    found.update(forgotten(quiet))
    quiet.find(".editor button")[0].click()
    found.update(forgotten(quiet))
    quiet.open(strange, "tab=network&unit=conv2:0.1.1")
    quiet.point(quiet.one(".inspector .grid.gradient"), 9, 9)
    found.update(forgotten(quiet))
    assert not found


def test_the_quiz_speaks_by_the_table(strange, quiet):
    quiet.open(strange, "tab=size", reload=True)
    quiet.one('.stage input[type="checkbox"]').click()
    found = set(forgotten(quiet))
    for guess in ("0", "1", "2", "3"):
        quiet.one('input[type="number"]').send_keys(guess, Keys.ENTER)
        found.update(forgotten(quiet))
        quiet.one(".guess button").click()
    assert not found


def test_no_step_of_the_tour_has_a_word_that_no_table_has(strange, quiet):
    quiet.open(strange, reload=True)
    found = set(forgotten(quiet))
    quiet.one(".start-buttons .primary").click()
    for _ in range(16):
        found.update(forgotten(quiet))
        for answer in quiet.find(".tour .answer"):
            answer.click()
            found.update(forgotten(quiet))
        quiet.one('[data-turn="Next"]').click()
    assert not found and quiet.find(".tour") == []


def test_the_dialogs_speak_by_the_table(strange, quiet):
    quiet.open(strange, "tab=slide", check=True)  # without, the badge has no dialog
    found = set()
    for opener in ("badge", "words", "practise"):
        quiet.one(f"#{opener}").click()
        found.update(forgotten(quiet))
        for _ in range(8 if opener == "practise" else 0):
            quiet.one('dialog input[type="number"]').send_keys("1", Keys.ENTER)
            found.update(forgotten(quiet))
            quiet.one("dialog > .primary").click()
        quiet.js("document.querySelector('dialog[open]').close()")
    for tool in ("theme", "link"):
        quiet.one(f"#{tool}").click()
        found.update(forgotten(quiet))
    assert not found


# Pages that are without something


class Odd(Module):
    """A layer that the browser does not know."""

    def forward(self, x):
        return x * 0.5

    def __repr__(self):
        return "Odd()"


def test_what_a_page_does_without_is_said_by_the_table(traces, extras, garments, other_words, quiet):
    some = explain.report(traces, other_words / "some.html", lang="eo", classes=extras["classes"], max_mb=1.9)
    quiet.open(some, "tab=slide&src=conv1&img=1")
    assert quiet.js("return document.querySelectorAll('.foot p').length") == 3  # and the last says what was left out
    found = set(forgotten(quiet))
    for state in ("tab=backward&part=2&img=1", "tab=backward&part=3&src=conv1&img=1", "tab=training"):
        found.update(forgotten(quiet.open(some, state)))
    trace = explain.trace(Sequential(Flatten(), Odd(), Linear(784, 10)), garments.images[:1], garments.labels[:1])
    history = [{"train_loss": 2.0}, {"train_loss": 1.0}]
    odd = explain.report(trace, other_words / "odd.html", lang="eo", history=history, trained=False)
    for name in TABS:
        found.update(forgotten(quiet.open(odd, f"tab={name}")))
    assert not found


# Vietnamese


@pytest.fixture(scope="module")
def vietnamese(traces, extras, tmp_path_factory):
    return explain.report(traces, tmp_path_factory.mktemp("vi") / "page.html", lang="vi", **extras)


def fonts(browser, selector):
    """The fonts in which the first such element is set."""
    command = browser.driver.execute_cdp_cmd
    command("DOM.enable", {})
    command("CSS.enable", {})
    root = command("DOM.getDocument", {})["root"]["nodeId"]
    node = command("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    return [font["familyName"] for font in command("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]]


def test_vietnamese_is_set_in_fonts_that_have_its_letters(vietnamese, browser):
    browser.open(vietnamese, "tab=size", reload=True)
    assert browser.js("return document.documentElement.lang") == "vi"
    for selector in ("h1", ".question", "#panel-size .say", "#tab-size", "#panel-size .answer"):
        assert len(fonts(browser, selector)) == 1, selector
    browser.driver.execute_cdp_cmd("CSS.disable", {})


WRAPPED = """
    return [...document.querySelectorAll('.tabs button, .tools button, h1')]
      .filter((e) => e.checkVisibility() && e.getClientRects()[0].height > 48).map((e) => e.textContent);
"""


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1440])
def test_vietnamese_fits_where_english_does(width, vietnamese, quiet):
    for name in TABS:
        quiet.open(vietnamese, f"tab={name}", size=(width, 800), touch=width < 400)
        assert quiet.js("return document.documentElement.scrollWidth") <= width
        assert quiet.js(WRAPPED) == []
