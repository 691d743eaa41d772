"""gradcheck: is a backward right?  Compare it with finite differences of the forward.

For y = function(*inputs) and a random upstream gradient dy, backward promises that d<dy, y>/dx[i] is x.grad[i].
Finite differences measure the same number by moving x[i] a little both ways:

    <dy, y(x + h e_i) - y(x - h e_i)> / 2h          error about h^2, plus rounding / h

The outputs are subtracted before they are weighted, so that those which x[i] does not reach cancel exactly.
A constant upstream gradient would hide mistakes (a softmax's outputs always sum to 1, so with dy = 1 any multiple
of its gradient passes); a random one does not.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, to_device

STEP = 1e-6  # near the cube root of float64's rounding, where the two errors balance
ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of one output, as a share of it: a few operations' worth


class GradcheckError(AssertionError):
    """A gradient that disagrees with finite differences; the message names the worst element."""


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Tensor | Sequence[Tensor],
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
) -> bool:
    """True if backward of `function(*inputs)` agrees with finite differences for every input that requires one.

    The inputs must be float64 leaves, since float32 has too few digits; `function` returns one tensor of any shape
    and must give the same result at each call.  An element passes where |analytic - numeric| <=
    atol + rtol * |numeric| + what rounding of the outputs can explain.  Raises GradcheckError, naming the worst
    element with both values; TypeError or ValueError for unsuitable inputs.  The inputs keep data and gradients.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    _check_inputs(tensors)
    if not isinstance(y := function(*tensors), Tensor):
        raise TypeError(
            f"gradcheck: the function returned a {type(y).__name__}, expected one Tensor; of several, check one at a "
            "time: gradcheck(lambda *x: function(*x)[0], inputs)"
        )

    @no_grad()
    def evaluate() -> Array:
        """y at the inputs as they are now; a copy, since y may share the memory of an input that is about to move."""
        return np.array(function(*tensors).numpy())

    _check_result(y, evaluate())
    rng = np.random.default_rng(seed)
    dy = rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape)
    for i, (t, analytic) in enumerate(zip(tensors, _analytic(y, tensors, dy), strict=True)):
        if t.requires_grad:
            _compare(i, t, analytic, evaluate, dy, rtol, atol)
    return True


def _check_inputs(tensors: list[Tensor]) -> None:
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"gradcheck: input {i} is a {type(t).__name__}, expected a Tensor")
        if t.requires_grad and t.dtype != np.float64:
            raise TypeError(
                f"gradcheck: input {i} is {t.dtype}, expected float64 (float32 rounds too much); use .double()"
            )
        if not t.is_leaf:
            raise ValueError(f"gradcheck: input {i} is the result of an operation, expected a leaf; use .detach()")
    if not any(t.requires_grad for t in tensors):
        raise ValueError("gradcheck: no input requires a gradient; make one with requires_grad=True")


def _check_result(y: Tensor, again: Array) -> None:
    if not y.requires_grad:
        raise ValueError("gradcheck: the function's result does not depend on any input that requires a gradient")
    if y.dtype != np.float64:
        raise TypeError(f"gradcheck: the function's result is {y.dtype}, expected float64 (float32 rounds too much)")
    if not np.isfinite(again).all():
        raise ValueError("gradcheck: the function's result is not finite, so it has no slope to measure")
    if not np.array_equal(y.numpy(), again):
        raise ValueError("gradcheck: two calls of the function gave different results; take randomness out of it")


def _analytic(y: Tensor, tensors: list[Tensor], dy: Array) -> list[Array]:
    """What backward says, without disturbing the gradients that the inputs hold already."""
    kept = [t.grad for t in tensors]
    try:
        for t in tensors:
            t.grad = None
        y.backward(to_device(dy, y.device))
        return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
    finally:
        for t, grad in zip(tensors, kept, strict=True):
            t.grad = grad


def _compare(
    i: int, t: Tensor, analytic: Array, evaluate: Callable[[], Array], dy: Array, rtol: float, atol: float
) -> None:
    """Measure the slope in every element of input i; raise for the one that is furthest off."""
    y, worst, message = evaluate(), 1.0, ""
    for index in np.ndindex(t.shape):
        down, up, h = _moved(t, index, evaluate)
        left, right = float((dy * (y - down)).sum()) / h, float((dy * (up - y)).sum()) / h
        numeric, a = (left + right) / 2, float(analytic[index])
        rounding = ROUNDING * float(np.abs(dy * y)[up != down].sum()) / h
        excess = abs(a - numeric) / (atol + rtol * abs(numeric) + rounding)  # above 1 is wrong
        if not excess <= worst:  # "not <=" so that a NaN counts as wrong
            worst = excess if excess == excess else np.inf
            message = (
                f"gradcheck: input {i} of shape {t.shape}, element {index}: backward says {a:.10g}, "
                f"finite differences say {numeric:.10g}"
            )
            if abs(right - left) >= abs(a - numeric):  # smooth functions have equal slopes on both sides
                message += (
                    f"; the slope is {left:.6g} to the left and {right:.6g} to the right, so the function may have a "
                    "kink here: move the input away from it"
                )
    if message:
        raise GradcheckError(message)


def _moved(t: Tensor, index: tuple[int, ...], evaluate: Callable[[], Array]) -> tuple[Array, Array, float]:
    """The outputs with one element lowered by h and raised by h, and h; the element is put back whatever happens."""
    value = t.data[index].item()
    h = STEP * max(1.0, abs(value))
    try:
        t.data[index] = value - h
        down = evaluate()
        t.data[index] = value + h
        return down, evaluate(), h
    finally:
        t.data[index] = value
