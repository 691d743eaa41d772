"""float16: sums that half precision cannot hold are taken in float32, and the result is half precision again."""

import numpy as np
import pytest

import tinycnn
import tinycnn.functional as F


def half(values, device):
    return tinycnn.tensor(np.asarray(values), np.float16, device, requires_grad=True)


@pytest.mark.parametrize("padding", [0, 1])
def test_the_average_of_large_numbers_is_no_infinity(padding, device):
    x = half(np.full((2, 3, 4, 4), 40_000), device)
    y = F.avg_pool2d(x, 3, 1, padding, count_include_pad=False)
    y.backward(half(np.full(y.shape, 30_000), device).detach())
    assert y.dtype == x.grad.dtype == np.float16
    assert (y.numpy() == 40_000).all() and np.isfinite(x.grad.numpy()).sum() >= x.numel() // 2


def test_pools_of_halves_are_the_floats_rounded(rng, device):
    x = rng.normal(size=(3, 2, 7, 6)).astype(np.float16)
    ours = F.avg_pool2d(half(x, device), 3, 2, 1, ceil_mode=True).numpy()
    single = F.avg_pool2d(tinycnn.tensor(x.astype(np.float32)), 3, 2, 1, ceil_mode=True).numpy()
    assert np.array_equal(ours, single.astype(np.float16))


@pytest.mark.filterwarnings("error")
def test_the_mean_loss_over_more_pixels_than_half_precision_counts(device):
    logits = half(np.tile(np.array([2.0, 0.0]).reshape(1, 2, 1, 1), (2, 1, 200, 200)), device)
    target = tinycnn.tensor(np.zeros((2, 200, 200), np.int64), device=device)
    loss = F.cross_entropy(logits, target)
    loss.backward()
    assert loss.dtype == logits.grad.dtype == np.float16
    np.testing.assert_allclose(loss.item(), np.log1p(np.exp(-2)), rtol=5e-3)
    np.testing.assert_allclose(logits.grad.numpy()[0, 1, 0, 0], 0.1192 / 80_000, rtol=0.05)
