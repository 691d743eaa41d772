"""What the tab "Train here" begins with: the images, and the engine's steps, worked out once more from the formulas."""

import base64

import numpy as np
import pytest
from chromium import data_of

from tinycnn import explain
from tinycnn.explain import lab
from tinycnn.explain.bundle import Arrays


def test_garments_are_of_sixteen_shades_and_of_every_class():
    images, labels = lab.garments()
    assert images.shape == (lab.IMAGES + lab.HELD_OUT, 1, 14, 14) and images.dtype == np.uint8
    assert set(np.unique(images) % lab.SHADE) == {0} and images.max() > 200
    assert set(labels[: lab.IMAGES]) == set(labels[lab.IMAGES :]) == set(range(10))


def test_the_page_has_them_two_pixels_in_a_byte():
    arrays = Arrays()
    data = lab.data(arrays)
    packed = array(arrays, data["images"])
    pixels = np.stack([packed // 16, packed % 16], -1).reshape(-1, 14, 14) * lab.SHADE
    assert np.array_equal(pixels, lab.garments().images[:, 0])
    assert np.array_equal(array(arrays, data["order"]), lab.batches().order(0))
    assert sum(len(entry["b64"]) for _, _, entry in arrays.entries.values()) < 150_000


def array(arrays, name):
    entry = arrays.entries[name][2]
    return np.frombuffer(base64.b64decode(entry["b64"]), entry["dtype"]).reshape(entry["shape"])


@pytest.mark.parametrize(("start", "size"), [("xavier", 1), ("small", 0.01), ("large", 10), ("zeros", 0)])
def test_weights_begin_at_random_in_their_bounds_biases_at_zero(start, size):
    w, b, v, c = (p.numpy() for p in lab.beginning("tanh", start).parameters())
    assert w.dtype == np.float64 and np.array_equal(w, w.astype(np.float32))  # so the page can have them in float32
    for weights, fans in ((w, 25 + 4 * 25), (v, 100 + 10)):
        bound = size * np.sqrt(6 / fans)
        assert 0.8 * bound <= np.abs(weights).max() <= bound * (1 + 1e-6)
    assert not b.any() and not c.any()


ACTIVATIONS = {
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "relu": (lambda x: np.maximum(x, 0), lambda y: (y > 0) * 1.0),
    "tanh": (np.tanh, lambda y: 1 - y * y),
}


def steps_by_hand(activation, start):
    """SGD with NumPy alone: the three rows of numbers, and the last gradients."""
    f, slope = ACTIVATIONS[activation]
    w, b, v, c = (p.numpy().copy() for p in lab.beginning(activation, start).parameters())
    images, labels = lab.garments()
    order, N, numbers = lab.batches().order(0), lab.BATCH, []
    for step in range(lab.STEPS):
        batch = order[step * N : (step + 1) * N]
        x, y = images[batch, 0] / 255, labels[batch]
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), (1, 2))  # (N, 10, 10, 5, 5)
        maps = f(np.einsum("nijuv,fuv->nfij", windows, w[:, 0]) + b[:, None, None])
        features = maps.reshape(N, 4, 5, 2, 5, 2).mean((3, 5)).reshape(N, -1)
        logits = features @ v.T + c
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        loss = -np.log(p[np.arange(N), y]).mean()
        d = (p - np.eye(10)[y]) / N
        back = (d @ v).reshape(N, 4, 5, 1, 5, 1) * np.ones((2, 1, 2)) / 4
        back = back.reshape(N, 4, 10, 10) * slope(maps)
        g = {"w": np.einsum("nijuv,nfij->fuv", windows, back)[:, None], "b": back.sum((0, 2, 3))}
        g |= {"v": d.T @ features, "c": d.sum(0)}
        numbers.append([loss, *(np.sqrt((g[name] ** 2).mean()) for name in "wv")])
        for parameter, name in ((w, "w"), (b, "b"), (v, "v"), (c, "c")):
            parameter -= lab.RATE * g[name]
    return np.array(numbers).T, g


@pytest.mark.parametrize("start", lab.STARTS)
@pytest.mark.parametrize("activation", lab.ACTIVATIONS)
def test_the_engines_steps_are_those_of_the_formulas(activation, start):
    numbers, gradients = steps_by_hand(activation, start)
    found = lab.first_steps(activation, start)
    np.testing.assert_allclose(found.numbers, numbers, rtol=1e-10, atol=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found.gradients[name], gradient, rtol=1e-9, atol=1e-12)


def test_what_the_tab_says_of_zeros_is_so():
    """With ReLU and tanh nothing moves but the dense layer's bias; with sigmoid all kernels move, and alike."""
    for activation in ("relu", "tanh"):
        assert not lab.first_steps(activation, "zeros").numbers[1:].any()
    w = lab.first_steps("sigmoid", "zeros").gradients["w"]
    assert w.any() and np.allclose(w, w[:1], rtol=1e-12, atol=0)


def test_a_small_page_does_without_all_of_it_and_says_so(traces, tmp_path):
    path = explain.report(traces[:1], tmp_path / "whole.html")
    whole = data_of(path)[0]
    most = (path.stat().st_size - 600_000) / 1e6
    small = data_of(explain.report(traces[:1], tmp_path / "small.html", max_mb=most))[0]
    assert ["lab", "", 0] in small["left_out"]
    assert small["lab"]["images"] not in small["arrays"] and whole["lab"]["images"] in whole["arrays"]
