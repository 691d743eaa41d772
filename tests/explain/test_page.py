"""The page holds the engine's arrays bit for bit, in one file that needs nothing else."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tinycnn import explain, manual_seed
from tinycnn.data import Silhouettes
from tinycnn.explain import bundle, lesson
from tinycnn.models import LeNet
from tinycnn.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from tinycnn.training import Epoch, Point


class Page(HTMLParser):
    """What a browser sees: the elements with their attributes, the data, the scripts, the policy."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self.policy = [], {}, ""
        self._inside = None
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        self.data = json.loads(self.texts["trace"])

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if tag in ("script", "style", "title"):
            self._inside = attributes.get("id", tag)

    def handle_data(self, text):
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + text

    def handle_endtag(self, tag):
        self._inside = None

    def array(self, name):
        entry = self.data["arrays"][name]
        values = np.frombuffer(base64.b64decode(entry["b64"]), np.dtype(entry["dtype"]).newbyteorder("<"))
        return values.reshape(entry["shape"])


def small(dtype=np.float32):
    """Every kind of thing that is not LeNet: two channels, groups, strides, odd sizes, no bias, max pooling."""
    manual_seed(2)
    first = Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0))
    second = Conv2d(4, 4, 2, groups=2, dilation=2, bias=False)
    return Sequential(first, ReLU(), second, MaxPool2d(2), Flatten(), Linear(4 * 2 * 2, 3)).to(dtype)


def traces(model, rng, count=2):
    x = rng.random((count, 2, 12, 7)).astype(np.float32)
    return [explain.trace(model, x[i : i + 1], [i % 3]) for i in range(count)]


@pytest.fixture
def page(tmp_path):
    def make(*arguments, **options):
        return Page(explain.report(*arguments, tmp_path / "page.html", **options))

    return make


# The numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_array_is_the_engines_bit_for_bit(dtype, page, rng):
    found = traces(small(dtype), rng)
    seen = page(found)
    assert seen.data["left_out"] == []
    for layer, record in zip(seen.data["model"]["layers"], found[0].layers, strict=True):
        assert (layer["label"], layer["kind"], layer["path"]) == (record.label, record.kind, record.path)
        for name, array in (("w", record.w), ("b", record.b)):
            assert_same(seen, layer[name], array)
    for sample, trace in zip(seen.data["samples"], found, strict=True):
        assert_same(seen, sample["x"], trace.x[0])
        assert_same(seen, sample["grad_x"], trace[0].grad_x[0])
        assert (sample["label"], sample["loss"]) == (trace.y[0], trace.loss)
        for record in trace.layers:
            ids = sample["layers"][record.label]
            assert_same(seen, ids["out"], record.out[0])
            assert_same(seen, ids["grad_out"], record.grad_out[0])
            for name in ("cols", "grad_cols", "grad_w", "grad_b"):
                if record.kind == "conv2d":
                    assert_same(seen, ids[name], getattr(record, name))
        for unit in sample["units"]:
            whole = trace.input_gradient(unit["layer"], (0, *unit["index"]))[0]
            part = seen.array(unit["gradient"])
            (r, q), (_, h, w) = unit["corner"], part.shape
            assert np.array_equal(part, whole[:, r : r + h, q : q + w])
            assert np.count_nonzero(part) == np.count_nonzero(whole)  # nothing lies outside the receptive field


def assert_same(page, name, array):
    if array is None:
        assert name is None
        return
    found = page.array(name)
    assert found.dtype == array.dtype and found.tobytes() == np.ascontiguousarray(array).tobytes()
    assert found.shape == array.shape


def test_the_lessons_cases_are_the_engines(page, rng):
    seen = page(traces(small(), rng, 1))
    assert seen.data["cols_layout"] == explain.COLS_LAYOUT
    for case, (options, trace) in zip(seen.data["lesson"]["cases"], lesson.cases(), strict=True):
        assert {name: case[name] for name in options} == options
        for name in ("w", "b", "cols", "grad_w", "grad_b", "grad_cols"):
            assert_same(seen, case["arrays"][name], getattr(trace[0], name))
        for name in ("x", "out", "grad_out", "grad_x"):
            assert_same(seen, case["arrays"][name], getattr(trace[0], name)[0])
    assert_same(seen, seen.data["lesson"]["sizes"], lesson.size_table())


def test_training_and_test_set(page, rng):
    data = Silhouettes(train=False, size=60)
    model = LeNet()
    found = [explain.trace(model, data.images[:1], data.labels[:1])]
    history = [Point(1, 5, 0.5, 0.9, 2.3, 0.1), Epoch(1, 1.0, 0.9, 2.2, 0.15, float("nan"), 0.2)]
    kernels = rng.standard_normal((2, 6, 1, 5, 5)).astype(np.float32)
    seen = page(found, history=history, snapshots=[(0, kernels[0]), (1, kernels[1])], test=data, classes=data.classes)
    training = seen.data["training"]
    assert training["history"][0] == {"epoch": 1, "batch": 5, "x": 0.5, "lr": 0.9, "train_loss": 2.3, "train_acc": 0.1}
    assert training["history"][1]["test_loss"] is None and training["history"][1]["test_acc"] == 0.2
    assert training["snapshots"]["steps"] == [0, 1]
    assert_same(seen, training["snapshots"]["weights"], kernels)
    confusion = seen.array(training["test"]["confusion"])
    assert confusion.sum() == 60 and confusion.sum(axis=1).tolist() == np.bincount(data.labels, minlength=10).tolist()
    assert training["test"]["accuracy"] == confusion.trace() / 60
    mistakes = training["test"]["mistakes"]
    assert all(a != b for a, b in zip(mistakes["labels"], mistakes["predicted"], strict=True))
    surest = mistakes["confidence"][: mistakes["surest"]]
    assert surest == sorted(surest, reverse=True)
    pairs = {(a, b) for a, b in zip(*np.nonzero(confusion), strict=True) if a != b}
    assert set(zip(mistakes["labels"], mistakes["predicted"], strict=True)) == pairs  # every kind has its example


# One file


def test_nothing_comes_from_elsewhere(page, rng):
    seen = page(traces(small(), rng, 1))
    addresses = [v for _, attributes in seen.elements for name, v in attributes.items() if name in ("src", "href")]
    assert addresses == []
    assert not re.search(r"\bimport\s*\(|\bfetch\s*\(|XMLHttpRequest|@import|url\(\s*['\"]?http", seen.text)


def test_policy_allows_this_script_and_this_style_and_nothing_else(page, rng):
    seen = page(traces(small(), rng, 1))
    rules = dict(rule.split(None, 1) for rule in seen.policy.split("; "))
    assert rules["default-src"] == "'none'"
    for kind in ("script", "style"):
        assert rules[f"{kind}-src"] == f"'sha256-{bundle._sha256(seen.texts[kind])}'"
    assert not any(" style=" in f" {name}=" for _, attributes in seen.elements for name in attributes)


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", "<!--", "[[js]]", "é “ünï” \u2028", "a & b"])
def test_any_class_name_survives(name, page, rng):
    seen = page(traces(small(), rng, 1), classes=[name, "b", "c"], title=name)
    assert seen.data["classes"][0] == seen.data["title"] == name
    assert seen.texts["title"] == name
    assert [tag for tag, _ in seen.elements].count("script") == 3  # the words, the data, the script
    assert "<" not in seen.texts["trace"]


def test_scripts_do_not_end_their_element():
    for path in [*bundle.STATIC.rglob("*.js"), *bundle.STATIC.rglob("*.css")]:
        assert not re.search(r"</script|</style|<!--", path.read_text(encoding="utf-8"), re.I), path.name


def test_every_style_is_part_of_the_page():
    assert {path.name for path in (bundle.STATIC / "styles").iterdir()} == {f"{name}.css" for name in bundle.STYLES}


# Size


def test_size_is_kept_by_leaving_out_the_least_important_first(page, rng, tmp_path):
    found = traces(small(), rng)
    whole = page(found)
    size = len(whole.text.encode())
    seen = page(found, max_mb=size / 1e6)
    assert len(seen.text.encode()) <= size
    assert seen.data["left_out"] == [["grad_cols", f"conv{k}", 2] for k in (2, 1)]
    first, second = (
        {name: array for name, array in sample["layers"]["conv2"].items() if array} for sample in seen.data["samples"]
    )  # the second convolution has no bias
    assert {name for name, array in second.items() if array not in seen.data["arrays"]} == {"grad_cols"}
    assert all(array in seen.data["arrays"] for array in first.values())
    least = smallest(lambda limit: page(found, max_mb=limit / 1e6), size)
    assert all(name in least.data["arrays"] for name in (first["out"], least.data["samples"][0]["x"]))
    assert second["grad_out"] not in least.data["arrays"]
    assert len(least.data["samples"]) == 1  # there is no second image where nothing of it is in the page


def smallest(page, most):
    """The page with the smallest limit at which it is not refused, to a kilobyte."""
    low, high, least = 0, most, None
    while high - low > 1000:
        limit = (low + high) // 2
        try:
            least, high = page(limit), limit
            assert len(least.text.encode()) <= limit
        except ValueError:
            low = limit
    return least


def test_lenet_with_three_images_and_a_test_set_fits_three_megabytes(tmp_path):
    data = Silhouettes(train=False, size=500)
    model = LeNet()
    found = [explain.trace(model, data.images[i : i + 1], data.labels[i : i + 1]) for i in range(3)]
    kernels = [(x / 5, model[0].weight.numpy()) for x in range(51)]
    path = explain.report(found, tmp_path / "lenet.html", test=data, snapshots=kernels, untrained=found[0])
    assert path.stat().st_size <= 3_000_000


def test_errors(page, rng):
    model, x = small(), rng.random((2, 2, 12, 7)).astype(np.float32)
    with pytest.raises(ValueError, match="report: got no trace, expected at least one"):
        page([])
    with pytest.raises(
        ValueError, match=r"must be of one image \(1, C, H, W\) with its label, got \(2, 2, 12, 7\) with"
    ):
        page(explain.trace(model, x, [0, 1]))
    with pytest.raises(ValueError, match="without label"):
        page(explain.trace(model, x[:1], gradient=np.ones((1, 3), np.float32)))
    with pytest.raises(ValueError, match="report: got 2 names of classes for a net of 3 outputs"):
        page(traces(model, rng, 1), classes=["a", "b"])
    with pytest.raises(ValueError, match=r"cannot do without take .* MB, .* are allowed; raise max_mb"):
        page(traces(model, rng, 1), max_mb=0.2)


def test_a_model_that_has_learnt_since_is_refused(page, rng):
    data = Silhouettes(train=False, size=10)
    model = LeNet()
    found = explain.trace(model, data.images[:1], data.labels[:1])
    model[0].weight.data += 1
    with pytest.raises(RuntimeError, match="the weights of conv1 have changed since"):
        page(found, test=data)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, rng):
    path = tmp_path / "page.html"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(ValueError):
        explain.report(traces(small(), rng, 1), path, max_mb=0.2)
    assert path.read_text(encoding="utf-8") == "before" and list(tmp_path.iterdir()) == [path]
