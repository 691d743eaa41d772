"""adam: steps whose size for each number is lr, more or less, whatever the size of its gradient.

The arithmetic is torch.optim's.  For a parameter p with gradient g, in its step number t = 1, 2, ...:

    g = g + weight_decay * p                    Adam; AdamW instead: p = p - lr * weight_decay * p
    m = beta1 * m + (1 - beta1) * g             the gradient, averaged over steps
    v = beta2 * v + (1 - beta2) * g * g         its square, likewise
    p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

m and v start from 0; dividing by 1 - beta**t makes up for that.  Kingma and Ba, Adam (2015); Loshchilov and Hutter,
Decoupled Weight Decay Regularization (2019).
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tinycnn.autograd.arguments import count, number
from tinycnn.backend import Array, fused
from tinycnn.optim.optimizer import Optimizer, Params, option


@fused
def move(
    xp: ModuleType,
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    beta1: float,
    rest1: float,
    beta2: float,
    rest2: float,
    size: float,
    root: float,
    eps: float,
    decay: float | None,
    kept: float | None,
) -> None:
    """The formulas above, into p, m and v.  size is lr / (1 - beta1**t) and root is 1 / sqrt(1 - beta2**t); decay is
    Adam's weight decay, kept the share of p that AdamW's leaves; None takes no part.  rest is 1 - beta, and comes from
    outside because CuPy computes in half precision where no array takes part."""
    if decay is not None:
        g = g + p * decay
    if kept is not None:
        p *= kept
    m *= beta1
    m += g * rest1
    v *= beta2
    v += g * g * rest2
    p -= m * size / (xp.sqrt(v) * root + eps)


class Adam(Optimizer):
    """Adam, with weight decay as a part of the gradient; as torch.optim.Adam.

    `buffers["exp_avg"][i]` and `buffers["exp_avg_sq"][i]` are m and v of `params[i]`, and `steps[i]` counts its steps.
    """

    names = ("exp_avg", "exp_avg_sq")
    betas, eps, weight_decay = option("betas"), option("eps"), option("weight_decay")
    decoupled = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.steps = [0] * len(self.params)

    def checked(self, asker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {name: number(asker, name, options[name], 0) for name in ("lr", "eps", "weight_decay")}
        betas = options["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"{asker}: betas must be a pair of numbers, got {betas!r}")
        for i, beta in enumerate(betas):
            if number(asker, f"betas[{i}]", beta, 0, 1) == 1:
                raise ValueError(f"{asker}: betas[{i}] must be below 1, got {beta}")
        return {"lr": found["lr"], "betas": (float(betas[0]), float(betas[1])), **found}

    def move(self, i: int, p: Array, g: Array, options: dict[str, Any]) -> None:
        self.steps[i] += 1
        (beta1, beta2), lr, decay = options["betas"], options["lr"], options["weight_decay"]
        size, root = lr / (1 - beta1 ** self.steps[i]), (1 - beta2 ** self.steps[i]) ** -0.5
        in_gradient, kept = (None, 1 - lr * decay) if self.decoupled else (decay, None)
        m, v = self.buffer("exp_avg", i), self.buffer("exp_avg_sq", i)
        move(p, g, m, v, beta1, 1 - beta1, beta2, 1 - beta2, size, root, options["eps"], in_gradient or None, kept)

    def state_dict(self) -> dict[str, Any]:
        """As Optimizer's, and "step.0", ...: how many steps each parameter has made."""
        return {**super().state_dict(), **{f"step.{i}": n for i, n in enumerate(self.steps)}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        asker, keys = f"load_state_dict of {type(self).__name__}", [f"step.{i}" for i in range(len(self.steps))]
        if isinstance(state_dict, Mapping):
            if absent := [key for key in keys if key not in state_dict]:
                raise ValueError(f"{asker}: {', '.join(absent)} missing; nothing was changed")
            steps = [count(asker, key, state_dict[key], 0) for key in keys]
            state_dict = {name: value for name, value in state_dict.items() if name not in keys}
        super().load_state_dict(state_dict)
        self.steps = steps


class AdamW(Adam):
    """Adam, with weight decay apart from the gradient: p shrinks by lr * weight_decay; as torch.optim.AdamW."""

    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
