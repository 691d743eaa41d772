"""The README's pictures can be drawn again."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "pictures" / "draw.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def draw():
    return runpy.run_path(str(PROGRAM))


def areas(picture):
    """How many pixels have each colour."""
    codes = np.asarray(picture, int).reshape(-1, 3) @ [65536, 256, 1]
    return dict(zip(*(found.tolist() for found in np.unique(codes, return_counts=True)), strict=True))


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="Chromium is not installed")
@pytest.mark.parametrize("name", ["lesson", "tour"])
def test_the_lesson_page_and_its_tour_are_shown_checked(name, draw, tmp_path, capsys):
    """The picture is the README's, and its self-check has passed.

    Fonts differ between machines, and with them where things stand; the cells of the grids do not, so it is their
    colours that are counted.  (With other fonts 95 % of them cover what they covered, on other tabs 10 to 40 %.)
    """
    image = pytest.importorskip("PIL.Image")
    draw["main"]([name, "--out", str(tmp_path)])
    assert f"wrote {tmp_path / name}.png" in capsys.readouterr().out
    new, old = (image.open(folder / f"{name}.png").convert("RGB") for folder in (tmp_path, PROGRAM.parent))
    assert new.size == old.size == draw["VIEWS"][name][1]
    ours, theirs = areas(new), areas(old)
    cells = [colour for colour, count in theirs.items() if 1000 < count < 200_000]
    assert len(cells) > 20
    assert np.mean([abs(ours.get(colour, 0) / theirs[colour] - 1) < 0.1 for colour in cells]) > 0.8
    red, green, blue = np.asarray(new.crop((400, 10, 1240, 60)), int).reshape(-1, 3).T
    assert ((green > 90) & (red < 40) & (blue < 100)).any(), "the self-check's light is not green"


@pytest.mark.parametrize("name", ["curves", "activations", "data_parallel", "better_lenet", "exercises"])
def test_the_others_come_from_their_examples(draw, name, tmp_path, monkeypatch):
    """Each example is asked in words that it understands, and its picture, and its numbers, go to their places."""
    asked, wrote = [], {"curves": "curves.png", "better_lenet": "curves.png", "exercises": "exercises.png"}

    def run(command, check):
        asked.append(Path(command[1]))
        example = runpy.run_path(command[1])
        example["parse"](command[2:], *([""] if name == "curves" else []))  # an option it does not know ends the test
        out = Path(command[command.index("--out") + 1])
        (out / wrote[name] if name in wrote else out).write_bytes(b"a picture")
        for results in ("result.json", "exercises.json"):
            (out if name in wrote else out.parent).joinpath(results).write_text(results)

    (tmp_path / "results").mkdir()
    monkeypatch.setitem(draw["main"].__globals__, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(draw["subprocess"], "run", run)
    draw["main"]([name, "--out", str(tmp_path), "--mnist-dir", str(tmp_path)])
    assert [path.stem for path in asked] == ["lenet_fashion" if name == "curves" else name]
    assert (tmp_path / f"{name}.png").read_bytes() == b"a picture"
    kept = {"better_lenet": {"better_lenet.fashion.json"}, "exercises": {"exercises.json"}}
    assert {path.name for path in (tmp_path / "results").iterdir()} == kept.get(name, set())


def test_errors(draw, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        draw["main"](["lessons"])
    assert "there is no picture 'lessons'; there are lesson, tour, curves," in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="needs Chromium, which is not installed"):
        draw["main"](["lesson"])
