"""Operations of a warp, against the manual's words in NumPy."""

import numpy as np
import pytest

LANES = np.arange(32)


def each_lane(code, values, dtype=np.int32):
    """What each of 32 lanes computes as z from its own x."""
    import cupy

    body = f"int x = in[threadIdx.x], z; {code} out[threadIdx.x] = z;"
    text = f'extern "C" __global__ void lanes(const int* in, int* out) {{ {body} }}'
    z = cupy.zeros(len(values), np.int32)
    cupy.RawKernel(text, "lanes")((1,), (len(values),), (cupy.asarray(values.astype(np.int32)), z))
    return z.get().astype(dtype)


def source(lane, width, relative):
    """Where a shuffle in segments of `width` takes its value: its own where the other is outside."""
    other = relative(lane)
    return np.where(other // width == lane // width, other, lane)


@pytest.mark.parametrize("width", [32, 16, 4])
@pytest.mark.parametrize("n", [0, 1, 3, 15, 31])
def test_shuffles(width, n, rng):
    x = rng.integers(-(2**31), 2**31, 32)
    for code, relative in {
        f"__shfl_up_sync(~0u, x, {n}, {width})": lambda lane: lane - n,
        f"__shfl_down_sync(~0u, x, {n}, {width})": lambda lane: lane + n,
    }.items():
        assert (each_lane(f"z = {code};", x) == x[source(LANES, width, relative)]).all(), code
    assert (each_lane(f"z = __shfl_sync(~0u, x, {n}, {width});", x) == x[LANES // width * width + n % width]).all()
    if n < width:
        assert (each_lane(f"z = __shfl_xor_sync(~0u, x, {n}, {width});", x) == x[LANES ^ n]).all()


def test_a_shuffle_says_whether_the_other_is_in_its_segment():
    asm = "{ .reg .pred p; shfl.sync.down.b32 %0|p, %1, 3, 31, -1; selp.u32 %0, 1, 0, p; }"
    code = f'asm("{asm}" : "=r"(z) : "r"(x));'
    assert (each_lane(code, LANES) == (LANES + 3 < 32)).all()


def test_a_lane_that_does_not_take_part_gives_poison():
    assert each_lane("z = 0; if (threadIdx.x < 4) z = __shfl_down_sync(15u, x, 3);", LANES + 7).tolist()[:4] == [
        10,
        -1,
        -1,
        -1,
    ]


def test_votes(rng):
    x = rng.integers(0, 2, 32)
    ballot = np.uint32(sum(int(v) << lane for lane, v in enumerate(x))).astype(np.int32)
    assert (each_lane("z = __ballot_sync(~0u, x);", x) == ballot).all()
    for values in (np.zeros(32), np.ones(32), np.eye(32)[5]):
        assert (each_lane("z = __any_sync(~0u, x);", values) == values.any()).all()
        assert (each_lane("z = __all_sync(~0u, x);", values) == values.all()).all()
        assert (each_lane("z = __uni_sync(~0u, x);", values) == (values == values[0]).all()).all()


def test_matches(rng):
    x = rng.integers(0, 4, 32)
    same = np.array([sum(1 << lane for lane in range(32) if x[lane] == own) for own in x], np.uint32).astype(np.int32)
    assert (each_lane("z = __match_any_sync(~0u, x);", x) == same).all()
    assert (each_lane("int p; z = __match_all_sync(~0u, x, &p) + p;", x) == 0).all()
    assert (each_lane("int p; z = __match_all_sync(~0u, x / 9, &p) + p;", x) == 0).all()  # ~0u and 1


def test_reductions(rng):
    x = rng.integers(-(2**31), 2**31, 32)
    expected = {
        "add": np.int64(x.sum()).astype(np.int32), "min": x.min(), "max": x.max(),
        "and": np.bitwise_and.reduce(x), "or": np.bitwise_or.reduce(x), "xor": np.bitwise_xor.reduce(x),
    }  # fmt: skip
    for name, result in expected.items():
        assert (each_lane(f"z = __reduce_{name}_sync(~0u, x);", x) == result).all(), name
    unsigned = x.astype(np.uint32)
    assert (each_lane("z = __reduce_min_sync(~0u, (unsigned)x);", x, np.uint32) == unsigned.min()).all()
    assert (each_lane("z = __reduce_max_sync(~0u, (unsigned)x);", x, np.uint32) == unsigned.max()).all()


def test_lanes_that_are_named_suffice(rng):
    """Halves of a warp go different ways; of a warp that is not full, those that are there count."""
    x = rng.integers(-9, 9, 32)
    code = "z = threadIdx.x < 16 ? __reduce_add_sync(0xffffu, x) : __reduce_max_sync(0xffff0000u, x);"
    assert (each_lane(code, x) == np.where(LANES < 16, x[:16].sum(), x[16:].max())).all()
    assert (each_lane("z = __reduce_add_sync(~0u, x);", x[:20]) == x[:20].sum()).all()


def test_an_active_lane_is_alone():
    assert (each_lane("z = __activemask();", LANES, np.uint32) == 1 << LANES.astype(np.uint32)).all()
