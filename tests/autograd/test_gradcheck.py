import re

import numpy as np
import pytest
from helpers import leaf

import tinycnn.functional as F
from tinycnn import tensor
from tinycnn.autograd.gradcheck import GradcheckError, gradcheck
from tinycnn.autograd.tape import is_grad_enabled
from tinycnn.autograd.tensor import OPS, Op


@pytest.fixture
def function_with():
    """A function of tensors made of a forward and a (usually wrong) backward on arrays."""

    def make(forward, backward):
        methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
        return type("SuspectOp", (Op,), methods, name="suspect").apply

    yield make
    OPS.pop("suspect", None)


def save_and(compute):
    def forward(ctx, *inputs):
        ctx.save(inputs=inputs, y=compute(*inputs))
        return ctx.y

    return forward


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(ctx, dy):
    return ctx.y * (dy - (dy * ctx.y).sum(axis=-1, keepdims=True))


SQUARE, CUBE, SOFTMAX = save_and(lambda x: x * x), save_and(lambda x: x**3), save_and(softmax)
MATMUL = save_and(lambda a, b: a @ b)


# Right backwards pass


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (SQUARE, lambda ctx, dy: 2 * ctx.inputs[0] * dy),
        (CUBE, lambda ctx, dy: 3 * ctx.inputs[0] ** 2 * dy),
        (save_and(np.sin), lambda ctx, dy: np.cos(ctx.inputs[0]) * dy),
    ],
    ids=["square", "cube", "sin"],
)
@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (2, 1, 3), (0, 2)], ids=str)
def test_right_backwards_pass(forward, backward, shape, function_with, rng):
    assert gradcheck(function_with(forward, backward), leaf(rng, *shape, low=0.5)) is True


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 1)], ids=str)
def test_right_softmax_passes(shape, function_with, rng):
    assert gradcheck(function_with(SOFTMAX, softmax_backward), leaf(rng, *shape))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_right_backwards_pass_at_every_magnitude(scale, size, rng):
    assert gradcheck(lambda x: (x * x * x) * scale, leaf(rng, 3, 4, low=0.2 * size, high=size))


def test_rounding_of_large_outputs_is_not_held_against_a_right_backward(rng):
    """A slope of 1 in outputs of a million: float64 keeps ten digits of the step, and no more."""
    assert gradcheck(lambda x: x * x + 1e6, leaf(rng, 5, low=0.5))


def test_large_inputs_are_moved_in_proportion(rng):
    """At 1e8 a step of 1e-6 would drown in rounding, and with it a backward that is 1 % off."""
    x = leaf(rng, 3, low=1e8, high=2e8)
    assert gradcheck(lambda x: x * 3, x)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x * 2.97 + x.detach() * 0.03, x)


def test_finite_differences_are_not_recorded(rng):
    recording = []

    def function(x):
        recording.append(is_grad_enabled())
        return x * 2

    assert gradcheck(function, leaf(rng, 2))
    assert recording[0] and not any(recording[1:])


def test_outputs_that_do_not_move_add_no_noise(rng):
    """Ten thousand outputs of size 1e4, of which the input reaches one: rounding of the others must not count."""
    x, big, first = leaf(rng, 3), rng.uniform(1e4, 2e4, 10_000), np.eye(1, 10_000)[0]
    assert gradcheck(lambda x: x.sum() * first + big, x)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: (x * 0.9999 + x.detach() * 0.0001).sum() * first + big, x)


def test_several_inputs_some_without_gradient(rng):
    a, b, c = leaf(rng, 2, 3), leaf(rng, 3), tensor([2, 2, 2])
    frozen = leaf(rng, 3).requires_grad_(False)
    assert gradcheck(lambda a, b, c, d: a * b / c + d, (a, b, c, frozen))
    with pytest.raises(GradcheckError, match="input 1 of shape"):
        gradcheck(lambda a, b, c, d: a * wrong(b) / c + d, [a, b, c, frozen])


def wrong(t):
    """A tensor of t's values through which only 90 % of the gradient flows."""
    return t * 0.9 + t.detach() * 0.1


def test_one_tensor_given_twice(rng):
    x = leaf(rng, 3)
    assert gradcheck(lambda a, b: a * b, [x, x])


def test_function_that_ignores_an_input(rng):
    assert gradcheck(lambda a, b: a * 2, [leaf(rng, 2), leaf(rng, 3)])


def test_function_that_returns_a_view_of_its_input(rng):
    assert gradcheck(lambda x: x.T, leaf(rng, 2, 3)) and gradcheck(lambda x: x, leaf(rng, 2))


def test_conv2d(rng, device):
    x, w, b = (leaf(rng, *shape, device=device) for shape in ((2, 2, 5, 4), (3, 2, 3, 2), (3,)))
    assert gradcheck(lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1)), [x, w, b])


# Wrong backwards are rejected: the test that the test can fail


@pytest.mark.parametrize(
    ("forward", "backward", "shapes"),
    [
        (CUBE, lambda ctx, dy: 1.01 * 3 * ctx.inputs[0] ** 2 * dy, [(3, 4)]),
        (CUBE, lambda ctx, dy: 1.0001 * 3 * ctx.inputs[0] ** 2 * dy, [(3, 4)]),
        (save_and(lambda x: x @ x), lambda ctx, dy: dy @ ctx.inputs[0] + dy @ ctx.inputs[0].T, [(3, 3)]),
        (save_and(lambda x: 2 * x.T), lambda ctx, dy: 2 * dy, [(3, 3)]),
        (MATMUL, lambda ctx, dy: (dy @ ctx.inputs[1], ctx.inputs[0].T @ dy), [(3, 3), (3, 3)]),
        (save_and(lambda x: x * x + x), lambda ctx, dy: 2 * ctx.inputs[0] * dy, [(4,)]),
        (SOFTMAX, lambda ctx, dy: ctx.y * dy, [(3, 4)]),
        (SOFTMAX, lambda ctx, dy: 7 * softmax_backward(ctx, dy), [(3, 4)]),
        (CUBE, lambda ctx, dy: dy * np.nan, [(2,)]),
        (CUBE, lambda ctx, dy: dy * np.inf, [(2,)]),
        (CUBE, lambda ctx, dy: None, [(2,)]),
        (CUBE, lambda ctx, dy: -3 * ctx.inputs[0] ** 2 * dy, [(2,)]),
        (CUBE, lambda ctx, dy: 3 * ctx.inputs[0] ** 2, [(3,)]),
        (save_and(lambda x: x[::-1] * 1), lambda ctx, dy: dy, [(4,)]),
    ],
    ids=[
        "1 % off", "0.01 % off", "a term transposed", "not transposed", "a factor not transposed", "missing a term",
        "softmax without its sum", "softmax times 7", "NaN", "infinite", "missing", "wrong sign",
        "upstream gradient ignored", "elements exchanged",
    ],
)  # fmt: skip
def test_wrong_backwards_are_rejected(forward, backward, shapes, function_with, rng):
    inputs = [leaf(rng, *shape, low=0.5, high=1.5) for shape in shapes]
    with pytest.raises(GradcheckError, match="backward says .*, finite differences say"):
        gradcheck(function_with(forward, backward), inputs)


def test_a_constant_upstream_gradient_would_not_notice_softmax_times_seven(function_with, rng):
    x = leaf(rng, 3, 4)
    function_with(SOFTMAX, lambda ctx, dy: 7 * softmax_backward(ctx, dy))(x).sum().backward()
    assert np.abs(x.grad.numpy()).max() < 1e-12  # seven times zero


def test_one_wrong_element_among_many_is_named_with_both_values(function_with):
    def backward(ctx, dy):
        dx = np.full((3, 4), 2.0) * dy
        dx[1, 2] *= 1.001
        dx[2, 3] *= 1.5
        return dx

    x = tensor(np.ones((3, 4)), requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(function_with(save_and(lambda x: 2 * x), backward), x)
    found = re.fullmatch(
        r"gradcheck: input 0 of shape \(3, 4\), element \(2, 3\): backward says (\S+), "
        r"finite differences say (\S+)",
        str(caught.value),
    )
    assert float(found[1]) == pytest.approx(1.5 * float(found[2]), rel=1e-6) and 1 < abs(float(found[2])) < 3


def test_nan_counts_as_the_worst(function_with):
    def backward(ctx, dy):
        return np.array([3.0, np.nan, 5.0]) * dy

    with pytest.raises(GradcheckError, match=r"element \(1,\): backward says nan"):
        gradcheck(function_with(save_and(lambda x: x * 1), backward), tensor(np.ones(3), requires_grad=True))


def test_tolerances_and_seed_can_be_chosen(function_with, rng):
    slightly_wrong = function_with(CUBE, lambda ctx, dy: 1.001 * 3 * ctx.inputs[0] ** 2 * dy)
    assert gradcheck(slightly_wrong, leaf(rng, 3), rtol=1e-2)
    assert gradcheck(slightly_wrong, leaf(rng, 3), rtol=0, atol=1.0)
    messages = set()
    for seed in (0, 0, 1):
        with pytest.raises(GradcheckError) as caught:
            gradcheck(slightly_wrong, tensor(np.ones(3), requires_grad=True), seed=seed)
        messages.add(str(caught.value))
    assert len(messages) == 2


# Kinks

HINT = "the slope is .* to the left and .* to the right, so the function may have a kink here"


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize(
    ("compute", "slope", "at"),
    [
        (relu, lambda x: (x > 0) * 1.0, 0.0),
        (relu, lambda x: (x >= 0) * 1.0, 0.0),
        (np.abs, lambda x: np.where(x >= 0, 1.0, -1.0), 0.0),
        (lambda x: np.maximum(x, 2 - x), lambda x: np.where(x > 1, 1.0, -1.0), 1.0),
    ],
    ids=["relu, 0 at 0", "relu, 1 at 0", "abs", "maximum"],
)
def test_a_kink_is_hinted_at(compute, slope, at, function_with):
    function = function_with(save_and(compute), lambda ctx, dy: slope(ctx.inputs[0]) * dy)
    assert gradcheck(function, tensor([at - 0.5, at + 0.5], np.float64, requires_grad=True))
    with pytest.raises(GradcheckError, match=rf"element \(1,\).*{HINT}: move the input away from it"):
        gradcheck(function, tensor([at - 0.5, at], np.float64, requires_grad=True))


@pytest.mark.parametrize("at", [0.0, 0.3, 100.0])
@pytest.mark.parametrize("compute", [np.square, np.cos, lambda x: x * 0 + 5, np.exp], ids=["square", "cos", "5", "exp"])
def test_a_wrong_backward_of_a_smooth_function_is_not_excused_as_a_kink(compute, at, function_with):
    function = function_with(save_and(compute), lambda ctx, dy: 3.7 * dy)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(function, tensor([at], np.float64, requires_grad=True))
    assert "kink" not in str(caught.value)


# The inputs are left as they were


def test_inputs_keep_data_and_gradients(rng):
    x, y = leaf(rng, 2, 3), leaf(rng, 3)
    (x * 2).sum().backward()
    data, grad = x.data.copy(), x.grad
    before = x.data
    assert gradcheck(lambda x, y: x * y, [x, y])
    assert x.data is before and np.array_equal(x.data, data)
    assert x.grad is grad and x.grad.numpy().tolist() == [[2] * 3] * 2 and y.grad is None


def test_inputs_keep_data_and_gradients_after_a_rejection(rng):
    x = leaf(rng, 2, 3)
    (x * 2).sum().backward()
    data, grad = x.data.copy(), x.grad
    with pytest.raises(GradcheckError):
        gradcheck(wrong, x)
    assert np.array_equal(x.data, data) and x.grad is grad


def test_inputs_keep_data_and_gradients_after_an_exception_in_forward(rng):
    x, calls = leaf(rng, 2, 3), []

    def fails_at_the_fifth_call(x):
        calls.append(1)
        if len(calls) == 5:
            raise KeyError("forward")
        return x * x

    (x * 2).sum().backward()
    data, grad = x.data.copy(), x.grad
    with pytest.raises(KeyError):
        gradcheck(fails_at_the_fifth_call, x)
    assert np.array_equal(x.data, data) and x.grad is grad


def test_inputs_keep_gradients_after_an_exception_in_backward(function_with, rng):
    def backward(ctx, dy):
        raise KeyError("backward")

    x = leaf(rng, 2, 3)
    (x * 2).sum().backward()
    grad = x.grad
    with pytest.raises(KeyError):
        gradcheck(function_with(SQUARE, backward), x)
    assert x.grad is grad


def test_records_again_afterwards(rng):
    x = leaf(rng, 2)
    assert gradcheck(lambda x: x * x, x)
    assert (x * x).requires_grad


# Unsuitable inputs


@pytest.mark.parametrize(
    ("function", "make", "error", "text"),
    [
        (lambda x: x, lambda: tensor([1.0], requires_grad=True), TypeError,
         r"gradcheck: input 0 is float32, expected float64 \(float32 rounds too much\); use .double"),
        (lambda x: x, lambda: tensor([1.0], np.float64, requires_grad=True) * 2, ValueError,
         "gradcheck: input 0 is the result of an operation, expected a leaf; use .detach"),
        (lambda x: x, lambda: tensor([1.0], np.float64), ValueError,
         "gradcheck: no input requires a gradient; make one with requires_grad=True"),
        (lambda x: x, lambda: [], ValueError, "gradcheck: no input requires a gradient"),
        (lambda x, y: x, lambda: [tensor([1.0], np.float64, requires_grad=True), np.ones(2)], TypeError,
         "gradcheck: input 1 is a ndarray, expected a Tensor"),
        (lambda x: tensor([1.0]), lambda: tensor([1.0], np.float64, requires_grad=True), ValueError,
         "gradcheck: the function's result does not depend on any input that requires a gradient"),
        (lambda x: x.float(), lambda: tensor([1.0], np.float64, requires_grad=True), TypeError,
         "gradcheck: the function's result is float32, expected float64"),
        (lambda x: x * np.inf, lambda: tensor([1.0], np.float64, requires_grad=True), ValueError,
         "gradcheck: the function's result is not finite"),
        (lambda x: x * np.random.default_rng().uniform(1, 2), lambda: tensor([1.0], np.float64, requires_grad=True),
         ValueError, "gradcheck: two calls of the function gave different results; take randomness out of it"),
        (lambda x: (x, x), lambda: tensor([1.0], np.float64, requires_grad=True), TypeError,
         "gradcheck: the function returned a tuple, expected one Tensor; of several, check one at a time"),
    ],
)  # fmt: skip
def test_unsuitable_inputs(function, make, error, text):
    with pytest.raises(error, match=text):
        gradcheck(function, make())


# A backward that writes where it must not


def test_a_backward_that_writes_into_its_gradient_is_refused_by_name(function_with, rng):
    def backward(ctx, dy):
        dy[ctx.inputs[0] <= 0] = 0
        return dy

    relu = function_with(save_and(lambda x: np.maximum(x, 0)), backward)
    x = leaf(rng, 3, 4)
    for use in (relu, lambda x: x + relu(x)):
        with pytest.raises(ValueError, match=r"suspect: backward writes into dy, .* work on dy.copy\(\)"):
            gradcheck(use, x)
