"""tinycnn.save and tinycnn.load: state dicts as safetensors, and no pickle is ever read."""

import pickle

import numpy as np
import pytest

import tinycnn
from tinycnn import nn, tensor
from tinycnn.models import LeNet

pytest.importorskip("safetensors")


def test_a_net_comes_back_from_its_file(tmp_path):
    tinycnn.manual_seed(0)
    net, other = LeNet(), LeNet()
    tinycnn.save(net.state_dict(), tmp_path / "net.safetensors")
    loaded = tinycnn.load(tmp_path / "net.safetensors")
    other.load_state_dict(loaded)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(net.parameters(), other.parameters(), strict=True))
    loaded["0.weight"].zero_()  # writable, and nobody else's
    assert other[0].weight.numpy().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_])
def test_tensors_of_any_kind(dtype, tmp_path, device, rng):
    x = rng.integers(0, 2, (2, 3, 4)).astype(dtype)
    path = tmp_path / "x.safetensors"
    tinycnn.save(
        {"turned": tensor(x, device=device).T, "number": np.array(3, dtype), "none": np.zeros((0, 2), dtype)}, path
    )
    loaded = tinycnn.load(path)
    assert loaded["turned"].dtype == dtype and np.array_equal(loaded["turned"].numpy(), x.T)
    assert loaded["number"].shape == () and loaded["number"].item() == dtype(3) and loaded["none"].shape == (0, 2)


def test_pytorch_reads_it_and_is_read(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    net = nn.Linear(3, 2)
    tinycnn.save(net.state_dict(), tmp_path / "ours")
    assert np.array_equal(library.load_file(tmp_path / "ours")["weight"].numpy(), net.weight.numpy())
    library.save_file({"a": torch.arange(3.0)}, tmp_path / "theirs")
    assert tinycnn.load(tmp_path / "theirs")["a"].tolist() == [0, 1, 2]


class Trap:
    def __reduce__(self):
        return open, ("opened", "w")


def test_a_pickle_is_named_and_not_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.pt").write_bytes(pickle.dumps({"w": Trap()}))
    files = ["old.pt"]
    try:
        import torch

        torch.save({"w": torch.zeros(2)}, tmp_path / "new.pt")
        files.append("new.pt")
    except ImportError:
        pass
    for name in files:
        with pytest.raises(ValueError, match=rf"{name}: a pickle, as torch.save writes it, .*save_file"):
            tinycnn.load(name)
    assert not (tmp_path / "opened").exists()


def test_what_is_no_dict_of_tensors_or_no_file_of_them(tmp_path):
    for wrong in (nn.Linear(2, 2), [tensor(1.0)], {"a": 1.0}, {1: tensor(1.0)}):
        with pytest.raises(TypeError, match=r"save: expected a dict of tensors by name, .*state_dict\(\)"):
            tinycnn.save(wrong, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    (tmp_path / "y").write_bytes(b"{}")
    with pytest.raises(ValueError, match="y: not a safetensors file, or damaged"):
        tinycnn.load(tmp_path / "y")
