import importlib.util
import sys
import types

import numpy as np
import pytest

import tinycnn
from tinycnn import d2l, tensor
from tinycnn.d2l import drawing

pytest.importorskip("matplotlib")


class Screen:
    def __init__(self):
        self.shown = []

    def show(self, png):
        self.shown.append(png)


def test_an_animator_appends_points_and_writes_the_file(out, capsys):
    animator = d2l.Animator(xlabel="epoch", legend=["a", "b"], xlim=[1, 3])
    animator.add(1, (0.5, None))
    animator.add(2, (0.25, tensor(0.75)))
    animator.add((3, 4), (0.2, 0.8))
    assert animator.X == [[1, 2, 3], [2, 4]] and animator.Y == [[0.5, 0.25, 0.2], [0.75, 0.8]]
    assert (out / "animator.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err.count("animator.png") == 1
    (axes,) = animator.figure().axes
    assert [line.get_ydata().tolist() for line in axes.lines] == animator.Y
    assert axes.get_xlabel() == "epoch" and axes.get_xlim() == (1, 3)
    assert [text.get_text() for text in axes.get_legend().texts] == ["a", "b"]


def test_an_animator_of_one_line_and_a_file_of_its_own(tmp_path):
    animator = d2l.Animator(file=tmp_path / "new" / "x.png", xlim=[1, 1])
    animator.add(1, 7)
    assert animator.Y == [[7]] and (tmp_path / "new" / "x.png").exists() and not animator.live


def test_an_animator_is_live_where_there_is_a_screen(out, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(drawing.curves, "find_screen", lambda *size: screen)
    animator = d2l.Animator()
    animator.draw()  # nothing yet
    for i in range(3):
        animator.add(i, i)
    assert animator.live and len(screen.shown) == 3 and len(set(screen.shown)) == 3
    assert not (out / "animator.png").exists()


def test_an_animator_without_matplotlib_keeps_the_numbers(out, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else real(name))
    animator = d2l.Animator()
    animator.add(1, (2, 3))
    assert animator.Y == [[2], [3]] and not list(out.iterdir())


def test_an_animator_in_a_notebook_replaces_one_picture(monkeypatch):
    """IPython's own parts, as the kernel has them."""
    shell = type("ZMQInteractiveShell", (), {})()
    updates = []
    handle = types.SimpleNamespace(update=lambda picture: updates.append(picture))
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.Image = lambda data, width: (data, width)
    ipython.display.display = lambda picture, display_id: updates.append(picture) or handle
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    animator = d2l.Animator()
    animator.add(1, 2)
    animator.add(2, 3)
    assert len(updates) == 2 and updates[0][0] != updates[1][0] and updates[0][1] == int(3.5 * drawing.DPI / 1.5)


def test_plot_draws_lines_of_tensors(rng):
    plt = d2l.plt
    x = tinycnn.arange(-8.0, 8.0, 0.5, requires_grad=True)
    y = tinycnn.relu(x)
    d2l.plot(x.detach(), y.detach(), "x", "relu(x)", figsize=(5, 2.5))
    axes = plt.gca()
    assert axes.get_xlabel() == "x" and np.array_equal(axes.lines[0].get_ydata(), y.numpy())
    d2l.plot([1, 2, 3], [[1, 2, 3], tensor([3.0, 2, 1])], legend=["a", "b"], xscale="log")
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 3], [3, 2, 1]] and axes.get_xscale() == "log"
    d2l.plot(np.array([[1.0, 2], [3, 4]]), axes=axes)
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="plot: 2 lines of X and 3 of Y"):
        d2l.plot([[1], [2]], [[1], [2], [3]])


def test_show_images_puts_each_under_its_title(few_images):
    X = tensor(few_images[0].images[:6, 0].astype(np.float32))
    places = d2l.show_images(X, 2, 3, titles=list("abcdef"))
    assert len(places) == 6 and [place.get_title() for place in places] == list("abcdef")
    assert np.array_equal(places[4].images[0].get_array(), X[4].numpy())


def test_what_is_not_there_says_so():
    with pytest.raises(AttributeError, match="tinycnn.d2l has no 'train_ch13'; it has the functions of the LeNet"):
        d2l.train_ch13  # noqa: B018
    d2l.use_svg_display()  # outside a notebook nothing happens
