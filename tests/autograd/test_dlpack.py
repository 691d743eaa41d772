"""Arrays change hands without a copy, in both directions; what cannot be shared says why."""

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.backend import to_device

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_torch_and_tinycnn_share_memory(dtype, rng):
    theirs = torch.from_numpy(rng.uniform(1, 99, (2, 3, 4)).astype(dtype)).permute(2, 0, 1)
    ours = tinycnn.from_dlpack(theirs)
    assert ours.shape == (4, 2, 3) and ours.dtype == dtype and ours.device == "cpu" and ours.is_leaf
    assert np.array_equal(ours.numpy(), theirs.numpy())
    theirs[3, 1, 2] = 7
    assert ours.numpy()[3, 1, 2] == 7
    back = torch.from_dlpack(tinycnn.tensor(theirs.numpy()))
    assert torch.equal(back, theirs)


def test_a_tensor_is_shared_with_torch_and_numpy(rng):
    ours = tinycnn.tensor(rng.normal(size=(2, 3)), requires_grad=True)
    for array in (torch.from_dlpack(ours).numpy(), np.from_dlpack(ours), np.asarray(ours)):
        ours.data[1, 2] += 1
        assert np.array_equal(array, ours.numpy()) and np.shares_memory(array, ours.data)
    assert ours.__dlpack_device__() == (1, 0)


def test_a_net_runs_on_what_is_shared(rng):
    images = torch.rand(2, 1, 28, 28)
    net = tinycnn.models.LeNet()
    assert np.array_equal(net(tinycnn.from_dlpack(images)).numpy(), net(tinycnn.tensor(images.numpy())).numpy())


@pytest.mark.parametrize("dtype", [None, np.float64, np.int32])
@pytest.mark.parametrize("copy", [None, True])
def test_array_by_numpys_protocol(dtype, copy, rng):
    x = tinycnn.tensor(rng.normal(size=(2, 3)), np.float32)
    array = x.__array__(dtype, copy=copy)
    assert array.dtype == (dtype or np.float32) and np.array_equal(array, x.numpy().astype(array.dtype))
    assert np.shares_memory(array, x.data) == (dtype is None and copy is None)


def test_array_without_a_copy_where_one_is_needed():
    with pytest.raises(ValueError, match="copy"):
        np.array(tinycnn.tensor([1.0]), dtype=np.float64, copy=False)


def test_a_tensor_on_the_gpu_says_how_to_copy_it(fake_cupy):
    x = tinycnn.tensor([1.0], device="gpu")
    with pytest.raises(TypeError, match=r"does not turn into a NumPy array by itself; call \.numpy\(\)"):
        np.asarray(x)


@pytest.mark.gpu
@pytest.mark.usefixtures("a_gpu")
def test_device_memory_is_shared(rng):
    array = to_device(rng.normal(size=(2, 3)), "gpu")
    x = tinycnn.from_dlpack(tinycnn.Tensor(array))
    array[0, 1] = 7
    assert x.device == "gpu" and x.numpy()[0, 1] == 7 and x.__dlpack_device__() == (2, 0)


class Elsewhere:
    """An array on an AMD GPU."""

    def __dlpack__(self, **options):
        raise AssertionError("not to be asked")

    def __dlpack_device__(self):
        return 10, 0


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1.0], "from_dlpack: list does not have __dlpack__"),
        (Elsewhere(), "the Elsewhere is on a device of DLPack's kind 10, expected main memory or an NVIDIA GPU"),
        (np.zeros(2, np.complex64), "expected numbers, got ndarray of dtype complex64"),
    ],
)
def test_what_cannot_be_shared(x, message):
    with pytest.raises(TypeError, match=message):
        tinycnn.from_dlpack(x)


# Weights by name


def torch_net():
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2), torch.nn.ReLU(), torch.nn.AvgPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(24, 5),
    )  # fmt: skip


def our_net():
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, groups=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(24, 5),
    )  # fmt: skip


@pytest.mark.parametrize("direction", ["to tinycnn", "to torch"])
def test_state_dicts_go_both_ways(direction, rng):
    theirs, ours = torch_net(), our_net()
    if direction == "to tinycnn":
        ours.load_state_dict(theirs.state_dict())  # Tensors of torch, as they are
    else:
        state = {name: torch.from_numpy(array) for name, array in ours.state_dict().items()}
        theirs.load_state_dict(state, strict=True)
    x = rng.normal(size=(3, 2, 9, 11)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours(tinycnn.tensor(x)).numpy(), expected, rtol=1e-5, atol=1e-5)
