import numpy as np
import pytest

from tinycnn.backend import gemm, gemm_sum, to_device, to_numpy

SHAPES = [  # of the two operands
    ((2, 3), (3, 4)),
    ((1, 1), (1, 1)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (1, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((6, 25), (25, 25088)),  # long and thin: a convolution's forward, its gradients, and sizes beside them
    ((6, 25), (25, 25087)),
    ((7, 23), (23, 30011)),  # a prime number of columns
    ((1, 6, 25), (1, 25, 25088)),
    ((2, 6, 25), (2, 25, 5000)),
    ((6, 25088), (25088, 25)),
    ((6, 25087), (25087, 25)),
    ((16, 3200), (3200, 150)),
    ((150, 16), (16, 3200)),
    ((16, 150), (150, 3200)),
    ((120, 400), (400, 256)),
    ((120, 256), (256, 400)),
    ((1, 100_000), (100_000, 1)),
    ((1, 1), (1, 100_000)),
    ((200, 200), (200, 200)),
    ((32, 400), (400, 1024)),
    ((2, 1, 400, 32), (2, 3, 32, 1024)),
]


@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_numpy(a_shape, b_shape, dtype, rng, device):
    a, b = rng.standard_normal(a_shape).astype(dtype), rng.standard_normal(b_shape).astype(dtype)
    y = to_numpy(gemm(to_device(a, device), to_device(b, device)))
    expected = np.matmul(a.astype(np.float64), b.astype(np.float64))
    assert y.dtype == dtype and y.shape == expected.shape
    rtol = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(y, expected, rtol=rtol, atol=rtol * np.sqrt(a_shape[-1]))


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x,
        lambda x: np.asfortranarray(x),
        lambda x: np.ascontiguousarray(x[::-1])[::-1],
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.repeat(x, 2, axis=0)[::2],
    ],
    ids=["C", "F", "reversed", "every second column", "every second row"],
)
@pytest.mark.parametrize(
    ("a_shape", "b_shape"), [((6, 25), (25, 25088)), ((6, 25088), (25088, 25)), ((150, 16), (16, 3200))], ids=str
)
def test_operands_in_any_memory_order(layout, a_shape, b_shape, rng):
    a, b = rng.standard_normal(a_shape), rng.standard_normal(b_shape)
    for left, right in ((layout(a), b), (a, layout(b)), (layout(a), layout(b))):
        np.testing.assert_allclose(gemm(left, right), a @ b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("a_shape", "b_shape"), [((6, 25), (25, 25088)), ((6, 25088), (25088, 25))], ids=str)
def test_operands_are_left_alone_and_results_are_new(a_shape, b_shape, rng):
    a, b = rng.standard_normal(a_shape), rng.standard_normal(b_shape)
    before = a.copy(), b.copy()
    y = gemm(a, b)
    y += 1
    assert np.array_equal(a, before[0]) and np.array_equal(b, before[1])


@pytest.mark.parametrize(("a_shape", "b_shape"), [((6, 25), (25, 25088)), ((6, 25088), (25088, 25))], ids=str)
def test_the_same_product_twice_gives_the_same_bits(a_shape, b_shape, rng):
    a, b = rng.standard_normal(a_shape).astype(np.float32), rng.standard_normal(b_shape).astype(np.float32)
    assert np.array_equal(gemm(a, b), gemm(a.copy(), b.copy()))


@pytest.mark.parametrize(("a_shape", "b_shape"), [((2, 3), (2, 3)), ((3,), (2,)), ((6, 25), (26, 25088))], ids=str)
def test_shapes_that_do_not_fit_are_refused(a_shape, b_shape):
    with pytest.raises(ValueError, match="matmul"):
        gemm(np.zeros(a_shape), np.zeros(b_shape))


def test_integers(rng):
    a, b = rng.integers(0, 9, (3, 4)), rng.integers(0, 9, (4, 5))
    assert np.array_equal(gemm(a, b), a @ b) and gemm(a, b).dtype == a.dtype


def test_products_go_through_cublas_on_a_gpu(fake_cupy):
    a = fake_cupy.cupy.ones((2, 2))
    with fake_cupy.capturing(), pytest.raises(NotImplementedError, match="cuBLAS"):
        gemm(a, a)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [
        ((3, 2, 4), (3, 4, 5)),
        ((1, 28, 6, 896), (1, 28, 896, 25)),  # the weights of LeNet's convolutions
        ((1, 10, 16, 320), (1, 10, 320, 150)),  # a result that is cut into shorter ones
        ((1, 3, 32, 1792), (1, 3, 1792, 25)),  # sums that are cut into shorter ones
        ((1, 2, 64, 640), (1, 2, 640, 800)),  # a large result
        ((2, 2, 64, 2000), (2, 2, 2000, 96)),  # both
        ((1, 2, 16, 640), (1, 2, 640, 155)),  # five times 31
        ((1, 2, 301, 256), (1, 2, 256, 8)),  # too high to be cut
        ((2, 5, 1, 7), (2, 5, 7, 1)),
        ((1, 4, 30, 11), (1, 4, 11, 101)),  # a prime number of columns
    ],
    ids=str,
)
def test_gemm_sum_adds_the_products_of_the_stack(a_shape, b_shape, rng, device):
    a, b = rng.standard_normal(a_shape), rng.standard_normal(b_shape)
    y = to_numpy(gemm_sum(to_device(a, device), to_device(b, device)))
    np.testing.assert_allclose(y, (a @ b).sum(axis=-3), rtol=1e-9, atol=1e-9)
    transposed = to_device(np.ascontiguousarray(b.swapaxes(-1, -2)), device).swapaxes(-1, -2)
    np.testing.assert_allclose(to_numpy(gemm_sum(to_device(a, device), transposed)), y, rtol=1e-9, atol=1e-9)
