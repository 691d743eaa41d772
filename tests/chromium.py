"""Chromium for tests: a page from a file, the mouse, the keyboard, and what it complains of.

Needs Chromium, chromedriver and selenium; `start` skips the test, with the reason, where one of them is missing.
"""

import base64
import json
import re
import shutil
import time

import numpy as np
import pytest

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
OWN = ("file:", "data:", "blob:", "about:", "chrome:", "chrome-untrusted:")  # the page, its files, what comes before

CELL = """
    const box = arguments[0].getBoundingClientRect(), grid = arguments[0].grid;
    const [x, y] = [(arguments[2] + 0.5) / grid.cols, (arguments[1] + 0.5) / grid.rows];
    return [box.left + x * box.width, box.top + y * box.height];
"""
IN_SIGHT = """
    const dock = [...document.querySelectorAll('.dock')].find((e) => e.checkVisibility());
    const box = arguments[0].getBoundingClientRect(), floor = dock ? dock.getBoundingClientRect().top : innerHeight;
    // no scrolling that is not needed: the browser then moves the mouse once more by itself, a little later
    if (box.top < 0 || box.bottom > floor) arguments[0].scrollIntoView({block: 'center'});
"""
GO = """
    // to another state of the open page, which takes it up when it is told, some time after the address has changed
    const [state, done] = arguments;
    document.activeElement.blur();
    addEventListener('popstate', () => done(), {once: true});
    const same = new URL('#' + state, location.href).hash === location.hash; // which may be behind what is shown
    if (same) dispatchEvent(new PopStateEvent('popstate'));
    else location.hash = state;
"""
VISIBLE = """
    const how = {opacityProperty: true, visibilityProperty: true};
    const seen = (e) => e.checkVisibility(how) && [...e.getClientRects()].some((box) => box.width && box.height);
    return [...document.querySelectorAll(arguments[0])]
      .filter((e) => seen(e) && (arguments[1] === null || e.innerText.trim() === arguments[1]));
"""
HELD = """
    // whoever hands messages on to itself, as the page's self-check does between two slices, waits for ever
    window.MessageChannel = class {
      port1 = {};
      port2 = {postMessage() {}};
    };
"""
NUMBERS = """
    const grid = arguments[0].grid;
    return Array.from({length: grid.rows}, (_, r) => Array.from({length: grid.cols}, (_, c) => grid.value(r, c)));
"""


def data_of(page):
    """The data of a page's file, and the text before and after them."""
    before, data, after = re.split(
        r'(?<=id="trace">)(.*?)(?=</script>)', page.read_text(encoding="utf-8"), maxsplit=1, flags=re.S
    )
    return json.loads(data), before, after


def corrupted(page, target, which, amount=0.5, place=None):
    """The page with one number of one array changed; `which` picks the array's id out of the data."""
    data, before, after = data_of(page)
    entry = data["arrays"][which(data)]
    values = np.frombuffer(base64.b64decode(entry["b64"]), entry["dtype"]).copy()
    values[values.size * 4 // 7 if place is None else place] += amount
    entry["b64"] = base64.b64encode(values.tobytes()).decode()
    target.write_text(before + json.dumps(data).replace("<", "\\u003c") + after, encoding="utf-8")
    return target


def start(profile):
    """The browser, with an empty profile in that folder."""
    webdriver = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"')
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    service = shutil.which("chromedriver")
    if not program or not service:
        pytest.skip("Chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=service))
    driver.set_script_timeout(300)  # a script of a busy machine may take its time
    return Browser(driver)


class Browser:
    """Chromium with a page in it."""

    def __init__(self, driver):
        self.driver = driver
        self.checked = set()  # the pages whose self-check has been waited for

    def open(self, path, state="", size=(1280, 900), touch=False, reload=False, check=False, **media):
        """Show the page in the given state; it is loaded only if another is there, or `reload`.

        Its self-check comes to its end at the first time, and where `check` asks for it; it is half of a page's work.
        """
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": touch}
        media = {"prefers_reduced_motion": "reduce", **media}
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        away = {"type": "mouseMoved", "x": 0, "y": 0, "button": "none"}  # over nothing that another test has hovered
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", away)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        if reload or check or self.js("return location.href.split('#')[0]") != path.as_uri():
            self.load(path.as_uri(), state, check or path not in self.checked)
            self.checked.add(path)
        else:
            self.driver.execute_async_script(GO, state)
        return self

    def load(self, address, state, check):
        self.driver.get("about:blank")
        if check:
            self.driver.get(f"{address}#{state}")
            self.wait(lambda: self.js("return document.documentElement.dataset.selfcheck"), 60)
            return
        script = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HELD})
        try:
            self.driver.get(f"{address}#{state}")
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)

    def wait(self, condition, seconds=10):
        """Until the condition holds; AssertionError where it does not in that time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return self

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        """The elements of the open tab, or of the page around it, that can be seen."""
        return self.js(VISIBLE, selector, None)

    def one(self, selector, text=None):
        """The one visible element of that kind, and with that text; some take a moment to appear, or to go."""
        end = time.monotonic() + 5
        while len(found := self.js(VISIBLE, selector, text)) != 1:
            assert time.monotonic() < end, f"{len(found)} visible elements {selector} {text or ''}"
            time.sleep(0.02)
        return found[0]

    def button(self, text):
        return self.one("button", text)

    def grid(self, name):
        """The visible grid whose accessible name begins so."""
        return self.one(f'.grid[aria-label^="{name}"]')

    def point(self, grid, row, column, kind="mouseMoved", touch=False):
        """Move the mouse over a cell, or press it there."""
        self.js(IN_SIGHT, grid)
        script = "const b = arguments[0].getBoundingClientRect(), g = arguments[0].grid;"
        script += (
            "return [b.left + (arguments[2] + .5) * b.width / g.cols, b.top + (arguments[1] + .5) * b.height / g.rows]"
        )
        x, y = self.js(script, grid, row, column)
        if touch:
            press = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", press)
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            return
        for step in ["mouseMoved"] if kind == "mouseMoved" else ["mouseMoved", "mousePressed", "mouseReleased"]:
            event = {
                "type": step,
                "x": x,
                "y": y,
                "button": "none" if step == "mouseMoved" else "left",
                "clickCount": 1,
            }
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def press(self, grid, row, column):
        self.point(grid, row, column, "click")

    def numbers(self, grid):
        """Everything that a grid shows, row by row."""
        return np.array(self.js(NUMBERS, grid), np.float64)

    @property
    def value(self):
        """The engine's number as it is written under the stage, all its digits."""
        element = self.one("output.value")
        assert element.text.replace("−", "-") == element.get_attribute("data-value")
        return np.float32(element.get_attribute("data-value"))

    @property
    def hash(self):
        time.sleep(0.15)  # the page writes it a moment later
        return self.js("return location.hash")

    def complaints(self):
        """What the console holds, and every request that is not for the file itself."""
        console = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return console + [url for url in sent if not url.startswith(OWN)]
