"""The stand-in for CuPy is strict: each of its rules can fail, and it offers nothing that CuPy lacks."""

import subprocess
import sys
from pathlib import Path

import fakecupy
import numpy as np
import pytest
from fakecupy import Counts, capturing, counts, cupy

pytestmark = pytest.mark.usefixtures("fake_cupy")


def fake(*shape, dtype=np.float32):
    """An array on the fake device, holding 0, 1, 2, ..."""
    made = cupy.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)
    fakecupy.reset()
    return made


@pytest.mark.parametrize("attempt", [np.asarray, np.array, lambda a: np.lib.stride_tricks.as_strided(a, (2,), (4,))])
def test_nothing_turns_into_a_numpy_array_by_itself(attempt):
    with pytest.raises(TypeError, match=r"Implicit conversion to a NumPy array is not allowed.*\.get\(\)"):
        attempt(fake(3))


@pytest.mark.parametrize("other", [np.ones(3), np.array(2.0), [1, 2, 3], (1, 2, 3), "a", None], ids=repr)
@pytest.mark.parametrize(
    "operate",
    [
        lambda a, b: a + b,
        lambda a, b: b - a,
        lambda a, b: a * b,
        lambda a, b: b / a,
        lambda a, b: a**b,
        lambda a, b: a @ b,
        lambda a, b: a > b,
        lambda a, b: cupy.maximum(a, b),
        lambda a, b: cupy.where(a, a, b),
        lambda a, b: cupy.add.at(a, 0, b),
        lambda a, b: a.__iadd__(b),
        lambda a, b: cupy.exp(b),
        lambda a, b: cupy.stack([a, b]),
        lambda a, b: np.add(a, b),
    ],
)
def test_arrays_of_host_and_device_do_not_mix(operate, other):
    with pytest.raises(TypeError, match="Unsupported type"):
        operate(fake(3), other)


def test_a_condition_is_an_array():
    with pytest.raises(AttributeError, match="'bool' object has no attribute 'astype'"):
        cupy.where(True, fake(3), 0)


@pytest.mark.parametrize("number", [2, 2.0, True, np.float32(2), np.int64(2)], ids=repr)
def test_numbers_do_mix(number):
    a = fake(3)
    for y in (a + number, number - a, a * number, number / (a + 1), a**number, cupy.maximum(a, number)):
        assert isinstance(y, cupy.ndarray)
    assert counts.syncs == counts.uploads == 0


def test_reductions_stay_on_the_device():
    a = fake(2, 3)
    for y in (a.sum(), a.mean(), a.max(), a.argmax(), cupy.sum(a), a.any(), a[0, 1], a.sum(axis=0, keepdims=True)):
        assert isinstance(y, cupy.ndarray)
    assert a.sum().shape == () and counts == Counts()


@pytest.mark.parametrize(
    "ask",
    [
        lambda a: float(a[0]),
        lambda a: int(a[0]),
        lambda a: complex(a[0]),
        bool,
        repr,
        str,
        "{}".format,
        lambda a: a.item(),
        lambda a: a.get(),
        lambda a: a.tolist(),
        lambda a: "no" if a else "yes",
        lambda a: a[a > 0],
        lambda a: a.__setitem__(a > 0, 1.0),
        cupy.nonzero,
        cupy.asnumpy,
        lambda a: cupy.cuda.Stream().synchronize(),
        lambda a: cupy.cuda.Device().synchronize(),
    ],
)
def test_what_makes_the_host_wait_is_counted_and_refused_while_capturing(ask):
    a = fake(1)
    ask(a)
    assert counts == Counts(syncs=1)
    with capturing(), pytest.raises(RuntimeError, match="the current stream is capturing, so synchronous"):
        ask(a)


def test_an_array_is_no_plain_int():
    i = fake(1, dtype=np.int64)[0]
    for use in (range, [10, 20].__getitem__, lambda i: fake(3)[i:]):
        with pytest.raises(TypeError, match="integer"):
            use(i)


@pytest.mark.parametrize(
    "send",
    [
        lambda a: cupy.asarray(np.ones(3)),
        lambda a: cupy.array([1, 2]),
        lambda a: a[[0, 1]],
        lambda a: a[np.array([0])],
        lambda a: a.__setitem__([0, 1], 5.0),
        lambda a: cupy.take(a, [0]),
        lambda a: cupy.add.at(a, [0, 0], 1.0),
        lambda a: cupy.ascontiguousarray(np.ones(2)),
        lambda a: a[:, None][[0, 1], 0],
    ],
)
def test_what_comes_from_the_host_is_counted_and_refused_while_capturing(send):
    a = fake(3)
    send(a)
    assert counts == Counts(uploads=1)
    with capturing(), pytest.raises(RuntimeError, match="the current stream is capturing, so H2D transfers"):
        send(a)


def test_single_numbers_need_no_upload():
    with capturing():
        cupy.array(3.0), cupy.asarray(np.float32(3)), cupy.full((2,), 3.0), cupy.zeros(3).fill(2)
    assert counts == Counts()


@pytest.mark.parametrize("product", [lambda a: a @ a, lambda a: cupy.matmul(a, a), lambda a: a.dot(a)])
def test_cublas_is_refused_while_capturing(product):
    a = fake(3, 3)
    product(a)
    with capturing(), pytest.raises(NotImplementedError, match="cuBLAS API during stream capture"):
        product(a)


def test_capturing_ends():
    a = fake(2, 2)
    with pytest.raises(KeyError), capturing():
        raise KeyError
    assert (a @ a).shape == (2, 2) and float(a.sum()) == 6


def test_elementwise_work_can_be_captured():
    a, i = fake(3), fake(3, dtype=np.int64)
    with capturing():
        b = cupy.exp(a) + a.sum() * 2
        b[...] = a
        b[1:] = 0.0
        b = b[i] + b.take(i)
        cupy.add.at(b, i, a)
    assert counts == Counts()


@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (4,), ()])
def test_out_must_have_the_results_shape(shape):
    a = fake(3)
    for attempt in (lambda out: cupy.add(a, 1, out=out), lambda out: cupy.sum(a, axis=0, keepdims=True, out=out)):
        with pytest.raises(ValueError, match="Out shape is mismatched"):
            attempt(cupy.zeros(shape))


def test_out_must_be_on_the_device_and_hold_the_result():
    a = fake(3)
    with pytest.raises(TypeError, match="Output arguments type must be cupy.ndarray"):
        cupy.add(a, 1, out=np.zeros(3))
    with pytest.raises(TypeError, match="same_kind"):
        cupy.add(a, 1, out=cupy.zeros(3, np.int32))
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        a += cupy.zeros((2, 3))
    out = cupy.zeros(3)
    assert cupy.add(a, 1, out=out) is out and cupy.add(a, 1, out) is out and out.get().tolist() == [1, 2, 3]


def test_assigning_arrays_of_the_host_is_refused():
    a = fake(3)
    for value in (np.ones(3), [1, 2, 3]):
        for key in (..., slice(None), slice(0, 3), cupy.arange(3)):
            with pytest.raises(ValueError, match=r"non-scalar numpy\.ndarray cannot be used for fill"):
                a[key] = value
        with pytest.raises(ValueError, match=r"non-scalar numpy\.ndarray cannot be used for fill"):
            a.fill(value)


def test_assigning_to_one_place_twice_is_refused():
    a, i = fake(3), cupy.array([0, 1, 0])
    with pytest.raises(ValueError, match=r"one place twice is undefined; add\.at adds both"):
        a[i] = cupy.ones(3)
    cupy.add.at(a, i, cupy.ones(3))
    assert a.get().tolist() == [2, 2, 2]


def test_as_strided_takes_three_arguments_and_stays_inside():
    a, as_strided = fake(6), cupy.lib.stride_tricks.as_strided
    with pytest.raises(TypeError, match="writeable"):
        as_strided(a, (3,), (8,), writeable=False)
    with pytest.raises(TypeError, match="positional"):
        as_strided(a, (3,), (8,), False)
    assert as_strided(a, (3,), (8,)).get().tolist() == [0, 2, 4]
    for shape, strides in (((4,), (8,)), ((3, 3), (8, 4)), ((2,), (-4,))):
        with pytest.raises(ValueError, match="reaches outside the array's memory"):
            as_strided(a, shape, strides)
    with pytest.raises(ValueError, match="reaches outside the array's memory"):
        as_strided(cupy.zeros((3, 4))[1:], (13,), (8,))


def test_windows_that_overlap_cannot_be_written_to():
    a, as_strided = fake(6), cupy.lib.stride_tricks.as_strided
    windows = as_strided(a, (5, 2), (4, 4))
    with pytest.raises(ValueError, match="read-only"):
        windows += cupy.ones((5, 2))
    with pytest.raises(ValueError, match="read-only"):
        windows[0] = 1.0
    tiles = as_strided(a, (3, 2), (8, 4))
    tiles += 1
    assert a.get().tolist() == [1, 2, 3, 4, 5, 6]


def test_elements_are_views():
    a = fake(3)
    first, last = a[0], a[..., 2]
    first += 5
    last -= 1
    assert a.get().tolist() == [5, 1, 1]


def test_indices_out_of_range_wrap_around_as_on_a_gpu():
    a = fake(2, 3)
    assert a[cupy.array([2])].get().tolist() == [[0, 1, 2]] and a[..., cupy.array([3, -1])].get().tolist() == [
        [0, 2],
        [3, 5],
    ]
    with pytest.raises(IndexError):
        a[2]


def test_results_forget_the_operands_memory_order_as_on_a_gpu():
    a = cupy.zeros((3, 4)).T
    assert not a.flags.c_contiguous
    assert (a + 1).flags.c_contiguous and cupy.exp(a).flags.c_contiguous
    assert not cupy.empty_like(a).flags.c_contiguous and not a.copy(order="K").flags.c_contiguous
    assert not cupy.add(a, 1, out=cupy.empty_like(a)).flags.c_contiguous


def test_uploads_and_downloads_know_only_two_orders_as_on_a_gpu():
    x = np.zeros((2, 3, 4)).transpose(1, 2, 0)  # neither C nor Fortran
    assert cupy.asarray(x, order="K").flags.c_contiguous and cupy.asarray(x).get(order="A").flags.c_contiguous
    assert cupy.zeros((2, 3, 4)).transpose(1, 2, 0).get(order="A").flags.c_contiguous
    assert cupy.asarray(x.T.T).flags.c_contiguous and cupy.asarray(np.zeros((2, 3)).T).flags.f_contiguous


def test_numpys_functions_on_arrays_of_the_device_are_counted():
    a = fake(3)
    assert isinstance(np.exp(a), cupy.ndarray) and isinstance(np.concatenate([a, a]), cupy.ndarray)
    np.add.at(a, cupy.array(0), 1.0)
    assert counts == Counts(dispatched=3)


def test_new_memory_is_not_zero_and_nothing_warns():
    assert float(cupy.empty(1)[0]) != 0 and float(cupy.empty_like(cupy.zeros(1))[0]) != 0
    assert np.isinf(float(cupy.exp(cupy.full((), 1e9)))) and np.isnan(float(cupy.log(cupy.full((), -1.0))))


def test_unsupported_dtypes_are_refused():
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cupy.asarray(np.array(["a"]))


def test_every_uploaded_value_comes_back(rng):
    for x in (rng.uniform(size=(3, 4)), rng.integers(0, 9, 5), np.float32(3), np.zeros((0, 2))):
        assert np.array_equal(cupy.asarray(x).get(), x) and cupy.asarray(x).dtype == x.dtype


# Against the real one

COMPARE = """
import inspect, sys
sys.path.insert(0, sys.argv[1])
try:
    import cupy
except ImportError as error:
    sys.exit(f"skip: {error}")
import fakecupy

for name in vars(fakecupy.ndarray):
    if not hasattr(cupy.ndarray, name) and name != "__weakref__":
        print(f"cupy.ndarray has no {name}")
for name, function in vars(fakecupy.cupy).items():
    if not name.startswith("_") and not hasattr(cupy, name):
        print(f"cupy has no {name}")
    elif inspect.isfunction(function):
        try:
            theirs = set(inspect.signature(getattr(cupy, name)).parameters)
        except (TypeError, ValueError):
            continue  # compiled without a signature
        ours = inspect.signature(function).parameters.values()
        if extra := {p.name for p in ours if p.default is not p.empty} - theirs:
            print(f"cupy.{name} has no {extra}")
if inspect.signature(cupy.lib.stride_tricks.as_strided).parameters.keys() != {"x", "shape", "strides"}:
    print("as_strided takes other arguments now")
"""


def test_it_offers_nothing_that_cupy_lacks():
    """Names and options, compared in an interpreter of its own; CuPy can be imported without a GPU."""
    command = [sys.executable, "-c", COMPARE, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if "skip: " in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
