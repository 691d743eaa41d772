import importlib.util
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinycnn import checkpoint
from tinycnn.cli import report
from tinycnn.cli.report import clear_errors
from tinycnn.data import DatasetError, Silhouettes
from tinycnn.training import Observer, curves, read_metrics

EXAMPLE = Path(__file__).parents[2] / "examples" / "lenet_fashion.py"
SHAPES = """\
Conv2d output shape: \t (1, 6, 28, 28)
Sigmoid output shape: \t (1, 6, 28, 28)
AvgPool2d output shape: \t (1, 6, 14, 14)
Conv2d output shape: \t (1, 16, 10, 10)
Sigmoid output shape: \t (1, 16, 10, 10)
AvgPool2d output shape: \t (1, 16, 5, 5)
Flatten output shape: \t (1, 400)
Linear output shape: \t (1, 120)
Sigmoid output shape: \t (1, 120)
Linear output shape: \t (1, 84)
Sigmoid output shape: \t (1, 84)
Linear output shape: \t (1, 10)
"""
RESULT = r"loss \d\.\d{3}, train acc [01]\.\d{3}, test acc [01]\.\d{3}"


def data(name="Fashion-MNIST"):
    """A few generated images under the name of another data set."""
    train, test = Silhouettes(True, 100), Silhouettes(False, 40)
    train.name = test.name = name
    return train, test


@pytest.fixture
def example(monkeypatch, tmp_path):
    """The example, which finds a few images wherever it looks, in a folder of its own."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "load", lambda *arguments, **options: data())
    monkeypatch.setattr(curves, "png_of", lambda *shown: repr(shown).encode())  # drawing takes longer than training
    monkeypatch.chdir(tmp_path)
    return module


QUICK = ["--device", "cpu", "--execution", "plain", "--epochs", "2", "--batch-size", "32"]


def test_what_a_person_sees(example, capsys, tmp_path):
    example.main(QUICK)
    out = capsys.readouterr().out
    assert SHAPES in out
    lines = out.splitlines()
    assert lines[:2] == ["running on cpu, as asked", "Fashion-MNIST train: 100 images of 28x28 pixels in 10 classes"]
    assert lines[14] == "training on cpu, plain: the whole batch on one tape"
    assert re.fullmatch(rf"epoch 1/2  {RESULT}, \d+ examples/sec", lines[15])
    result, speed, seconds, *files = lines[-6:]
    assert re.fullmatch(RESULT, result) and re.fullmatch(r"\d+\.\d examples/sec on cpu", speed)
    assert re.fullmatch(r"\d+\.\d s in all", seconds)
    assert files == [
        f"wrote {Path('runs', 'lenet-fashion', n)}" for n in ("metrics.jsonl", "curves.png", "result.json")
    ]
    folder = tmp_path / "runs" / "lenet-fashion"
    assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "metrics.jsonl", "result.json"]
    first, rows = read_metrics(folder / "metrics.jsonl")
    assert (first["dataset"], first["seed"], first["model"]["channels"]) == ("Fashion-MNIST", 0, [6, 16])
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    last = rows[-1]
    assert result == "loss {train_loss:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}".format(**last)
    assert speed == f"{found['examples_per_sec']:.1f} examples/sec on cpu"
    assert found["examples_per_sec"] == 200 / found["step_seconds"] and found["wall_seconds"] > found["step_seconds"]
    assert {key: found[key] for key in ("train_loss", "test_acc")} == {
        key: last[key] for key in ("train_loss", "test_acc")
    }
    assert found["options"]["lr"] == 0.9 and found["machine"]["numpy"] == np.__version__


def test_the_options_reach_the_net_and_the_training(example, monkeypatch):
    seen = {}

    def train(step, batches, test_batches, epochs, observers, run):
        seen.update(step=step, batches=batches, test=test_batches, epochs=epochs)
        raise ValueError("seen enough")

    monkeypatch.setattr(example, "train", train)
    arguments = """--device cpu --epochs 3 --batch-size 20 --lr 0.25 --momentum 0.5 --seed 6 --limit 50 --channels 3 4
        --pool max --activation relu --kernel-size 3 --hidden 11 --dropout 0.5 --execution threads --micro-batch 9"""
    with pytest.raises(ValueError, match="seen enough"):
        example.main([*arguments.split(), "--workers", "1"])
    step, batches = seen["step"], seen["batches"]
    shapes = [p.shape for p in step.model.parameters()]
    assert shapes == [(3, 1, 3, 3), (3,), (4, 3, 3, 3), (4,), (11, 144), (11,), (10, 11), (10,)]
    names = [type(layer).__name__ for layer in step.model]
    assert names[:3] == ["Conv2d", "ReLU", "MaxPool2d"] and "Dropout" in names
    assert (step.strategy, step.micro_batch, step.workers) == ("threads", 9, 1)
    assert (step.optimizer.lr, step.optimizer.momentum, seen["epochs"]) == (0.25, 0.5, 3)
    assert (len(batches.images), batches.batch_size, batches.seed, batches.shuffle) == (50, 20, 6, True)
    assert (len(seen["test"].images), seen["test"].shuffle) == (40, False)


def test_the_same_seed_gives_the_same_files(example, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        example.main([*QUICK, "--out", out, "--seed", str(seed)])
    files = {out: [(tmp_path / out / name).read_bytes() for name in ("metrics.jsonl", "curves.png")] for out in "abc"}
    assert files["a"] == files["b"]
    assert files["a"][0] != files["c"][0] and files["a"][1] != files["c"][1]


@pytest.mark.parametrize(("name", "key"), [("Silhouettes", "silhouettes"), ("MNIST", "mnist")])
def test_other_data_is_named_in_every_line_of_result(example, monkeypatch, capsys, tmp_path, name, key):
    monkeypatch.setattr(example, "load", lambda *arguments, **options: data(name))
    example.main(QUICK)
    lines = capsys.readouterr().out.splitlines()
    results = [line for line in lines if "acc" in line or "examples/sec" in line]
    assert len(results) == 4 and all(line.startswith(f"{name}: ") for line in results)
    assert (tmp_path / "runs" / f"lenet-{key}" / "metrics.jsonl").exists()


def test_the_stand_in_is_announced(example, monkeypatch, capsys):
    """With --dataset auto and no data: the box, the reason, and the name on the results."""
    from tinycnn.data import datasets

    def nowhere(*arguments):
        raise DatasetError("Fashion-MNIST: looked everywhere")

    monkeypatch.setattr(datasets, "FashionMNIST", nowhere)
    monkeypatch.setattr(datasets, "Silhouettes", lambda train: Silhouettes(train, 40))
    monkeypatch.setattr(example, "load", datasets.load)
    example.main([*QUICK, "--dataset", "auto"])
    out = capsys.readouterr().out
    assert datasets.STAND_IN in out and "Fashion-MNIST: looked everywhere" in out
    assert re.search(rf"^Silhouettes: {RESULT}$", out, re.MULTILINE)
    with pytest.raises(DatasetError):
        example.main([*QUICK, "--dataset", "fashion"])


def test_without_matplotlib_the_run_goes_on(example, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(curves, "can_draw", lambda: False)
    example.main([*QUICK, "--out", "out"])
    out = capsys.readouterr().out
    assert 'no curves will be drawn: matplotlib is not installed; pip install "tinycnn[plot]"' in out
    assert re.search(RESULT, out) and not (tmp_path / "out" / "curves.png").exists()


def test_save_and_resume(example, capsys, tmp_path):
    pytest.importorskip("safetensors")
    quick = [*QUICK, "--momentum", "0.5", "--dropout", "0.5"]
    example.main([*quick, "--out", "whole", "--epochs", "3", "--save", "whole.safetensors"])
    expected = capsys.readouterr().out.splitlines()[-7]
    example.main([*quick, "--out", "parts", "--epochs", "1", "--save", "parts.safetensors"])
    example.main(["--resume", "parts.safetensors", "--out", "parts", "--epochs", "3", "--execution", "plain"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-7] == expected and lines[-4] == "wrote parts.safetensors"
    rows = {name: (tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "parts")}
    assert rows["whole"] == rows["parts"]
    whole, parts = checkpoint.load("whole.safetensors"), checkpoint.load("parts.safetensors")
    assert all((whole.tensors[name] == parts.tensors[name]).all() for name in whole.tensors)
    assert whole.build().config["dropout"] == 0.5 and whole.about["dataset"]["name"] == "Fashion-MNIST"
    example.main(["--resume", "parts.safetensors"])  # nothing is left to do: the result again
    assert capsys.readouterr().out.splitlines()[-7] == expected


def test_a_run_is_not_resumed_on_other_data(example, monkeypatch):
    pytest.importorskip("safetensors")
    example.main([*QUICK, "--save", "run.safetensors"])
    monkeypatch.setattr(example, "load", lambda *arguments, **options: data("MNIST"))
    with pytest.raises(ValueError, match="run.safetensors: entry 'dataset' is Fashion-MNIST, this is MNIST"):
        example.main(["--resume", "run.safetensors", "--epochs", "3"])


def test_tensorboard(example, tmp_path, capsys):
    pytest.importorskip("tensorboardX")
    example.main([*QUICK, "--tensorboard", "events"])
    assert len(list((tmp_path / "events").iterdir())) == 1
    assert "wrote events" in capsys.readouterr().out


def test_sigterm_is_saved_and_told_to_whoever_sent_it(example, monkeypatch, capsys):
    """docker stop, and batch systems when the time is up."""
    pytest.importorskip("safetensors")

    class Terminated(Observer):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (0, 2):
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(report, "StuckHint", lambda *arguments: Terminated())
    status = example.main([*QUICK, "--save", "run.safetensors", "--out", "out"])
    assert status == 143
    assert "stopped by SIGTERM after batch 3 of 4 of epoch 1" in capsys.readouterr().out.splitlines()
    assert checkpoint.load("run.safetensors").about["run"]["batch"] == 3


def test_a_folder_that_another_run_writes_into_is_refused(example, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "metrics.jsonl").open("a", encoding="utf-8") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write("the other run's")
        other.flush()
        with pytest.raises(RuntimeError, match="another run is writing this file; give each run a folder of its own"):
            example.main([*QUICK, "--out", "out"])
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert names == ["metrics.jsonl"] and (tmp_path / "out" / names[0]).read_text("utf-8") == "the other run's"
    example.main([*QUICK, "--out", "out"])


@pytest.mark.parametrize("file", [".", "folder", "readonly.safetensors"])
def test_a_file_that_cannot_be_saved_is_told_before_the_first_batch(example, monkeypatch, tmp_path, file):
    pytest.importorskip("safetensors")
    (tmp_path / "folder").mkdir()
    (tmp_path / "readonly.safetensors").touch(0o444)
    seen = []
    monkeypatch.setattr(report.Progress, "on_batch", lambda self, run: seen.append(run.batch))
    with pytest.raises(OSError, match=r"it is a folder|the file is read-only"):
        example.main([*QUICK, "--save", file, "--out", "out"])
    assert not seen


def test_ctrl_c_leaves_a_result(example, monkeypatch, capsys, tmp_path):
    pytest.importorskip("safetensors")

    class CtrlC(Observer):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (0, 2):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(report, "StuckHint", lambda *arguments: CtrlC())
    example.main([*QUICK, "--save", "run.safetensors", "--out", "out"])
    lines = capsys.readouterr().out.splitlines()
    assert "stopped by Ctrl-C after batch 3 of 4 of epoch 1" in lines
    assert re.fullmatch(RESULT, lines[-7])
    assert checkpoint.load("run.safetensors").about["run"]["batch"] == 3
    assert json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["interrupted"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("LeNet: too small"), "error: LeNet: too small"),
        (DatasetError("no data"), "error: no data"),
        (FileNotFoundError(2, "No such file or directory", "nowhere"), "error: nowhere: No such file or directory"),
        (OSError("odd"), "error: odd"),
        (
            MemoryError("9 GiB"),
            "error: memory ran out (9 GiB): take smaller batches or fewer images (--batch-size, --limit)",
        ),
        (
            type("OutOfMemoryError", (MemoryError,), {"__module__": "cupy.cuda.memory"})("9 GiB"),
            "error: memory ran out (9 GiB): take smaller batches or fewer images (--batch-size, --limit); nvidia-smi "
            "shows whether another program holds the GPU's",
        ),
        (KeyboardInterrupt(), "130"),
    ],
)
def test_errors_meant_for_people_come_without_a_traceback(error, message):
    with pytest.raises(SystemExit) as caught, clear_errors():
        raise error
    assert str(caught.value.code) == message


def test_mistakes_of_programs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), clear_errors():
        1 / 0  # noqa: B018


def test_the_program_as_it_is_called():
    """One message on the error stream and status 1 where it cannot go on; --help teaches."""
    command = [sys.executable, str(EXAMPLE)]
    done = subprocess.run([*command, "--resume", "nowhere"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere: No such file or directory\n"
    done = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--resume lenet.safetensors" in done.stdout and "(default: 0.9)" in done.stdout


def test_the_example_is_short():
    """A learner reads it in one go: model, data, training."""
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 70


def test_report_is_a_page_of_the_trained_net(example, capsys, tmp_path):
    example.main([*QUICK, "--report", "lenet.html"])
    assert 'id="trace"' in (tmp_path / "lenet.html").read_text(encoding="utf-8")
    assert "wrote lenet.html" in capsys.readouterr().out
