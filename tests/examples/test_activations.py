"""The picture of activations: its rows are the images asked for, its maps the engine's."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from tinycnn import checkpoint, manual_seed
from tinycnn.data import Silhouettes
from tinycnn.models import LeNet

PROGRAM = Path(__file__).parents[2] / "examples" / "activations.py"
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def program():
    return runpy.run_path(str(PROGRAM))


def test_it_trains_draws_and_writes_one_png(program, tmp_path, capsys):
    out = tmp_path / "new" / "activations.png"
    program["main"](["--dataset", "silhouettes", "--limit", "128", "--each", "1", "--out", str(out)])
    assert out.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "epoch 1/1" in printed and "Pullover  mean activation" in printed and "noise" in printed


def test_a_checkpoint_is_taken_instead_of_training(program, tmp_path, capsys):
    pytest.importorskip("safetensors")
    manual_seed(3)
    checkpoint.save(tmp_path / "net.safetensors", LeNet())
    arguments = ["--checkpoint", str(tmp_path / "net.safetensors"), "--out", str(tmp_path / "a.png"), "--each", "1"]
    program["main"](["--dataset", "silhouettes", *arguments])
    assert (tmp_path / "a.png").exists() and "epoch" not in capsys.readouterr().out


def test_inputs_are_pullovers_coats_and_noise(program):
    data = Silhouettes(train=False, size=100)
    names, images = program["inputs"](data, 2, 0)
    assert names == ["Pullover"] * 2 + ["Coat"] * 2 + ["noise"] * 2
    np.testing.assert_array_equal(images[:2], data.images[data.labels == 2][:2])
    np.testing.assert_array_equal(images[2:4], data.images[data.labels == 4][:2])
    assert images[4:].std() > 60  # of numbers spread evenly over 0 to 255


def test_the_picture_holds_the_maps(program, rng):
    images, first, second = rng.random((2, 1, 5, 5)), rng.random((2, 3, 4, 4)), rng.random((2, 4, 2, 2))
    figure = program["draw"](["a", "b"], images, first, second)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    expected = [m for maps in (images, first, second) for row in range(2) for m in maps[row]]
    for ours, theirs in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for c in range(3):  # one scale per map, the same in both rows
        scale = (first[:, c].min(), first[:, c].max())
        assert figure.axes[2 + c].images[0].get_clim() == figure.axes[5 + c].images[0].get_clim() == scale
