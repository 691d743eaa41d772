"""gradcheck: is a backward right?  Compare it with finite differences of the forward.

For y = function(*inputs) and a random upstream gradient dy, backward promises that d<dy, y>/dx[i] is x.grad[i].
Finite differences measure the same number by moving x[i] a little both ways:

    (<dy, y(x + h e_i)> - <dy, y(x - h e_i)>) / 2h          error about h^2, plus rounding / h

A constant upstream gradient would hide mistakes (a softmax's outputs always sum to 1, so with dy = 1 any multiple
of its gradient passes); a random one does not.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tinycnn.backend import Array, to_device
from tinycnn.tape import no_grad
from tinycnn.tensor import Tensor

STEP = 1e-6  # near the cube root of float64's rounding, where the two errors balance
KINK = 1e-3  # one-sided slopes that differ by more than this share of their size belong to a kink


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
    atol + rtol * |numeric|.  Raises GradcheckError, naming the worst element with both values; TypeError or
    ValueError for unsuitable inputs.
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    _check_inputs(tensors)
    y = function(*tensors)
    if not y.requires_grad:
        raise ValueError("gradcheck: the function's result does not depend on any input that requires a gradient")
    dy = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape) * np.random.default_rng(seed + 1).choice(
        [-1, 1], y.shape
    )
    analytic = _analytic(y, tensors, to_device(dy, y.device))
    weigh = _weigher(function, tensors, dy)
    for i, t in enumerate(tensors):
        if t.requires_grad:
            _compare(i, t, analytic[i], weigh, rtol, atol)
    return True


def _check_inputs(tensors: list[Tensor]) -> None:
    if not any(t.requires_grad for t in tensors):
        raise ValueError("gradcheck: no input requires a gradient; make one with requires_grad=True")
    for i, t in enumerate(tensors):
        if t.requires_grad and t.dtype != np.float64:
            raise TypeError(
                f"gradcheck: input {i} is {t.dtype}, expected float64 (float32 rounds too much); use .double()"
            )
        if t.requires_grad and not t.is_leaf:
            raise ValueError(f"gradcheck: input {i} is the result of an operation, expected a leaf; use .detach()")


def _analytic(y: Tensor, tensors: list[Tensor], dy: Array) -> list[Array]:
    """What backward says, without disturbing the gradients that the inputs hold already."""
    kept = [t.grad for t in tensors]
    for t in tensors:
        t.grad = None
    y.backward(dy)
    found = [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
    for t, grad in zip(tensors, kept, strict=True):
        t.grad = grad
    return found


def _weigher(function: Callable[..., Tensor], tensors: list[Tensor], dy: Array) -> Callable[[], float]:
    @no_grad()
    def weigh() -> float:
        """<dy, y> at the inputs as they are now."""
        return float((function(*tensors).numpy() * dy).sum())

    return weigh


def _compare(i: int, t: Tensor, analytic: Array, weigh: Callable[[], float], rtol: float, atol: float) -> None:
    """Measure the slope in every element of input i; raise for the one that is furthest off."""
    centre, worst = weigh(), (0.0, "")
    for index in np.ndindex(t.shape):
        value = t.data[index].item() if t.ndim else t.data.item()
        h = STEP * max(1.0, abs(value))
        up, down = _moved(t, index, value, h, weigh)
        numeric, a = (up - down) / (2 * h), float(analytic[index])
        excess = abs(a - numeric) / (atol + rtol * abs(numeric) + 4 * np.finfo(float).eps * abs(centre) / h)
        if not excess <= max(1.0, worst[0]):  # "not <=" so that a NaN counts as wrong
            left, right = (centre - down) / h, (up - centre) / h
            kinked = abs(right - left) > KINK * max(abs(left), abs(right))
            hint = (
                f"; the slope is {left:.6g} to the left and {right:.6g} to the right, so the function may have a "
                "kink here: move the input away from it"
                if kinked
                else ""
            )
            worst = (
                excess if excess == excess else np.inf,
                f"gradcheck: input {i} of shape {t.shape}, element {index}: backward says {a:.10g}, "
                f"finite differences say {numeric:.10g}{hint}",
            )
    if worst[1]:
        raise GradcheckError(worst[1])


def _moved(
    t: Tensor, index: tuple[int, ...], value: float, h: float, weigh: Callable[[], float]
) -> tuple[float, float]:
    """weigh() with one element raised by h and lowered by h; the element is put back whatever happens."""
    try:
        t.data[index] = value + h
        up = weigh()
        t.data[index] = value - h
        return up, weigh()
    finally:
        t.data[index] = value
