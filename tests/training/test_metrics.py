import json
import os

import pytest

from tinycnn.training import Epoch, MetricsFile, Observer, Point, Run, read_metrics, train
from tinycnn.training.run import as_row

POINT = {"kind", "epoch", "batch", "x", "lr", "train_loss", "train_acc"}
EPOCH = {"kind", "epoch", "x", "lr", "train_loss", "train_acc", "test_loss", "test_acc"}


def trained(task, path, epochs=2, observers=(), run=None):
    task = task()
    with task.step() as step:
        metrics = MetricsFile(path, {"dataset": "Größe"})
        return train(step, task.batches, task.test_batches, epochs, [metrics, *observers], run)


def test_a_line_for_every_measurement(task, tmp_path):
    path = tmp_path / "new" / "folder" / "metrics.jsonl"
    run = trained(task, path)
    lines = path.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""  # the file ends with a newline, and lines end with \n on every system
    first, *rows = map(json.loads, lines)
    assert first == {"kind": "run", "dataset": "Größe"}
    assert [row["kind"] for row in rows] == 2 * (7 * ["point"] + ["epoch"])
    for row, record in zip(rows, run.history, strict=True):
        assert set(row) == (POINT if row["kind"] == "point" else EPOCH)
        kind = {"point": Point, "epoch": Epoch}[row.pop("kind")]
        assert kind(**row) == record  # to the last bit
    assert read_metrics(path) == (first, [json.loads(line) for line in lines[1:]])


def test_lines_are_in_the_file_as_soon_as_they_are_known(task, tmp_path):
    path, lengths = tmp_path / "metrics.jsonl", []

    class Looking(Observer):
        def on_batch(self, run):
            lengths.append(len(path.read_text(encoding="utf-8").splitlines()) - len(run.history))

        def on_epoch_end(self, run, result):
            self.on_batch(run)

    trained(task, path, observers=[Looking()])
    assert set(lengths) == {1}


def test_the_same_run_writes_the_same_bytes(task, tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    trained(task, one)
    trained(task, two)
    assert one.read_bytes() == two.read_bytes()


def test_a_run_that_goes_on_begins_with_its_history(task, tmp_path):
    """Whatever was in the file: lines that a killed run wrote after its last checkpoint must not stay."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(task, whole, epochs=2)
    first, last = task(), task()
    with first.step() as step:
        run = train(step, first.batches, first.test_batches, epochs=1, observers=[MetricsFile(parts, {})])
    parts.write_text("lines of a run that was killed\n" * 9, encoding="utf-8")
    last.net.load_state_dict(first.net.state_dict())
    again = Run.from_state_dict(run.state_dict())
    with last.step() as step:
        metrics = MetricsFile(parts, {"dataset": "Größe"})
        train(step, last.batches, last.test_batches, 2, [metrics], again)
    assert parts.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "run"}\n{"kind": ', "line 2: not JSON"),
        ('{"kind": "run"}\n[1, 2]\n', r"line 2: expected a JSON object, got \[1, 2\]"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_is_none(text, words, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"metrics.jsonl.*{words}"):
        read_metrics(path)


@pytest.mark.parametrize("content", [b'{"kind": "\xff\xfe"}\n', b"[" * 100_000 + b"\n"], ids=["bad UTF-8", "deep"])
def test_a_file_that_somebody_made_up(content, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"metrics.jsonl, line 1: not JSON"):
        read_metrics(path)


def test_two_runs_do_not_write_one_file(task, tmp_path):
    pytest.importorskip("fcntl")
    path, one, two = tmp_path / "metrics.jsonl", task(), task()
    first, second = MetricsFile(path, {"run": 1}), MetricsFile(path, {"run": 2})

    class Beside(Observer):
        def on_epoch_end(self, run, result):
            with two.step() as step, pytest.raises(RuntimeError, match=r"metrics.jsonl: another run is writing"):
                train(step, two.batches, two.test_batches, 1, [second])

    with one.step() as step:
        run = train(step, one.batches, one.test_batches, 2, [first, Beside()])
    about, rows = read_metrics(path)
    assert about["run"] == 1 and rows == [as_row(record) for record in run.history]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is full")
def test_a_full_disk_does_not_end_training(task, tmp_path):
    metrics, task = MetricsFile(tmp_path / "metrics.jsonl", {}), task()

    class Full(Observer):
        def on_batch(self, run):
            if not metrics.file.closed:
                full = os.open("/dev/full", os.O_WRONLY)
                os.dup2(full, metrics.file.fileno())
                os.close(full)

    with pytest.warns(RuntimeWarning, match="MetricsFile steps aside, .*No space left"), task.step() as step:
        run = train(step, task.batches, task.test_batches, 2, [Full(), metrics])
    assert run.epoch == 2
