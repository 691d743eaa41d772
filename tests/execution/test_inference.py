"""A model as a function over fixed buffers gives the model's own logits, and says what it is not made for."""

import threading

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn, random
from tinycnn.execution import Inference, UnsupportedModel
from tinycnn.models import LeNet


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("options", [{}, {"activation": "relu", "pool": "max", "dropout": 0.5}], ids=str)
def test_equals_the_model_in_evaluation_mode(n, options, rng):
    random.manual_seed(0)
    model = LeNet(**options)
    images = rng.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8)
    bytes_, floats = Inference(model, images.shape), Inference(model, images.shape, np.float32)
    for _ in range(2):
        scaled = images / np.float32(255)
        with model.evaluating(), tinycnn.no_grad():
            expected = model(tinycnn.Tensor(scaled)).numpy()
        assert_close(bytes_(images), expected, 1e-5, 1e-5)
        assert_close(floats(scaled), expected, 1e-5, 1e-5)
        images = images[::-1].copy() // 2
    assert model.training


def test_answers_are_new_arrays(rng):
    serve = Inference(nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()), (2, 4), np.float32)
    x = rng.random((2, 4), np.float32)
    first = serve(x)
    kept = first.copy()
    serve(x * 2)
    assert np.array_equal(first, kept)


def test_parameters_are_those_of_the_last_update(rng):
    model = nn.Sequential(nn.Linear(4, 3)).double()
    serve, x = Inference(model, (2, 4), np.float64), rng.random((2, 4))
    before = serve(x)
    model[0].weight.data[...] *= 2
    model[0].bias.data[...] *= 2
    assert np.array_equal(serve(x), before)
    serve.update()
    assert_close(serve(x), before * 2)


def test_what_it_is_not_made_for_is_refused(rng):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    serve = Inference(model, (2, 4))
    with pytest.raises(ValueError, match=r"made for batches \(2, 4\), got \(1, 4\)"):
        serve(np.zeros((1, 4), np.uint8))
    with pytest.raises(TypeError, match="made for uint8, got float32"):
        serve(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="uint8 or the parameters' float32, got shape .* and int64"):
        Inference(model, (2, 4), np.int64)
    with pytest.raises(ValueError, match=r"expects 4 features, got 5"):
        Inference(model, (2, 5))
    with pytest.raises(UnsupportedModel, match="a Linear is not a Sequential"):
        Inference(nn.Linear(4, 3), (2, 4))


def test_a_call_beside_another_is_refused():
    inside, go_on = threading.Event(), threading.Event()

    class Wait(nn.Module, per_example=True):
        def forward(self, x):
            if waiting:
                inside.set()
                go_on.wait(20)
            return x

    waiting: list[int] = []
    serve = Inference(nn.Sequential(nn.Linear(4, 3), Wait()), (1, 4), np.float32)
    x = np.ones((1, 4), np.float32)
    expected = serve(x)
    waiting.append(1)
    answers: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: answers.append(serve(x)))
    thread.start()
    assert inside.wait(20)
    try:
        with pytest.raises(RuntimeError, match="another thread is in a call"):
            serve(x)
    finally:
        go_on.set()
        thread.join(20)
    assert np.array_equal(answers[0], expected)
