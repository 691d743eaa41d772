import io
import subprocess
import sys
import textwrap
import types

import pytest

from tinycnn.training import Curves, Epoch, Observer, Point, curves, draw_curves, train
from tinycnn.training.curves import Notebook, Window, find_screen, png_of

pytest.importorskip("matplotlib")


def history(epochs=3):
    records = []
    for e in range(epochs):
        records += [Point(e + 1, b, e + b / 5, 0.9, 2 / (1 + e + b), 0.1 * b) for b in range(1, 6)]
        records.append(Epoch(e + 1, e + 1.0, 0.9, 2 / (6 + e), 0.5, 1.0, 0.25 * (e + 1)))
    return records


def test_the_figure_shows_the_history():
    records = history()
    figure = draw_curves(records, 10, "LeNet on Silhouettes")
    loss, accuracy = figure.axes
    points, ends = [r for r in records if isinstance(r, Point)], [r for r in records if isinstance(r, Epoch)]
    (train_loss,), (train_acc, test_acc) = loss.lines, accuracy.lines
    assert train_loss.get_xydata().tolist() == [[p.x, p.train_loss] for p in points]
    assert train_acc.get_xydata().tolist() == [[p.x, p.train_acc] for p in points]
    assert test_acc.get_xydata().tolist() == [[e.x, e.test_acc] for e in ends]
    assert [text.get_text() for text in accuracy.get_legend().texts] == ["train acc 0.500", "test acc 0.750"]
    assert [text.get_text() for text in loss.get_legend().texts] == ["train loss 0.250"]
    assert loss.get_xlim() == accuracy.get_xlim() == (0, 10)
    assert accuracy.get_ylim() == (0, 1) and loss.get_ylim()[0] == 0
    assert figure.get_suptitle() == "LeNet on Silhouettes"


def test_the_png_is_a_picture_and_depends_on_the_history_alone():
    from matplotlib import image

    png = png_of(history(), 10, "title")
    pixels = image.imread(io.BytesIO(png), format="png")
    assert pixels.shape == (456, 1080, 4)
    train, test = (tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)) for colour in (curves.TRAIN, curves.TEST))
    for colour in (train, test):  # both curves are in it
        assert (abs(pixels[..., :3] - colour).max(axis=-1) < 0.02).sum() > 100
    assert png == png_of(history(), 10, "title") != png_of(history(2), 10, "title")


def test_the_png_is_new_after_each_epoch(task, tmp_path):
    path, seen, task = tmp_path / "new" / "curves.png", [], task()

    class Looking(Observer):
        def on_epoch_end(self, run, result):
            seen.append(path.read_bytes() == png_of(run.history, run.epochs, "t"))

    with task.step() as step:
        drawing = Curves(path, "t", live=False, pause=0)
        train(step, task.batches, task.test_batches, 2, [drawing, Looking()])
    assert seen == [True, True]
    assert [file.name for file in path.parent.iterdir()] == ["curves.png"]  # nothing temporary is left


def test_short_epochs_share_a_drawing_and_the_last_is_drawn(task, tmp_path, monkeypatch):
    path, drawn, task = tmp_path / "curves.png", [], task()
    monkeypatch.setattr(curves, "png_of", lambda records, epochs, title: drawn.append(len(records)) or b"png")
    with task.step() as step:
        train(step, task.batches, task.test_batches, 5, [Curves(path, live=False, pause=1000)])
    assert drawn == [8, 5 * 8]


def test_drawing_needs_no_display_and_leaves_pyplot_alone(tmp_path):
    """In a process without a display, where pyplot cannot even be imported."""
    program = f"""
        import os, sys
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
            os.environ.pop(name, None)
        sys.modules["matplotlib.pyplot"] = None
        from tinycnn.training import Curves, Point, Run
        run = Run(epochs=1, num_batches=1, history=[Point(1, 1, 1.0, 0.9, 2.0, 0.5)])
        curves = Curves({str(tmp_path / "curves.png")!r}, live=False)
        curves.on_start(run)
        curves.on_end(run)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def pyplot(monkeypatch):
    """pyplot as it is where there is a display but its windows are switched off."""
    from matplotlib import pyplot

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "IPython", None)
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


def test_without_a_window_or_a_notebook_there_is_no_screen(pyplot):
    assert find_screen() is None
    assert pyplot.get_fignums() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_without_a_display_matplotlib_is_not_even_asked(pyplot, monkeypatch):
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(pyplot, "figure", None)
    assert find_screen() is None


def test_a_window_that_cannot_be_opened_does_not_end_the_training(pyplot, monkeypatch):
    def refuse(**options):
        raise OSError("no display name and no $DISPLAY environment variable")

    monkeypatch.setattr(pyplot, "figure", refuse)
    with pytest.warns(UserWarning, match="no window can be opened .*no display name.*the picture is in the PNG"):
        assert find_screen() is None


@pytest.fixture
def notebook(monkeypatch):
    """A stand-in for IPython in Jupyter; returns the pictures of every display, in order."""
    displays = []

    class Handle:
        def __init__(self, picture):
            self.pictures = [picture]

        def update(self, picture):
            self.pictures.append(picture)

    def display(picture, display_id):
        assert display_id is True
        displays.append(Handle(picture))
        return displays[-1]

    ipython, shell = types.ModuleType("IPython"), type("ZMQInteractiveShell", (), {})()
    ipython.get_ipython, ipython.version_info = lambda: shell, (9, 0)  # matplotlib asks, when it is first loaded
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display, ipython.display.Image = display, lambda data, width: data
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return displays


def test_a_notebook_shows_one_picture_that_changes(task, tmp_path, notebook, monkeypatch):
    path, task = tmp_path / "curves.png", task()
    monkeypatch.setattr(curves, "png_of", lambda records, epochs, title: b"picture of %d" % len(records))
    assert isinstance(find_screen(), Notebook)
    with task.step() as step:
        train(step, task.batches, task.test_batches, 2, [Curves(path, pause=0)])
    (handle,) = notebook
    assert handle.pictures == [b"picture of %d" % n for n in [*range(1, 17), 16]]  # the last when all is over
    assert path.read_bytes() == handle.pictures[-1]


def test_ipython_in_a_terminal_is_no_notebook(pyplot, notebook, monkeypatch):
    terminal = type("TerminalInteractiveShell", (), {})()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: terminal)
    assert find_screen() is None


@pytest.fixture
def asked(pyplot, monkeypatch):
    """Makes pyplot claim to have windows; returns what they were asked, in order."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    asked, new_figure = [], pyplot.figure

    class Canvas(FigureCanvasAgg):
        required_interactive_framework = "imagined"

        def draw_idle(self):
            asked.append("draw")

        def flush_events(self):
            asked.append("flush")

    def figure(**options):
        made = new_figure(**options)
        manager = made.canvas.manager
        manager.canvas = Canvas(made)
        manager.canvas.manager = manager
        return made

    monkeypatch.setattr(pyplot, "figure", figure)
    monkeypatch.setattr(pyplot, "show", lambda block: asked.append(f"show, block={block}"))
    return asked


def test_a_window_shows_the_picture_and_never_blocks(asked, pyplot):
    from matplotlib import image

    window = find_screen()
    assert isinstance(window, Window) and asked == ["show, block=False"]
    for epochs in (1, 2):
        png = png_of(history(epochs), 2)
        window.show(png)
        (shown,) = window.figure.images
        assert (shown.get_array() == image.imread(io.BytesIO(png), format="png")).all()
    assert asked[1:] == ["draw", "flush", "draw", "flush"]
    pyplot.close(window.figure)  # as a user does
    window.show(png)
    assert len(asked) == 5


def test_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setattr(curves, "can_draw", lambda: False)
    with pytest.raises(RuntimeError, match=r'matplotlib is not installed; pip install "tinycnn\[plot\]"'):
        Curves(tmp_path / "curves.png")
