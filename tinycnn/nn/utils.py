"""utils: what is done to gradients between backward and step."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from tinycnn.autograd.arguments import number
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import array_module
from tinycnn.elsewhere import advising


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
    """Shrink all gradients together, in place, so that the root of the sum of their squares is at most max_norm.

    Returns that norm before, a Tensor of shape (), which is 0 where there are no gradients; as
    torch.nn.utils.clip_grad_norm_.  ValueError for a negative max_norm.
    """
    most = number("clip_grad_norm_", "max_norm", max_norm, 0)
    several = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    gradients = [p.grad.data for p in several if p.grad is not None]
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    xp = array_module(gradients[0])
    norm = xp.sqrt(sum((g * g).sum() for g in gradients))
    share = xp.minimum(most / (norm + 1e-6), 1.0)  # an array, so that a GPU need not be waited for
    for g in gradients:
        g *= share.astype(g.dtype)
    return Tensor(norm)


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("nn.utils", ["clip_grad_norm_"])
