import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tinycnn.checkpoint import Checkpoint, CheckpointError
from tinycnn.cli import options as module
from tinycnn.cli.options import Options, parse
from tinycnn.data import SHORT_NAMES
from tinycnn.models import LeNet


def saved(options, dataset="Fashion-MNIST", path="run.safetensors"):
    """A checkpoint with these options, as JSON brings them back."""
    about = json.loads(json.dumps({"options": options.as_dict(), "dataset": {"name": dataset, "sha256": "0"}}))
    net = LeNet(**options.model)
    model = json.loads(json.dumps({"class": "LeNet", "config": net.config}))
    return Checkpoint(Path(path), net.state_dict(), "0", model, None, None, {}, about)


@pytest.fixture
def resume(monkeypatch):
    """Parse arguments after `--resume run.safetensors`, which is the checkpoint of the given options."""

    def parsed(options, *arguments, dataset="Fashion-MNIST"):
        monkeypatch.setattr(module.checkpoint, "load", lambda path: saved(options, dataset, path))
        return parse(["--resume", "run.safetensors", *arguments], "")[0]

    return parsed


def test_the_defaults_are_the_chapters():
    options, checkpoint = parse([], "")
    assert checkpoint is None and options == Options()
    assert (options.epochs, options.batch_size, options.lr, options.momentum) == (10, 256, 0.9, 0.0)
    assert LeNet(**options.model).config == LeNet().config


def test_every_option_can_be_given():
    arguments = """--device cpu --dataset mnist --data-dir d --limit 9 --epochs 2 --batch-size 8 --lr 0.5 --momentum 0.1
        --activation relu --pool max --channels 4 8 8 --kernel-size 3 --hidden 20 --dropout 0.25 --same-padding --seed 7
        --batch-norm --execution threads --engine tape --workers 3 --micro-batch 16 --out o --report r --tensorboard t
        --save s --save-every 5"""
    options, _ = parse(arguments.split(), "")
    expected = {
        **{"device": "cpu", "dataset": "mnist", "data_dir": Path("d"), "limit": 9, "epochs": 2, "batch_size": 8},
        **{"lr": 0.5, "momentum": 0.1, "activation": "relu", "pool": "max", "channels": (4, 8, 8), "kernel_size": 3},
        **{"hidden": (20,), "dropout": 0.25, "same_padding": True, "seed": 7, "execution": "threads", "workers": 3},
        **{"micro_batch": 16, "out": Path("o"), "report": Path("r"), "tensorboard": Path("t"), "save": Path("s")},
        **{"save_every": 5, "resume": None, "batch_norm": True, "engine": "tape"},
    }
    assert vars(options) == expected
    usual = vars(Options())
    assert [name for name in expected if expected[name] == usual[name]] == ["resume"]  # no default got in by mistake


def test_lists_may_be_empty():
    assert parse(["--channels", "--hidden"], "")[0].model["channels"] == ()


def test_options_survive_json(resume):
    options = Options(channels=(4,), hidden=(), out=Path("o"), data_dir=Path("d"), limit=3, tensorboard=Path("t"))
    again = resume(options)
    assert again.as_dict() == {
        **options.as_dict(),
        **{"out": None, "data_dir": None, "tensorboard": None},  # paths do not come from a file
        "dataset": "fashion",
        "save": "run.safetensors",
        "resume": "run.safetensors",
    }


def test_a_checkpoint_does_not_say_where_files_go(resume):
    """It may come from somebody else, who would choose which of this computer's files are overwritten."""
    paths = {name: Path("victim.txt") for name in ("data_dir", "out", "report", "tensorboard", "save")}
    again = resume(Options(**paths, workers=9000))
    assert {name: getattr(again, name) for name in paths} == dict.fromkeys(paths) | {"save": Path("run.safetensors")}
    assert again.workers is None
    assert resume(Options(**paths), "--report", "mine.html").report == Path("mine.html")


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", "8"), ("epochs", 1.5), ("lr", "0.1"), ("lr", None), ("seed", [1]), ("momentum", float("nan"))],
)
def test_options_of_another_kind_in_a_checkpoint_are_refused(monkeypatch, capsys, name, value):
    damaged = saved(Options())
    damaged.about["options"][name] = value
    monkeypatch.setattr(module.checkpoint, "load", lambda path: damaged)
    with pytest.raises((CheckpointError, SystemExit)) as caught:
        parse(["--resume", "run.safetensors"], "")
    assert name in str(caught.value) + capsys.readouterr().err


def test_a_net_in_the_options_that_is_not_the_saved_one_takes_no_memory(monkeypatch):
    """The net is the one of the tensors, which are there already."""
    large = saved(Options())
    large.about["options"]["hidden"] = [1_000_000, 84]
    monkeypatch.setattr(module.checkpoint, "load", lambda path: large)
    assert parse(["--resume", "run.safetensors"], "")[0].hidden == (120, 84)
    large.model["config"]["hidden"] = [1_000_000, 84]
    with pytest.raises(CheckpointError, match="entry 'model': the configuration .* is not that of tensors"):
        parse(["--resume", "run.safetensors"], "")


def test_a_resumed_run_keeps_its_options_but_for_those_that_may_change(resume):
    options = Options(lr=0.5, momentum=0.9, epochs=3, execution="plain", save=Path("first"))
    again = resume(options, "--epochs", "7", "--device", "cpu", "--out", "p", "--lr", "0.5")
    assert (again.lr, again.momentum, again.execution) == (0.5, 0.9, "plain")
    assert (again.epochs, again.device, again.out) == (7, "cpu", Path("p"))
    assert again.save == Path("run.safetensors")
    assert resume(options, "--save", "second").save == Path("second")


def test_a_resumed_run_takes_the_data_that_it_had(resume):
    """Not what "auto" would find today."""
    for name, key in SHORT_NAMES.items():
        assert resume(Options(dataset="auto"), dataset=name).dataset == key


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lr", "0.1"], r"--lr: the run in run\.safetensors has 0\.9, got 0\.1; leave the option out"),
        (["--batch-size", "8"], "--batch-size: the run in .* has 256, got 8"),
        (["--channels", "6", "17"], r"--channels: the run in .* has \(6, 16\), got \(6, 17\)"),
        (["--dataset", "mnist"], "--dataset: the run in .* has fashion, got mnist"),
        (["--seed", "1"], "--seed: "),
        (["--dropout", "0.5"], "--dropout: "),
    ],
)
def test_a_resumed_run_cannot_become_another(resume, capsys, arguments, words):
    with pytest.raises(SystemExit):
        resume(Options(), *arguments)
    assert re.search(words, capsys.readouterr().err.splitlines()[-1])


def test_a_checkpoint_of_no_run(monkeypatch):
    for about in ({}, {"options": {"moon": 1}, "dataset": {"name": "MNIST"}}, {"options": {}, "dataset": None}):
        other = saved(Options(), path="x.safetensors")
        other = replace(other, about=about)
        monkeypatch.setattr(module.checkpoint, "load", lambda path, other=other: other)
        with pytest.raises(CheckpointError, match=r"x\.safetensors: entry 'about' is not a training run's"):
            parse(["--resume", "x.safetensors"], "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--epochs 0", "--epochs: got 0, expected 1 or more"),
        ("--batch-size -3", "--batch-size: got -3"),
        ("--limit 0", "--limit: got 0"),
        ("--workers 0", "--workers: got 0"),
        ("--seed -1", "--seed: got -1, expected 0 or more"),
        ("--save-every 5", "--save-every: there is no file to save to; name one with --save FILE"),
        ("--save s --save-every 0", "--save-every: got 0"),
        ("--pool min", "argument --pool: invalid choice: 'min'"),
        ("--channels six", "argument --channels: invalid int value: 'six'"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_options_end_the_program_with_one_line(capsys, arguments, words):
    with pytest.raises(SystemExit, match="2"):
        parse(arguments.split(), "")
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_help_shows_the_text_and_every_option_with_its_default(capsys):
    with pytest.raises(SystemExit, match="0"):
        parse(["--help"], "Train a net.\n\n    an example")
    text = capsys.readouterr().out
    assert "Train a net.\n\n    an example\n" in text
    words = " ".join(text.split())
    for name, value in vars(Options()).items():
        assert f"--{name.replace('_', '-')}" in words
        if name not in ("same_padding", "batch_norm") and value is not None:
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
            assert f"(default: {shown})" in words, name


def test_a_tilde_is_the_home_folder_where_the_shell_left_it_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("USERPROFILE", "/home/ann")
    options, _ = parse(["--out=~/runs", "--save=~/a.safetensors", "--data-dir=~/data"], "")
    found = [options.out, options.save, options.data_dir]
    assert [path.as_posix() for path in found] == ["/home/ann/runs", "/home/ann/a.safetensors", "/home/ann/data"]
