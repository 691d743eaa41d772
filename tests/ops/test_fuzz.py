"""Each operation with windows or products against its definition in loops, on configurations drawn at random: odd
strides and paddings, empty batches, views that are broadcast or not contiguous, NaN and infinities."""

import numpy as np
import pytest

import tinycnn
import tinycnn.functional as F
from tinycnn.geometry import windows
from tinycnn.ops.avg_pool2d import avg_pool2d_loops
from tinycnn.ops.conv2d import conv2d_loops
from tinycnn.ops.linear import linear_loops
from tinycnn.ops.max_pool2d import max_pool2d_loops

CONFIGURATIONS = 2_000


def drawn(rng, *shape):
    """Numbers of a shape, in memory as they come: contiguous, turned, strided, or broadcast."""
    match rng.integers(4):
        case 0:
            return rng.normal(size=shape)
        case 1:
            return rng.normal(size=shape[::-1]).T
        case 2:
            return rng.normal(size=(*shape[:-1], 2 * shape[-1]))[..., ::2]
        case _:
            return np.broadcast_to(rng.normal(size=(1, *shape[1:])), shape)


def spoilt(rng, x):
    """One time in five with an infinity or a NaN somewhere."""
    if not x.size or rng.random() > 0.2:
        return x
    x = np.array(x)
    x[tuple(rng.integers(0, n) for n in x.shape)] = rng.choice([np.inf, -np.inf, np.nan])
    return x


def pair(rng, low, high):
    return tuple(int(n) for n in rng.integers(low, high, 2))


def conv2d(rng):
    groups = int(rng.integers(1, 4))
    N, C, O = int(rng.integers(0, 4)), groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel, stride, padding, dilation = pair(rng, 1, 4), pair(rng, 1, 4), pair(rng, 0, 3), pair(rng, 1, 3)
    size = [d * (k - 1) + 1 + int(rng.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True)]
    x, w, b = spoilt(rng, drawn(rng, N, C, *size)), drawn(rng, O, C // groups, *kernel), drawn(rng, O)
    y = F.conv2d(*map(tinycnn.Tensor, (x, w, b)), stride, padding, dilation, groups)
    return y, conv2d_loops(x, w, b, stride, padding, dilation, groups)


def pool(rng, function, loops, dilated):
    kernel, stride, dilation = pair(rng, 1, 5), pair(rng, 1, 4), pair(rng, 1, 3) if dilated else (1, 1)
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    size = tuple(d * (k - 1) + 1 + int(rng.integers(0, 6)) for k, d in zip(kernel, dilation, strict=True))
    x, ceil = spoilt(rng, drawn(rng, int(rng.integers(0, 4)), int(rng.integers(1, 4)), *size)), bool(rng.integers(2))
    options = {"dilation": dilation} if dilated else {"count_include_pad": bool(rng.integers(2))}
    where = windows("fuzz", size, kernel, stride, padding, dilation, ceil)
    y = function(tinycnn.Tensor(x), kernel, stride, padding, ceil_mode=ceil, **options)
    return y, loops(x, where, **({} if dilated else options))


def linear(rng):
    N, I, O = (int(n) for n in rng.integers((0, 0, 1), (6, 6, 6)))
    x, w, b = spoilt(rng, drawn(rng, N, I)), drawn(rng, O, I), drawn(rng, O)
    return F.linear(*map(tinycnn.Tensor, (x, w, b))), linear_loops(x, w, b)


OPERATIONS = {
    "conv2d": conv2d,
    "max_pool2d": lambda rng: pool(rng, F.max_pool2d, max_pool2d_loops, True),
    "avg_pool2d": lambda rng: pool(rng, F.avg_pool2d, avg_pool2d_loops, False),
    "linear": linear,
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("configurations", [60, pytest.param(CONFIGURATIONS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_equals_its_definition_whatever_the_configuration(name, configurations):
    for seed in range(configurations):
        y, expected = OPERATIONS[name](np.random.default_rng(seed))
        assert y.shape == expected.shape, seed
        finite = np.isfinite(expected)
        assert np.array_equal(np.isfinite(y.numpy()), finite), seed
        np.testing.assert_allclose(y.numpy()[finite], expected[finite], rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}")
