import contextlib
import io
import os
import re
import sys
import threading

import pytest

from tinycnn.training import Epoch, Observer, Progress, train
from tinycnn.training.run import Clock, Run

RESULT = r"loss \d\.\d{3}, train acc [01]\.\d{3}, test acc [01]\.\d{3}, \d+ examples/sec"
SHORT = r"loss \d\.\d{3}, acc [01]\.\d{3}, test [01]\.\d{3}, \d+ examples/sec"


def trained(task, progress, epochs=2, observers=()):
    task = task()
    with task.step() as step:
        return train(step, task.batches, task.test_batches, epochs, [progress, *observers])


def test_a_line_an_epoch_where_there_is_no_terminal(task, capsys):
    trained(task, Progress(), epochs=10)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 10 and err == ""
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(rf"epoch {epoch:2}/10  {RESULT}", line)


def test_the_label_stands_before_every_line(task, capsys):
    trained(task, Progress(label="Silhouettes"))
    assert all(line.startswith("Silhouettes: epoch ") for line in capsys.readouterr().out.splitlines())


def test_examples_per_second_are_those_of_the_epoch():
    """Not of the run: the first epoch of 1000 examples took 10 s of steps, the second 2 s."""
    stream, run = io.StringIO(), Run(epochs=2, num_batches=1)
    progress = Progress(stream=stream, bar=False)
    progress.on_start(run)
    for epoch, seconds in ((1, 10.0), (2, 12.0)):
        run.trained, run.clock, run.epoch = 1000 * epoch, Clock(seconds), epoch
        progress.on_epoch_end(run, Epoch(epoch, epoch, 0.9, 1, 0.5, 1, 0.5))
    assert re.findall(r"(\d+) examples/sec", stream.getvalue()) == ["100", "500"]


def test_lines_where_tqdm_is_not_installed(task, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    stream = Terminal()
    trained(task, Progress(stream=stream))
    assert [bool(re.fullmatch(rf"epoch \d/2  {RESULT}", line)) for line in stream.getvalue().splitlines()] == [True] * 2


def test_a_bar_an_epoch(task):
    pytest.importorskip("tqdm")
    stream = io.StringIO()
    trained(task, Progress(label="MNIST", stream=stream, bar=True))
    bars = stream.getvalue().rstrip("\n").split("\n")
    assert len(bars) == 2
    for epoch, bar in enumerate(bars, 1):
        last = bar.rstrip().rsplit("\r", 1)[-1]
        assert re.fullmatch(rf"MNIST: epoch {epoch}/2 100%\|.*\| {SHORT}", last)


def test_the_bar_moves_with_the_batches(task):
    pytest.importorskip("tqdm")
    seen, progress = [], Progress(stream=io.StringIO(), bar=True)

    class Looking(Observer):
        def on_batch(self, run):
            seen.append((progress.bar.n, progress.bar.total, progress.bar.unit))

    trained(task, progress, epochs=1, observers=[Looking()])
    assert [(n, total) for n, total, _ in seen] == [(n, 7) for n in range(1, 8)]
    assert re.fullmatch(r"loss \d\.\d{3}, acc [01]\.\d{3}, \d+ examples/sec", seen[-1][2])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("columns", [80, 160, 0])
def test_a_bar_on_a_terminal_keeps_to_its_width(task, columns):
    pytest.importorskip("tqdm")
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    read = bytearray()

    def reading():  # at the same time, since a terminal holds a few lines only
        with contextlib.suppress(OSError):  # how Linux ends it
            while piece := os.read(ours, 4096):
                read.extend(piece)

    reader = threading.Thread(target=reading)
    reader.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        progress = Progress(stream=stream)
        assert progress.wanted
        trained(task, progress)
    reader.join()
    os.close(ours)
    text = read.decode()
    bars = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n") if line]
    assert len(bars) == 2
    width = columns or 80  # some terminals do not say
    for epoch, bar in enumerate(bars, 1):
        assert re.fullmatch(rf"epoch {epoch}/2 100%\|█+\| {SHORT}", bar) and width - 10 < len(bar) <= width


@pytest.mark.parametrize(("epoch", "batch", "words"), [(2, 3, "batch 3 of 7 of epoch 3"), (2, 0, "epoch 2")])
@pytest.mark.parametrize("by", ["Ctrl-C", "SIGTERM"])
def test_a_request_to_stop_is_told(epoch, batch, words, by):
    stream = io.StringIO()
    run = Run(epoch=epoch, batch=batch, num_batches=7, interrupted=True, stopped_by=by)
    Progress(stream=stream, bar=False).on_end(run)
    assert stream.getvalue() == f"stopped by {by} after {words}\n"
