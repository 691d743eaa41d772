"""A tab's worksheet on paper: blanks are blank on the sheet, and its key has the engine's numbers."""

import base64

import numpy as np
import pytest

from tinycnn import functional as F
from tinycnn.autograd.tensor import Tensor
from tinycnn.data import scale
from tinycnn.explain import lab, lesson
from tinycnn.geometry import output_size
from tinycnn.nn import ReLU, Sigmoid

pytestmark = pytest.mark.browser
Keys = pytest.importorskip("selenium.webdriver", reason='no selenium; pip install "tinycnn[browser]"').Keys

TABS = ("slide", "im2col", "size", "channels", "network", "backward", "training", "lab")

# A sheet or its key: the numbers of each grid by its name, with None for blanks; and what is told of each blank.
READ = """
    const page = document.querySelector(arguments[0]);
    const text = (e) => e.textContent.replace('−', '-');
    const grids = [...page.querySelectorAll('.sheet-grid')].map((e) => [
      e.getAttribute('aria-label'), [...e.rows].map((row) => [...row.cells].map((c) => text(c) || null))]);
    const asked = [...page.querySelectorAll('.fill-in')];
    return {grids: Object.fromEntries(grids), asked: asked.map(text), told: asked.map((e) => e.dataset.value ?? null),
            seen: asked.map((e) => e.checkVisibility()), text: page.innerText, seen_page: page.checkVisibility()};
"""


@pytest.fixture
def paper(page, quiet):
    """paper(state) opens the page with its worksheet, as it is printed: the sheet and its key."""

    def read(state):
        quiet.open(page, f"{state}&sheet=1")
        quiet.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        return quiet.js(READ, ".sheet:not(.solution)"), quiet.js(READ, ".sheet.solution")

    yield read
    quiet.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def blanks(sheet, key, name):
    """The cells of a grid that are blanks, and the key's numbers there, all others being the same: [(r, c, v)]."""
    found = []
    for r, (asked, told) in enumerate(zip(sheet["grids"][name], key["grids"][name], strict=True)):
        for c, (ours, theirs) in enumerate(zip(asked, told, strict=True)):
            if ours is None:
                found.append((r, c, float(theirs)))
            else:
                assert ours == theirs
    return found


@pytest.mark.parametrize("name", TABS)
def test_the_sheet_has_blanks_and_the_key_on_its_own_page_fills_them(name, paper, quiet):
    sheet, key = paper(f"tab={name}")
    assert len(sheet["asked"]) >= 5 and all(sheet["seen"]) and all(key["seen"])
    assert set(sheet["asked"]) == {""} and set(sheet["told"]) == {None}
    assert len(key["asked"]) == len(sheet["asked"]) and all(key["asked"]) and all(key["told"])
    for hidden in ("h1", "nav", ".kit", ".sheet-bar", ".foot", ".lead", ".stage"):
        assert quiet.find(hidden) == [], hidden
    assert sheet["text"].startswith("Worksheet: ") and key["text"].startswith("Key: ") and "Name" in sheet["text"]
    assert quiet.js("return getComputedStyle(document.querySelector('.solution')).breakBefore") == "page"
    assert quiet.js("return getComputedStyle(document.querySelector('.sheet')).backgroundColor") == "rgb(255, 255, 255)"
    pdf = base64.b64decode(quiet.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert pdf.count(b"/Type /Page\n") >= 2


@pytest.mark.parametrize("options", ["s=1&p=1&d=1", "s=2&p=0&d=1", "s=1&p=1&d=2", "s=1&p=1&d=1&flip=1"])
def test_the_numbers_of_the_output(options, paper):
    chosen = {name: int(value) for name, value in (pair.split("=") for pair in options.split("&"))}
    record = lesson.toy(chosen["s"], chosen["p"], chosen["d"], bool(chosen.get("flip")))["conv1"]
    sheet, key = paper(f"tab=slide&o=1&i=1&j=1&{options}")
    asked = blanks(sheet, key, "y[1]")
    assert (1, 1) in [(r, c) for r, c, _ in asked] and len(asked) == min(6, record.out[0, 1].size)
    assert all(v == record.out[0, 1, r, c] for r, c, v in asked)
    assert np.array_equal(np.array(key["grids"]["y[1]"], float), record.out[0, 1])
    p = chosen["p"]
    assert np.array_equal(np.array(sheet["grids"]["x[0]"], float), np.pad(lesson.X[0], p))
    assert np.array_equal(np.array(sheet["grids"]["w[1, 1]"], float), record.w[1, 1])
    assert f"= {record.out[0, 1, 1, 1]:.0f}".replace("-", "−") in key["text"]  # and how it is made


def test_what_follows_from_a_change_is_the_browsers(paper, quiet):
    """w[0, 0, 1, 2] = 5 instead of 2 makes 3 times the pixel under it more of each output."""
    out, x = lesson.toy(1, 1, 1, False)["conv1"].out[0, 0], np.pad(lesson.X[0], 1)
    _, key = paper("tab=slide&edits=w.0.0.1.2%3D5")
    assert np.array_equal(np.array(key["grids"]["y[0]"], float), out + 3 * x[1:7, 2:])
    assert [element.text for element in quiet.find(".solution .origin")] == ["browser’s arithmetic"]
    paper("tab=slide")
    assert [element.text for element in quiet.find(".solution .origin")] == ["engine"]


def test_a_column_and_its_products(paper):
    record = lesson.toy(1, 1, 1, False)["conv1"]
    sheet, key = paper("tab=im2col&i=3&j=2")
    window = np.pad(np.array(lesson.X), ((0, 0), (1, 1), (1, 1)))[:, 3:6, 2:5]
    asked = blanks(sheet, key, "cols[20]")
    assert [v for _, _, v in asked] == window.ravel().tolist()
    assert [float(v) for v in key["told"][-2:]] == record.out[0, :, 3, 2].tolist()


def test_partial_sums(paper):
    sheet, key = paper("tab=channels&o=1")
    record = lesson.toy(1, 1, 1, False)["conv1"]
    partial = lesson.partials(record)[:, 1]
    told = np.array(key["told"], float).reshape(4, 3)
    for (one, other, total), l in zip(told, (14, 24, 34, 8), strict=True):
        i, j = divmod(l, 6)
        assert (one, other) == tuple(partial[:, i, j]) and total == record.out[0, 1, i, j]


@pytest.mark.parametrize("state", ["o=0&c=1", "o=1&c=0&s=2", "o=1&c=1&d=2&i=4&j=1"])
def test_entries_of_dw_and_pixels_of_col2im(state, paper):
    chosen = {"s": 1, "d": 1, **{k: int(v) for k, v in (pair.split("=") for pair in state.split("&"))}}
    record, (o, c) = lesson.toy(chosen["s"], 1, chosen["d"], False)["conv1"], (chosen["o"], chosen["c"])
    sheet, key = paper(f"tab=backward&{state}")
    weights, pixels = blanks(sheet, key, f"dw[{o}, {c}]"), blanks(sheet, key, f"dx[{c}]")
    assert len(weights) == 2 and all(v == record.grad_w[o, c, u, w] for u, w, v in weights)
    assert len(pixels) == 3 and all(v == record.grad_x[0, c, r, q] for r, q, v in pixels)
    assert np.array_equal(np.array(sheet["grids"][f"dy[{o}]"], float), record.grad_out[0, o])
    sums = [line for line in key["text"].split("\n") if line.startswith(("dw[", "dx[")) and "·" in line]
    for line in sums:
        _, terms, total = line.replace("−", "-").split(" = ")
        assert eval(terms.replace("·", "*")) == float(total)


def test_sizes(paper, quiet):
    first = paper("tab=size")[1]
    rows = quiet.js(
        "return [...document.querySelectorAll('.solution tbody tr')].map((e) => [...e.cells].map((c) => c.textContent))"
    )
    assert len(rows) == 10
    assert all(output_size(*map(int, row[:5])) == int(row[5]) for row in rows)
    assert paper("tab=size&n=9")[1]["told"] != first["told"]  # other cases


def test_shapes_and_parameters(paper, traces):
    _, key = paper("tab=network")
    layers = [record for record in traces[0].layers if record.kind not in ("flatten", "dropout")]
    told = [text for r in layers for text in (" × ".join(map(str, r.out.shape[1:])), str(r.parameters or 0))]
    assert key["told"] == told


def test_the_diagonal_of_the_confusions(paper, garments):
    sheet, key = paper("tab=training")
    asked = blanks(sheet, key, "Right or wrong")
    counts = np.bincount(garments.labels, minlength=10)
    for r, row in enumerate(key["grids"]["Right or wrong"]):
        assert int(row[-1]) == counts[r] == sum(map(int, row[:10]))
    assert [(r, c) for r, c, _ in asked] == [(k, k) for k in range(10)]
    assert key["told"][-1] == f"{sum(int(v) for _, _, v in asked)} / {len(garments.labels)}"


@pytest.mark.parametrize("rate", ["0.1", "0.03"])
def test_a_first_step_from_zeros_is_the_engines(rate, paper):
    model = lab.beginning("relu", "zeros")
    images, labels = next(iter(lab.batches()))
    loss = F.cross_entropy(model(Tensor(scale(images, np.float64))), labels)
    loss.backward()
    kernels, _, _, biases = (p.grad.numpy() for p in model.parameters())
    sheet, key = paper(f"tab=lab&rate={rate}")
    told = np.array([number.replace("−", "-") for number in key["told"][:23]], float)
    assert told[0] == 0.1 and told[1] == round(loss.item(), 3) and told[2] == 0 and not kernels.any()
    np.testing.assert_allclose(told[3:].reshape(10, 2), np.stack([biases, -float(rate) * biases], 1), atol=1e-12)
    counts = [line.split("\t")[1] for line in sheet["text"].split("\n") if line.count("\t") == 3][1:]
    assert counts == [str(n) for n in np.bincount(labels, minlength=10)]
    sums = [line.split(": ")[1].replace("−", "-") for line in key["text"].split("\n") if f" / {lab.BATCH} = " in line]
    assert len(sums) == 10
    for equation in (part for line in sums for part in line.split("; ")):
        left, right = equation.replace("·", "*").split(" = ")
        assert eval(left) == pytest.approx(float(right), abs=1e-12)


def test_what_activations_hand_back_is_the_engines(paper):
    _, key = paper("tab=lab")
    told = np.array([number.replace("−", "-") for number in key["told"][23:]], float).reshape(4, 5)
    z, dy = np.array([0.41, 1.39, 2.2, -2.2]), np.array([5.0, -10, 10, 20])
    for layer, (slopes, back) in ((Sigmoid(), told[:, :2].T), (ReLU(), told[:, 3:].T)):
        x = Tensor(z, requires_grad=True)
        layer(x).backward(dy)
        np.testing.assert_allclose(slopes, x.grad.numpy() / dy, atol=0.002)  # from y to one digit
        np.testing.assert_allclose(back, slopes * dy, rtol=1e-12)
    assert np.array_equal(told[:, 2], np.maximum(z, 0))


def test_by_button_and_by_key(page, quiet):
    quiet.open(page, "tab=slide", reload=True)
    quiet.js("window.print = () => { window.printed = (window.printed ?? 0) + 1; }")
    button = quiet.button("Worksheet")
    quiet.js("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert "sheet=1" in quiet.hash and quiet.find("h2.question") == []
    assert quiet.driver.switch_to.active_element.text == "Print"
    quiet.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert quiet.js("return window.printed") == 1
    quiet.button("Back to the page").click()
    assert quiet.one("h2.question") and "sheet" not in quiet.hash
    assert quiet.driver.switch_to.active_element.text == "Worksheet"
    quiet.driver.switch_to.active_element.send_keys("w")
    assert quiet.one(".sheet:not(.solution)")
    quiet.one("#tab-edit").click()  # which has none
    assert quiet.find(".sheet") == [] and quiet.one("h2.question") and quiet.find(".kit button")[0].text != "Worksheet"


LAID_OUT = "return [...document.querySelectorAll('.sheet td')].map((e) => getComputedStyle(e).display)"


@pytest.mark.parametrize("width", [360, 768])
def test_a_sheet_fits_where_a_tab_does(width, page, quiet):
    for name in TABS:
        quiet.open(page, f"tab={name}&sheet=1", size=(width, 800))
        assert quiet.js("return document.documentElement.scrollWidth") <= width
        assert set(quiet.js(LAID_OUT)) == {"table-cell"}
