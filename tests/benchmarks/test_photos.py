"""Garments as photos: each kind is read back as the garment it was, and the script says what was lost."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from tinycnn import checkpoint, data, models
from tinycnn.cli.photo import read_photo

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def photos(monkeypatch):
    pytest.importorskip("PIL.Image")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("photos")


def filled(pixels):
    """A garment in the middle of 28x28 as large as it fits, as photos come back."""
    rows, columns = (np.flatnonzero(pixels.max(axis) > 12) for axis in (1, 0))
    return rows[-1] - rows[0] == 27 or columns[-1] - columns[0] == 27


@pytest.mark.parametrize("number", range(5))
def test_a_photo_is_read_back_as_the_garment_it_was(number, photos, tmp_path):
    garments = [image[0] for image in data.Silhouettes(train=False, size=200).images if filled(image[0])]
    path = photos.photograph(garments[number], number, tmp_path)
    found = read_photo(path).astype(int)
    assert np.abs(found - garments[number]).mean() < 30
    assert np.corrcoef(found.ravel(), garments[number].ravel())[0, 1] > 0.8


def test_the_script_says_what_was_lost(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FashionMNIST", lambda train: data.Silhouettes(train=train, size=50))
    checkpoint.save(tmp_path / "net.safetensors", models.LeNet())
    answers = iter([True, False])  # the images first, then the photos
    monkeypatch.setattr(photos, "right", lambda model, images, labels: np.full(len(images), next(answers)))
    assert photos.main([str(tmp_path / "net.safetensors"), "--garments", "5", "--out", str(tmp_path)]) == 1
    found = json.loads((tmp_path / "photos.json").read_text(encoding="utf-8"))
    assert (found["garments"], found["raw"], found["photos"]) == (5, 1, 0)
