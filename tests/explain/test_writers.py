"""Pages for a lesson, from a checkpoint and at the end of training; and the command that writes the first two."""

import html
import json
import re
import subprocess
import sys
import types

import numpy as np
import pytest

from tinycnn import explain, manual_seed
from tinycnn.data import Batches, Silhouettes
from tinycnn.execution import make_step
from tinycnn.explain import __main__ as command
from tinycnn.explain import snapshots, writers
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD
from tinycnn.training import Epoch, Run, train

GARMENTS = Silhouettes(train=False, size=60)


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="trace">(.*?)</script>', text, re.S)[1])


def trained(path, epochs=1, lr=0.5, **options):
    manual_seed(1)
    net = LeNet()
    page = explain.PageWriter(path, net, GARMENTS, **options)
    batches = Batches(GARMENTS.images, GARMENTS.labels, 20)
    with make_step(net, CrossEntropyLoss(), SGD(net.parameters(), lr=lr), "plain") as step:
        train(step, batches, batches, epochs, [page])
    return net, page


def test_the_lesson_needs_nothing_and_shows_a_net_that_has_learnt(tmp_path):
    path = explain.lesson_page(tmp_path / "lesson.html")
    data = data_of(path)
    assert [data["classes"][sample["label"]] for sample in data["samples"]] == ["Shirt", "Ankle boot"]
    assert data["trained"] and data["left_out"] == []
    assert data["training"]["test"]["accuracy"] > 0.95 and data["training"]["test"]["count"] == 1000
    assert data["training"]["history"][-1]["test_acc"] > 0.95
    assert len(data["flow"]["untrained"]) == len(data["flow"]["now"])
    assert path.stat().st_size < 3e6


def test_the_end_of_training_writes_a_page(tmp_path):
    net, page = trained(tmp_path / "new" / "page.html", epochs=2, images=2)
    data = data_of(page.path)
    assert data["title"]["en"] == "LeNet on Silhouettes" and data["trained"] and len(data["samples"]) == 2
    history = data["training"]["history"]
    assert [row["x"] for row in history if "test_loss" in row] == [1, 2]
    steps = data["training"]["snapshots"]["steps"]
    assert steps[0] == 0 and steps[-1] == 2 and steps == sorted(steps)
    assert np.array_equal(page.taken[-1][1], net[0].weight.numpy())
    assert not np.array_equal(page.taken[0][1], page.taken[-1][1])
    now, before = data["flow"]["now"], data["flow"]["untrained"]
    assert [row["layer"] for row in now] == [row["layer"] for row in before] and now != before


def test_a_page_is_not_written_where_training_came_to_nothing(tmp_path):
    net = LeNet()
    page = explain.PageWriter(tmp_path / "page.html", net, GARMENTS)
    page.on_start(Run())
    page.on_end(Run())  # stopped before the end of an epoch
    net[3].weight.data[0] = np.nan
    page.on_end(Run(result=Epoch(1, 1.0, 0.9, 2.0, 0.2, 2.0, 0.2)))
    assert not page.path.exists()
    net[3].weight.data[0] = 0
    page.on_end(Run(result=Epoch(1, 1.0, 0.9, 2.0, 0.2, 2.0, 0.2)))
    assert page.path.exists()


def test_snapshots_are_thinned_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST", 6)
    _, page = trained(tmp_path / "page.html", epochs=4)
    steps = [x for x, _ in page.taken]
    assert 3 < len(steps) <= 7 and steps[0] == 0 and steps[-1] == 4 and steps == sorted(steps)


def test_in_a_notebook_the_page_is_shown_under_the_cell(monkeypatch, rng):
    seen = []

    class ZMQInteractiveShell:
        pass

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: None
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.HTML = lambda text: text
    ipython.display.display = seen.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    manual_seed(1)
    net, images = LeNet(), GARMENTS.images[:5]
    with pytest.raises(RuntimeError, match=r"explain\.show: this is no notebook; explain\.report\("):
        explain.show(net, images)
    ipython.get_ipython = ZMQInteractiveShell
    explain.show(net, images, GARMENTS.labels[:5], height=500)
    explain.show(net, images[:1])
    for frame, labels in zip(seen, (GARMENTS.labels[:3].tolist(), None), strict=True):
        page = html.unescape(re.fullmatch(r'<iframe srcdoc="([^"]*)" width="100%" height="\d+" .*></iframe>', frame)[1])
        data = json.loads(re.search(r'<script type="application/json" id="trace">(.*?)</script>', page, re.S)[1])
        if labels is None:  # what the net itself says
            labels = [int(explain.trace(net, images[:1], [0]).out[0].argmax())]
        assert [sample["label"] for sample in data["samples"]] == labels
    assert 'height="500"' in seen[0]


# The command


def saved(tmp_path, monkeypatch, name="Silhouettes"):
    checkpoint = pytest.importorskip("tinycnn.checkpoint")
    pytest.importorskip("safetensors")
    monkeypatch.setattr(writers, "load", lambda name, *rest, **options: (GARMENTS, GARMENTS))
    run = {"history": [{"kind": "point", "x": 0.5, "train_loss": 2.0, "train_acc": 0.2}]}
    checkpoint.save(tmp_path / "net.safetensors", LeNet(), about={"dataset": {"name": name}, "run": run})
    return tmp_path / "net.safetensors"


def test_command_without_arguments_writes_the_lesson_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main([]) == 0
    assert re.fullmatch(r"wrote tinycnn_lesson\.html \(\d\.\d MB\): open it in a browser\n", capsys.readouterr().out)
    assert data_of(tmp_path / "tinycnn_lesson.html")["title"]["en"] == "How convolution works"


def test_command_with_a_checkpoint(tmp_path, monkeypatch, capsys):
    file = saved(tmp_path, monkeypatch)
    assert command.main(["--checkpoint", str(file), "--images", "2"]) == 0
    data = data_of(tmp_path / "net.html")
    assert len(data["samples"]) == 2 and data["training"]["test"]["count"] == 60
    assert data["training"]["history"] == [{"x": 0.5, "train_loss": 2.0, "train_acc": 0.2}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "0"], "error: explain: images is 0, expected 1 to 60"),
        (["--max-mb", "0.5"], "error: report: the arrays that the page cannot do without take"),
    ],
)
def test_command_says_what_is_wrong(arguments, message, tmp_path, monkeypatch, capsys):
    file = saved(tmp_path, monkeypatch)
    assert command.main(["--checkpoint", str(file), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_command_opens_the_page_only_when_asked(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(command.webbrowser, "open", opened.append)
    command.main(["--out", str(tmp_path / "a.html")])
    assert opened == []
    command.main(["--out", str(tmp_path / "a.html"), "--open"])
    assert opened == [(tmp_path / "a.html").as_uri()]


def test_help_and_a_missing_file_in_a_process_of_their_own(tmp_path):
    run = [sys.executable, "-m", "tinycnn.explain"]
    done = subprocess.run([*run, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and "--checkpoint lenet.safetensors" in done.stdout
    done = subprocess.run([*run, "--checkpoint", str(tmp_path / "none")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
