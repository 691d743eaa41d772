"""read_folder: pictures in a folder per class."""

import sys

import numpy as np
import pytest

from tinycnn.data import folder, read_folder

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def pets(tmp_path):
    """Two classes: red pictures and blue ones, of several kinds and sizes; and what is to be passed over."""
    for kind, colour in (("dog", (0, 0, 255)), ("cat", (255, 0, 0))):
        (tmp_path / kind / "more").mkdir(parents=True)
        Image.new("RGB", (40, 30), colour).save(tmp_path / kind / "a.png")
        Image.new("RGB", (9, 50), colour).save(tmp_path / kind / "more" / "b.BMP")
    Image.new("L", (20, 20), 255).save(tmp_path / "dog" / "grey.png")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "cat" / ".a.png").write_text("of an editor")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_a_class_for_each_folder(pets):
    data = read_folder(pets, size=(6, 8))
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [0, 0, 1, 1, 1] and data.name == pets.name
    assert data.images.shape == (5, 3, 6, 8) and data.train
    assert data.images[:, :, 3, 3].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 255], [255, 255, 255], [0, 0, 255]]
    assert read_folder(str(pets), 5, channels=1).images.shape == (5, 1, 5, 5)


def test_a_tilde_is_the_home_folder(pets, monkeypatch):
    monkeypatch.setenv("HOME", str(pets.parent))
    monkeypatch.setenv("USERPROFILE", str(pets.parent))
    assert len(read_folder(f"~/{pets.name}", 5).images) == 5


def test_the_middle_is_kept_in_its_proportions_and_transparent_is_white(tmp_path):
    (tmp_path / "a").mkdir()
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 255
    Image.fromarray(picture).save(tmp_path / "a" / "wide.png")
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a" / "clear.png")
    clear, wide = read_folder(tmp_path, 10, channels=1).images
    assert (clear == 255).all() and (wide == 255).all()


def test_a_picture_is_turned_as_the_camera_was_held(tmp_path):
    (tmp_path / "a").mkdir()
    picture = np.zeros((8, 8), np.uint8)
    picture[:4] = 255
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 3  # turned by half a circle
    image.save(tmp_path / "a" / "x.png", exif=exif)
    (found,) = read_folder(tmp_path, 8, channels=1).images
    assert np.array_equal(found[0], picture[::-1])


@pytest.mark.parametrize(
    ("prepare", "options", "text"),
    [
        (lambda d: (d / "cat" / "bad.jpg").write_text("<html>"), {}, r"bad\.jpg: not a picture that can be read"),
        (lambda d: (d / "bird").mkdir(), {}, r"no pictures in .*bird; known endings are .png"),
        (lambda d: None, {"channels": 2}, r"read_folder: channels must be 1 \(grey\) or 3 \(colour\), got 2"),
        (lambda d: None, {"size": 0}, "read_folder: size must be at least 1, got 0"),
    ],
)
def test_what_is_refused(pets, prepare, options, text):
    prepare(pets)
    with pytest.raises(ValueError, match=text):
        read_folder(pets, **options)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"read_folder: .*nowhere is not a folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no folders in .*; expected one per class, with pictures in it"):
        read_folder(tmp_path)


def test_a_picture_of_too_many_pixels_is_not_unpacked(pets, monkeypatch):
    monkeypatch.setattr(folder, "MOST_PIXELS", 100)
    with pytest.raises(ValueError, match=r"a\.png: .*it has 40 x 30 pixels, expected up to 100"):
        read_folder(pets)


def test_without_pillow_the_extra_is_named(pets, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(RuntimeError, match=r'Pillow is not installed; pip install "tinycnn\[image\]"'):
        read_folder(pets)
