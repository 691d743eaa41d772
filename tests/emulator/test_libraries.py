"""What stands in for CUB, Thrust and cuBLAS, and CuPy's own kernels, against NumPy."""

import numpy as np
import pytest

ARRAYS = {
    "float32": lambda rng: rng.standard_normal((37, 53)).astype(np.float32),
    "float64": lambda rng: rng.standard_normal((5, 6, 7)),
    "float16": lambda rng: rng.standard_normal((37, 53)).astype(np.float16),
    "int64": lambda rng: rng.integers(-50, 50, (40, 30)),
    "uint8": lambda rng: rng.integers(0, 255, (3, 4, 8, 9), dtype=np.uint8),
    "bool": lambda rng: rng.integers(0, 2, (6, 70)).astype(bool),
    "with NaN": lambda rng: np.where(rng.integers(0, 90, (30, 4)), rng.standard_normal((30, 4)), np.nan).astype(
        np.float32
    ),
}


def both(function, *arrays):
    """function(module, *arrays), with NumPy and with CuPy."""
    import cupy

    return function(np, *arrays), cupy.asnumpy(function(cupy, *map(cupy.asarray, arrays)))


def assert_same(function, *arrays, rtol=1e-5):
    if arrays[0].dtype == np.float16:
        rtol = 3e-2  # sums are taken in another order, and some of them in half precision
    with np.errstate(all="ignore"):
        expected, actual = both(function, *arrays)
    assert np.shape(actual) == np.shape(expected) and actual.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(actual, expected, rtol, rtol)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "argmax", "argmin", "any", "all", "prod"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_reductions(name, kind, rng):
    x = ARRAYS[kind](rng)
    x = np.sign(x) if name == "prod" and x.dtype != bool else x
    for axis in (None, 0, x.ndim - 1):
        assert_same(lambda xp, a, axis=axis: getattr(a, name)(axis=axis), x, rtol=1e-4)


def test_large_sums(rng):
    assert_same(lambda xp, a: a.sum(), rng.standard_normal(100_000).astype(np.float32), rtol=1e-3)


@pytest.mark.parametrize("kind", ARRAYS)
def test_sorting_and_scans(kind, rng):
    x = ARRAYS[kind](rng)
    assert_same(lambda xp, a: xp.sort(a, axis=-1), x)
    assert_same(lambda xp, a: a.ravel()[xp.argsort(a.ravel(), kind="stable")], x)
    assert_same(lambda xp, a: xp.cumsum(a, axis=0), x, rtol=1e-4)
    assert_same(lambda xp, a: xp.cumsum(a[..., 0]), x, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products(dtype, rng):
    a, b, c = (rng.standard_normal(shape).astype(dtype) for shape in ((2, 30, 17), (2, 17, 12), (17,)))
    near = 1e-4 if dtype == np.float32 else 1e-12
    for function in (
        lambda xp, a, b, c: a[0] @ b[0],
        lambda xp, a, b, c: (b[0].T @ a[0].T).T,
        lambda xp, a, b, c: a[0] @ xp.ascontiguousarray(b[0].T).T,
        lambda xp, a, b, c: xp.ascontiguousarray(a[0].T).T @ b[0],
        lambda xp, a, b, c: a @ b,
        lambda xp, a, b, c: a @ b[:1],
        lambda xp, a, b, c: a[0] @ c,
        lambda xp, a, b, c: xp.dot(c, c),
        lambda xp, a, b, c: a[:, :, :0] @ b[:, :0],
    ):
        assert_same(function, a, b, c, rtol=near)


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "tanh", "sin", "cos", "log1p", "expm1", "reciprocal", "rint", "isnan"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions(name, dtype, rng):
    x = (np.abs(rng.standard_normal(1000)) * 10.0 ** rng.integers(-3, 4, 1000)).astype(dtype)
    x = np.minimum(x, 80) if name in ("exp", "expm1") else x
    assert_same(lambda xp, a: getattr(xp, name)(a), x, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_large_angles(rng):
    assert_same(lambda xp, a: xp.sin(a), rng.standard_normal(100) * 1e6, rtol=1e-9)


def test_indexing(rng):
    x, rows = rng.standard_normal((37, 53)), np.array([3, 1, 2, 36])
    assert_same(lambda xp, a, r: a.take(r, axis=0), x, rows)
    assert_same(lambda xp, a, r: a[r, r], x, rows)
    assert_same(lambda xp, a, r: a[a > 0.5], x, rows)
    assert_same(lambda xp, a, r: a[3:30:2, ::-3].copy(), x, rows)
    assert_same(
        lambda xp, a, r: xp.lib.stride_tricks.as_strided(a, (10, 5, 5), (53 * 8, 8, 16)).sum(axis=(1, 2)), x, rows
    )
    assert_same(lambda xp, a, r: xp.pad(a, ((0, 0), (1, 2))), x, rows)

    def add_at(xp, a, r):
        y = xp.zeros(50)
        (np.add.at if xp is np else xp.add.at)(y, r % 3, 1.0)
        return y

    assert_same(add_at, x, rows)
