"""From a folder of pictures to a net, and to their classes' names: train --data, and predict."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tinycnn import checkpoint
from tinycnn.cli import main, own

Image = pytest.importorskip("PIL.Image")
COLOURS = {"grass": (40, 160, 60), "sky": (120, 180, 250), "brick": (150, 60, 40)}


def draw(folder, count, rng):
    """Pictures of as many kinds as there are colours, a little different each, and of many sizes."""
    for kind, colour in COLOURS.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            width, height = rng.integers(20, 50, 2).tolist()
            noise = rng.integers(-30, 31, (height, width, 3))
            Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(folder / kind / f"{i}.png")
    return folder


@pytest.fixture
def pictures(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return draw(tmp_path / "walls", 10, rng)


def run(*arguments):
    return main([str(argument) for argument in arguments])


def train(*arguments):
    return run("train", "--device", "cpu", "--size", 12, "--out", "out", *arguments)


@pytest.mark.parametrize("model", own.MODELS)
def test_three_commands_from_a_folder_to_a_name(model, pictures, capsys):
    assert train("--data", pictures, "--model", model, "--epochs", 15, "--save", "walls.safetensors") == 0
    said = capsys.readouterr().out
    assert "walls train: 24 images of 12x12 pixels with 3 channels in 3 classes: brick, grass, sky" in said
    assert "a fifth of each class, 6 pictures drawn by chance, is kept back to test with" in said
    assert "test accuracy 100.0%, on 6 pictures that it has not learnt from" in said
    lines = (pictures.parent / "out" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["classes"] == ["brick", "grass", "sky"]

    assert run("predict", "walls.safetensors", pictures / "sky" / "3.png", pictures / "brick" / "0.png") == 0
    sky, brick = capsys.readouterr().out.splitlines()
    assert sky.split(": ")[1].startswith("sky ") and brick.split(": ")[1].startswith("brick ")


def test_the_readmes_commands(tmp_path, rng, monkeypatch, capsys):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "pets", 5, rng)
    (tmp_path / "pets" / "sky" / "0.png").rename("new.jpg")
    training, predicting = re.findall(r"^tinycnn (\w+ .*pets.*)$", readme, re.M)
    assert run(*training.split(), "--size", 12, "--epochs", 10) == 0 and run(*predicting.split()) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("new.jpg: sky ")


def test_grey_pictures_in_folders_that_say_what_they_are_for(pictures, rng, capsys):
    draw(pictures / "train", 6, rng)
    draw(pictures / "val", 2, rng)
    for kind in COLOURS:
        for path in (pictures / kind).iterdir():
            path.unlink()
        (pictures / kind).rmdir()
    assert train("--data", pictures, "--grey", "--no-flip", "--epochs", 1, "--save", "grey.safetensors") == 0
    said = capsys.readouterr().out
    assert "walls train: 18 images of 12x12 pixels in 3 classes" in said
    assert "tested with the 6 pictures in " in said and "on 6 pictures that it has not learnt from" in said
    assert run("predict", "grey.safetensors", pictures / "val" / "sky" / "0.png", "--show", "seen.png") == 0
    with Image.open("seen.png") as seen:
        assert seen.size == (4 * 13, 4 * 13)


def test_going_on_ends_with_the_bits_of_a_run_that_was_not_stopped(pictures, monkeypatch):
    """Ctrl-C in the second epoch, and --resume."""
    data = ("--data", pictures, "--epochs", 3)
    assert train(*data, "--save", "whole.safetensors") == 0

    class Stopping(own.Progress):
        def on_batch(self, run):
            if (run.epoch, run.batch) == (1, 1):
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(own, "Progress", Stopping)
        train(*data, "--save", "part.safetensors")
    whole, part = (checkpoint.load(f"{name}.safetensors") for name in ("whole", "part"))
    assert part.about["run"]["epoch"] < 3
    assert run("train", "--data", pictures, "--resume", "part.safetensors", "--out", "out") == 0
    part = checkpoint.load("part.safetensors")
    assert whole.tensors.keys() == part.tensors.keys()
    assert all(np.array_equal(array, part.tensors[name]) for name, array in whole.tensors.items())


def fails(capsys, *arguments):
    assert run(*arguments) != 0
    return capsys.readouterr().err


def test_what_is_refused(pictures, capsys):
    data = ("train", "--data", pictures)
    assert "--pool, --execution is for the chapter's data" in fails(
        capsys, *data, "--pool", "max", "--execution", "plain"
    )
    assert "train: --grey is for pictures of your own, which --data FOLDER names" in fails(capsys, "train", "--grey")
    assert "--size is 1000, expected up to 512 pixels" in fails(capsys, *data, "--size", 1000)
    assert "size must be at least 1, got 0" in fails(capsys, *data, "--size", 0)
    assert "nowhere is not a folder; expected one with a folder of pictures per class" in fails(
        capsys, "train", "--data", "nowhere"
    )
    for kind in ("sky", "brick"):
        (pictures / kind).rename(pictures.parent / kind)
    assert "walls has one class only, 'grass'; expected two or more" in fails(capsys, *data)
    (pictures / "sky").mkdir()
    (pictures / "sky" / "a.png").write_bytes(b"no picture")
    (pictures / "sky" / "b.png").write_bytes(b"no picture")
    assert "a.png: not a picture that can be read" in fails(capsys, *data)


def test_parts_with_other_classes_are_refused(pictures, rng, capsys):
    draw(pictures / "train", 2, rng)
    draw(pictures / "test", 1, rng)
    (pictures / "test" / "sky").rename(pictures / "test" / "heaven")
    assert "the classes in train and test are not the same" in fails(capsys, "train", "--data", pictures)


def test_a_run_is_not_resumed_as_another(pictures, rng, capsys):
    assert train("--data", pictures, "--epochs", 1, "--save", "a.safetensors") == 0
    again = ("train", "--data", pictures, "--resume", "a.safetensors")
    assert "the run in a.safetensors has epochs 1; leave it out" in fails(capsys, *again, "--epochs", 5)
    draw(pictures, 11, rng)
    assert "entry 'dataset' is walls, this is walls with other images" in fails(capsys, *again)
    capsys.readouterr()
    for command in ("explain", "eval"):
        said = fails(capsys, command, "a.safetensors")
        assert "this net has learnt from pictures of 'walls', which are not in the file" in said
    assert "--invert is for photos of garments" in fails(
        capsys, "predict", "a.safetensors", pictures / "sky" / "0.png", "--invert", "yes"
    )


@pytest.mark.parametrize(
    "about",
    [
        {"own": {}, "classes": ["a", "b", "c"]},
        {"own": {"size": 10**9, "grey": False}, "classes": ["a", "b", "c"]},
        {"own": {"size": 12, "grey": True}, "classes": ["a", "b", "c"]},
        {"own": {"size": 12, "grey": False}, "classes": ["a"]},
        {"own": {"size": 12, "grey": False}, "classes": 3},
        {"own": [], "classes": None},
    ],
    ids=str,
)
def test_a_file_that_describes_other_pictures_than_its_nets(about, pictures, capsys):
    net = own.MODELS["lenet"](own.Own(pictures, size=12), 3)
    checkpoint.save("odd.safetensors", net, about=about)
    text = fails(capsys, "predict", "odd.safetensors", pictures / "sky" / "0.png")
    assert "odd.safetensors: entry 'own' does not describe the net's pictures" in text
