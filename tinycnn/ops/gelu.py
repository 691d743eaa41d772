"""gelu: y = x * P(x), where P(x) is the probability that a standard normal number is less than x; element by element.

    P(x) = (1 + erf(x / sqrt(2))) / 2
         ~ (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2             with approximate="tanh"

The slope, P(x) + x * P'(x), needs the input, so that is what forward keeps.

NumPy has no erf.  P of -|x| is exp(-x*x/2) * A(|x|) / B(|x|), with polynomials A and B, to 1e-15:
Hart, Computer Approximations (1968), number 5666, as in West, Better Approximations to Cumulative Normal Functions
(2005).  Hendrycks and Gimpel, Gaussian Error Linear Units (2016).

Arrays of any shape and memory order; the result has x's order.

Read in this order: below, values, slopes, GeluOp.
"""

import math
from types import ModuleType

from tinycnn.autograd.arguments import choice
from tinycnn.autograd.tape import Context
from tinycnn.autograd.tensor import Op, Tensor
from tinycnn.backend import Array, array_module, fused
from tinycnn.ops import _checks

__all__ = ["gelu"]

A = (3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383,
     112.079291497871, 221.213596169931, 220.206867912376)  # fmt: skip
B = (8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461,
     296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752)  # fmt: skip
ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715


def below(xp: ModuleType, x: Array) -> tuple[Array, Array]:
    """P(x), and sqrt(2 pi) times its derivative: the bell curve exp(-x*x/2)."""
    far = xp.minimum(xp.abs(x), 39)  # beyond, P is 0 or 1; there, and not at 37, the bell is 0 in float64 too
    bell = xp.exp(far * far * -0.5)
    a, b = A[0] * far + A[1], B[0] * far + B[1]
    for coefficient in A[2:]:
        a = a * far + coefficient
    for coefficient in B[2:]:
        b = b * far + coefficient
    tail = bell * a / b  # P of -|x|
    return xp.where(x > 0, 1 - tail, tail), bell


def below_by_tanh(xp: ModuleType, x: Array) -> Array:
    """The approximation of P(x)."""
    return (xp.tanh((x * x * CUBIC + 1) * x * ROOT) + 1) * 0.5


@fused
def values(xp: ModuleType, x: Array, by_tanh: float | None, y: Array) -> None:
    """x times P(x), into y."""
    xp.multiply(x, below(xp, x)[0] if by_tanh is None else below_by_tanh(xp, x), out=y)


@fused
def slopes(xp: ModuleType, x: Array, by_tanh: float | None, dy: Array, dx: Array) -> None:
    """dy times the slope P(x) + x * P'(x), into dx."""
    if by_tanh is None:
        p, bell = below(xp, x)
        xp.multiply(x * bell * (1 / math.sqrt(2 * math.pi)) + p, dy, out=dx)
    else:  # the derivative of (1 + tanh(u)) / 2 is 2 p (1 - p) u'
        p = below_by_tanh(xp, x)
        xp.multiply(p * (1 - p) * (x * x * (3 * CUBIC) + 1) * x * (2 * ROOT) + p, dy, out=dx)


class GeluOp(Op, name="gelu"):
    @staticmethod
    def forward(ctx: Context, x: Array, by_tanh: float | None) -> Array:
        y = array_module(x).empty_like(x)  # (...)
        values(x, by_tanh, y)
        ctx.save(x=x, by_tanh=by_tanh)
        return y

    @staticmethod
    def backward(ctx: Context, dy: Array) -> Array:
        dx = array_module(dy).empty_like(ctx.x)  # (...)
        slopes(ctx.x, ctx.by_tanh, dy, dx)
        return dx


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * P(x) of each element of x (any shape), P exact or approximated by "tanh"; as torch's gelu.

    TypeError for integers, ValueError for another approximation.
    """
    _checks.tensors("gelu", x=x)
    choice("gelu", "approximate", approximate, ("none", "tanh"))
    return GeluOp.apply(x, by_tanh=1.0 if approximate == "tanh" else None)
