"""read_cifar10 on files of the real format, a few records long."""

import numpy as np
import pytest

from tinycnn.data import read_cifar10
from tinycnn.data.cifar import FILES


@pytest.fixture
def cifar(tmp_path, rng):
    """The folder, and images and labels of each part."""
    parts = {}
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for train, files in FILES.items():
        images, labels = [], []
        for name in files:
            x, y = rng.integers(0, 256, (4, 3, 32, 32), np.uint8), rng.integers(0, 10, 4, np.uint8)
            (tmp_path / "cifar-10-batches-bin" / name).write_bytes(
                b"".join(bytes([label]) + image.tobytes() for image, label in zip(x, y, strict=True))
            )
            images.append(x)
            labels.append(y)
        parts[train] = np.concatenate(images), np.concatenate(labels)
    return tmp_path, parts


@pytest.mark.parametrize("train", [True, False])
def test_images_and_labels(cifar, train):
    folder, parts = cifar
    for place in (folder, folder / "cifar-10-batches-bin"):
        data = read_cifar10(place, train)
        assert np.array_equal(data.images, parts[train][0]) and np.array_equal(data.labels, parts[train][1])
        assert data.train is train and data.classes[3] == "cat" and len(data.classes) == 10


def test_a_tilde_is_the_home_folder(cifar, monkeypatch):
    monkeypatch.setenv("HOME", str(cifar[0]))
    monkeypatch.setenv("USERPROFILE", str(cifar[0]))
    assert len(read_cifar10("~", train=False).images) == 4


def test_what_is_refused(cifar):
    folder, _ = cifar
    path = folder / "cifar-10-batches-bin" / "test_batch.bin"
    content = path.read_bytes()
    for damaged, text in [
        (content[:-1], r"test_batch.bin has 12,291 bytes, expected a multiple of 3,073"),
        (b"", "has 0 bytes"),
        (b"\x0a" + content[1:], "test_batch.bin has the label 10, expected 0 to 9"),
    ]:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=text):
            read_cifar10(folder, train=False)
    path.unlink()
    with pytest.raises(ValueError, match=r"test_batch.bin is not there; expected the unpacked binary edition"):
        read_cifar10(folder, train=False)
