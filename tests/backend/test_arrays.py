import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers import batch_last

from tinycnn.backend import array_module, as_array, device_of, strided, to_device, to_numpy

ORDERS = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "batch-last": batch_last,
    "permuted": lambda x: np.ascontiguousarray(x.transpose(2, 0, 3, 1)).transpose(1, 3, 0, 2),
}


def test_the_module_of_an_array(fake_cupy):
    there = fake_cupy.cupy.zeros(3)
    for x in (np.zeros(3), np.float32(1), np.array(1), np.bool_(True)):
        assert array_module(x) is np and device_of(x) == "cpu"
    assert array_module(there) is fake_cupy.cupy and device_of(there) == "gpu"


def test_as_array_shares_what_is_an_array_and_refuses_the_rest(fake_cupy):
    x, there = np.zeros(3), fake_cupy.cupy.zeros(3)
    assert as_array(x) is x and as_array(there) is there and as_array(np.float32(2)).shape == ()

    class Wrapper:
        def __array__(self, dtype=None, copy=None):
            return x

    assert as_array(Wrapper()) is x
    for thing in ([1.0], 1.0, "a", None):
        with pytest.raises(TypeError, match=f"expected a NumPy or CuPy array, got {type(thing).__name__}"):
            as_array(thing)
    assert fake_cupy.counts.syncs == 0


def test_looking_at_arrays_imports_no_cupy():
    program = """
        import sys
        import numpy as np
        from tinycnn.backend import array_module, as_array, device_of, to_device, to_numpy
        x = np.zeros(3)
        array_module(x), as_array(x), device_of(x), to_device(x, "cpu"), to_numpy(x)
        assert "cupy" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 1, 5), (4, 1, 1, 1)], ids=str)
def test_moving_keeps_values_and_memory_order(order, shape, rng, device):
    x = order(rng.uniform(size=shape).astype(np.float32))
    there = to_device(x, device)
    back = to_numpy(there)
    assert device_of(there) == device and there.dtype == back.dtype == np.float32
    assert np.array_equal(back, x)
    for n, mine, theirs in zip(shape, x.strides, there.strides, strict=True):
        assert n == 1 or mine == theirs  # an axis of length 1 has no stride to speak of
    for n, mine, theirs in zip(shape, x.strides, back.strides, strict=True):
        assert n == 1 or mine == theirs


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((2, 0, 3)),
        np.array(5.0),
        np.arange(10)[::3],
        np.arange(10)[::-1],
        np.broadcast_to(np.arange(3), (2, 3)),
        np.arange(24).reshape(2, 3, 4)[:, 1:, ::2],
    ],
    ids=repr,
)
def test_moving_takes_any_array(x, device):
    there = to_device(x, device)
    assert there.shape == x.shape and np.array_equal(to_numpy(there), x)


def test_moving_to_where_it_is_gives_the_array_itself(device):
    x = to_device(np.arange(3.0), device)
    assert to_device(x, device) is x
    assert device == "gpu" or to_numpy(x) is x


def test_a_move_is_one_transfer(fake_cupy, rng):
    there = to_device(batch_last(rng.uniform(size=(2, 3, 4, 5))), "gpu")
    assert (fake_cupy.counts.uploads, fake_cupy.counts.syncs) == (1, 0)
    to_numpy(there)
    assert (fake_cupy.counts.uploads, fake_cupy.counts.syncs) == (1, 1)


@pytest.mark.parametrize("name", ["cuda:1", "CPU", "", None])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match=f'device: got {name!r}, expected "cpu" or "gpu"'):
        to_device(np.zeros(3), name)


def test_strided_is_a_view_of_overlapping_windows(rng, device):
    x = to_device(rng.uniform(size=7), device)
    view = strided(x, (5, 3), (x.itemsize, x.itemsize))
    assert np.array_equal(to_numpy(view), np.lib.stride_tricks.sliding_window_view(to_numpy(x), 3))
    assert device == "gpu" or np.shares_memory(view, x)
