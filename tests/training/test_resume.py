import random as dice
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tinycnn import checkpoint
from tinycnn.checkpoint import CheckpointError
from tinycnn.data import Silhouettes
from tinycnn.optim import StepLR
from tinycnn.training import MetricsFile, Observer, Run, train
from tinycnn.training.curves import can_draw, png_of
from tinycnn.training.resume import Checkpoints, check_dataset, continued, describe

pytest.importorskip("safetensors")

STRATEGIES = [
    ("plain", {}),
    ("threads", {"workers": 2, "micro_batch": 3}),
    ("processes", {"workers": 2, "micro_batch": 3}),
]


class Killed(Exception):
    """What ends a run here in the place of a power cut."""


class KillAfter(Observer):
    def __init__(self, batches):
        self.batches = batches

    def on_batch(self, run):
        if run.epoch * run.num_batches + run.batch == self.batches:
            raise Killed


class Program:
    """A training program of 3 epochs of 7 batches, with everything that has a state: momentum, dropout, a schedule."""

    def __init__(self, task, folder, strategy, options):
        self.task, self.folder, self.strategy, self.options = task, folder, strategy, options
        folder.mkdir()

    def run(self, *observers, every=None, resume=False):
        task = self.task(seed=4, momentum=0.9, dropout=0.3, lr=0.2)
        schedule = StepLR(task.optimizer, 1, gamma=0.5)
        file, run = self.folder / "run.safetensors", None
        if resume:
            run = continued(checkpoint.load(file), task.net, task.optimizer, schedule)
        metrics = MetricsFile(self.folder / "metrics.jsonl", {})
        saving = Checkpoints(file, task.net, task.optimizer, schedule, every)
        with task.step(self.strategy, **self.options) as step:
            return train(step, task.batches, task.test_batches, 3, [metrics, saving, *observers], run, schedule)

    def found(self):
        """All that must be the same in the end."""
        saved = checkpoint.load(self.folder / "run.safetensors")
        about = saved.about["run"] | {"seconds": 0}
        tensors = {name: array.tobytes() for name, array in saved.tensors.items()}
        metrics = (self.folder / "metrics.jsonl").read_bytes()
        return tensors, saved.optimizer, saved.schedule, saved.random, about, metrics


@pytest.fixture
def program(task, tmp_path):
    def make(name, strategy="plain", options=None):
        return Program(task, tmp_path / name, strategy, options or {})

    return make


@pytest.mark.parametrize(("strategy", "options"), STRATEGIES)
def test_a_resumed_run_ends_as_if_nothing_had_happened(program, strategy, options):
    try:
        whole = program("whole", strategy, options)
        expected = whole.run(every=4)
    except RuntimeError as error:
        pytest.skip(str(error))
    parts = program("parts", strategy, options)
    for resume, batches in ((False, 5), (True, 10), (True, 18)):
        with pytest.raises(Killed):
            parts.run(KillAfter(batches), every=4, resume=resume)
    run = parts.run(every=4, resume=True)
    assert parts.found() == whole.found()
    assert (run.history, run.result) == (expected.history, expected.result)


def test_on_a_device(program, task, fake_cupy):
    """A run on the device can be saved between two measurements, and goes on there."""

    def on_device(**options):
        made = task(**options)
        made.net.to("gpu")
        return made

    whole, parts = program("whole"), program("parts")
    whole.task = parts.task = on_device
    whole.run(every=4)
    with pytest.raises(Killed):
        parts.run(KillAfter(11), every=4)
    parts.run(every=4, resume=True)
    assert parts.found()[0] == whole.found()[0]
    assert parts.found()[-1] == whole.found()[-1]


def test_batches_that_are_run_at_once_are_saved_once(task, tmp_path):
    task, path = task(), tmp_path / "run.safetensors"
    saving, run, saved = Checkpoints(path, task.net, task.optimizer, every=3), Run(num_batches=20, batch=4), []
    saving.on_start(run)
    for batch in (5, 8, 10, 11, 14, 14, 15):
        run.batch = batch
        saving.on_batch(run)
        if path.exists():
            saved.append(batch)
            path.unlink()
    assert saved == [8, 10, 14, 15]  # those that complete 6, 9, 12 and 15


@pytest.mark.parametrize("batches", [1, 6, 7, 8, 13, 20, 21])
def test_wherever_it_is_killed(program, batches):
    whole, parts = program("whole"), program("parts")
    whole.run(every=1)
    with pytest.raises(Killed):
        parts.run(KillAfter(batches), every=1)
    parts.run(every=1, resume=True)
    assert parts.found() == whole.found()


def test_the_curves_of_a_resumed_run_are_the_same_picture(program):
    if not can_draw():
        pytest.skip("matplotlib is not installed")
    whole, parts = program("whole"), program("parts")
    expected = whole.run()
    with pytest.raises(Killed):
        parts.run(KillAfter(9))
    assert png_of(parts.run(resume=True).history, 3) == png_of(expected.history, 3)


def test_a_file_is_written_after_every_epoch_and_every_so_many_batches(program):
    class Looking(Observer):
        def __init__(self):
            self.seen = []

        def on_batch(self, run):
            self.on_epoch_end(run, None)

        def on_epoch_end(self, run, result):
            path = one.folder / "run.safetensors"
            state = checkpoint.load(path).about["run"] if path.exists() else {"epoch": 0, "batch": 0}
            self.seen.append((state["epoch"], state["batch"]))

    for every, expected in (
        (None, [(0, 0), (1, 0), (2, 0), (3, 0)]),
        (5, [(0, 0), (0, 5), (1, 0), (1, 3), (2, 0), (2, 1), (2, 6), (3, 0)]),
    ):
        one, looking = program(f"every {every}"), Looking()
        one.run(looking, every=every)
        assert sorted(set(looking.seen)) == expected


def test_ctrl_c_saves_first(program):
    class CtrlC(Observer):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (1, 2):
                signal.raise_signal(signal.SIGINT)

    whole, parts = program("whole"), program("parts")
    whole.run()
    run = parts.run(CtrlC())
    saved = checkpoint.load(parts.folder / "run.safetensors").about["run"]
    assert run.interrupted and (saved["epoch"], saved["batch"]) == (1, 3)
    parts.run(resume=True)
    assert parts.found() == whole.found()


def test_seconds_and_examples_add_up(program):
    one = program("one")
    with pytest.raises(Killed):
        one.run(KillAfter(8), every=8)
    before = checkpoint.load(one.folder / "run.safetensors").about["run"]
    assert before["trained"] == 50 + 8 and before["seconds"] > 0
    run = one.run(resume=True)
    assert run.trained == 150 and run.clock.seconds > before["seconds"]


def test_a_file_without_a_run(task, tmp_path):
    one = task()
    checkpoint.save(tmp_path / "x.safetensors", one.net, one.optimizer)
    for run in (None, {}, {"epoch": 1}, {"history": 3}):
        checkpoint.save(tmp_path / "x.safetensors", one.net, one.optimizer, about={} if run is None else {"run": run})
        with pytest.raises(CheckpointError, match=r"x.safetensors: entry 'run' is not a training run's"):
            continued(checkpoint.load(tmp_path / "x.safetensors"), one.net, one.optimizer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("batch", 99), ("batch", -1), ("epoch", 0.5), ("epoch", "1"), ("examples", -1), ("trained", 2**70)],
        *[("loss_sum", float("nan")), ("loss_sum", "much"), ("seconds", None), ("correct", True), ("num_batches", 3)],
        *[("history", [{"kind": "point"}]), ("history", [3]), ("history", {"kind": "epoch"})],
    ],
)
def test_a_run_that_cannot_be_is_refused(task, tmp_path, name, value):
    one, path = task(), tmp_path / "x.safetensors"
    state = Run(num_batches=7, batch=5).state_dict()
    checkpoint.save(path, one.net, one.optimizer, about={"run": {**state, name: value}})
    with pytest.raises(CheckpointError, match=r"x.safetensors: entry 'run' is not a training run's"):
        continued(checkpoint.load(path), one.net, one.optimizer)


def test_a_measurement_of_another_kind_is_refused(task, tmp_path):
    one, path = task(), tmp_path / "x.safetensors"
    run = train(one.step(), one.batches, one.test_batches, 1)
    for name, value in (("train_loss", "low"), ("epoch", 1.5), ("lr", None), ("x", float("inf"))):
        state = run.state_dict()
        state["history"][0][name] = value
        checkpoint.save(path, one.net, one.optimizer, about={"run": state})
        with pytest.raises(CheckpointError, match=r"entry 'run' is not a training run's"):
            continued(checkpoint.load(path), one.net, one.optimizer)


def test_other_data(task, tmp_path):
    data, other, one = Silhouettes(True, size=3), Silhouettes(True, size=3, seed=1), task()
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, one.net, about={"dataset": describe(data)})
    check_dataset(checkpoint.load(path), data)
    with pytest.raises(CheckpointError, match="entry 'dataset' is Silhouettes, this is Silhouettes with other images"):
        check_dataset(checkpoint.load(path), other)
    other.name = "MNIST"
    with pytest.raises(CheckpointError, match="entry 'dataset' is Silhouettes, this is MNIST$"):
        check_dataset(checkpoint.load(path), other)
    checkpoint.save(path, one.net)
    with pytest.raises(CheckpointError, match="entry 'dataset' is None"):
        check_dataset(checkpoint.load(path), data)


def test_checkpoints_every_nothing(task):
    with pytest.raises(ValueError, match="Checkpoints: every is 0, expected 1 batch or more"):
        Checkpoints("x", task().net, task().optimizer, every=0)


# A real program, really killed

EXAMPLE = Path(__file__).parents[2] / "examples" / "lenet_fashion.py"


class Process:
    """examples/lenet_fashion.py on a few generated images, in a process of its own."""

    def __init__(self, folder, images, arguments):
        self.folder, self.images, self.arguments = folder, images, arguments
        self.file = folder / "run.safetensors"

    def start(self):
        way = ["--resume", self.file, "--out", "out"] if self.file.exists() else ["--save", self.file, *self.arguments]
        program = f"""
            import importlib.util, sys
            from tinycnn.data import Silhouettes
            spec = importlib.util.spec_from_file_location("example", {str(EXAMPLE)!r})
            example = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(example)
            data = Silhouettes(True, {self.images}), Silhouettes(False, 100)
            example.load = lambda *arguments, **options: data
            example.main(sys.argv[1:])
        """
        command = [sys.executable, "-u", "-c", textwrap.dedent(program), *map(str, way)]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self):
        process = self.start()
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0, out
        return out

    def found(self):
        saved = checkpoint.load(self.file)
        files = {path.name: path.read_bytes() for path in (self.folder / "out").iterdir() if path.name != "result.json"}
        tensors = {name: array.tobytes() for name, array in saved.tensors.items()}
        return tensors, saved.random, saved.about["run"] | {"seconds": 0}, files


def wait_for_saves(process, file, saves):
    """Until the checkpoint has been written so many times more, or the process has ended."""
    last = None
    while saves > 0 and process.poll() is None:
        now = file.stat().st_mtime_ns if file.exists() else None
        saves -= now != last and last is not None
        last = now or 0
        time.sleep(0.002)


def kill_and_resume(tmp_path, kills, images, arguments, seed, saves):
    """Kill a run at random moments, all along its way, and compare what comes out with a run that was left alone.

    A process is killed within `starts` seconds of its start, or after some more checkpoints, up to `saves`.
    """
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    whole, parts = Process(whole, images, arguments), Process(parts, images, arguments)
    before = time.monotonic()
    whole.finish()
    lasts, roll, places = time.monotonic() - before, dice.Random(seed), []
    for kill in range(kills):
        process = parts.start()
        if kill % 5 == 4:
            time.sleep(roll.uniform(0, lasts / 5))  # while it starts, or reads its checkpoint
        else:
            wait_for_saves(process, parts.file, roll.randint(0, saves))
            time.sleep(roll.uniform(0, 0.05))  # in the middle of a step, of writing a file, of drawing
        process.kill()  # SIGKILL; TerminateProcess on Windows
        process.communicate()
        if parts.file.exists():
            run = checkpoint.load(parts.file).about["run"]  # whole at every moment
            places.append((run["epoch"], run["batch"]))
    result = parts.finish()
    assert parts.found() == whole.found()
    names = {path.name for path in parts.folder.iterdir()}  # a kill may leave a temporary file, never a broken one
    assert {name for name in names if not name.endswith(".new")} == {"run.safetensors", "out"}
    assert places == sorted(places)
    return places, result


OPTIONS = ["--out", "out", "--device", "cpu", "--momentum", "0.5", "--dropout", "0.2", "--hidden", "20", "--lr", "0.3"]


def test_a_process_killed_at_random_moments(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    arguments = [*OPTIONS, "--epochs", "2", "--batch-size", "32", "--save-every", "3", "--execution", "plain"]
    kill_and_resume(tmp_path, 2, 500, arguments, int(rng.integers(1 << 30)), saves=5)


@pytest.mark.slow
def test_a_process_killed_at_twenty_random_moments(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    arguments = [*OPTIONS, "--epochs", "3", "--batch-size", "64", "--save-every", "7"]
    places, result = kill_and_resume(tmp_path, 20, 12_000, arguments, int(rng.integers(1 << 30)), saves=8)
    print(f"killed at (epoch, batch) {places}\n{result}")
    assert len(set(places)) > 9
