"""counting: sums, seconds, right answers, and the book's other helpers of a few lines."""

import itertools
import time
from collections.abc import Iterable
from typing import Any

import tinycnn
from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor


class Accumulator:
    """n sums that grow together."""

    def __init__(self, n: int) -> None:
        self.data = [0.0] * n

    def add(self, *args: Any) -> None:
        """Add one number, or a tensor of one number, to each sum."""
        self.data = [total + float(number) for total, number in zip(self.data, args, strict=True)]

    def reset(self) -> None:
        """Start again at 0."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, index: int) -> float:
        return self.data[index]


class Timer:
    """Seconds between each start and stop; it starts when it is made."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin a new time."""
        self.since = time.perf_counter()

    def stop(self) -> float:
        """End it: the seconds since start, which are kept."""
        self.times.append(time.perf_counter() - self.since)
        return self.times[-1]

    def avg(self) -> float:
        """The mean of all times."""
        return sum(self.times) / len(self.times)

    def sum(self) -> float:
        """All times together."""
        return sum(self.times)

    def cumsum(self) -> list[float]:
        """The sums of the first, the first two, ... of them."""
        return list(itertools.accumulate(self.times))


def accuracy(y_hat: Tensor, y: Tensor) -> float:
    """How many predictions y_hat (N, classes), or class numbers (N,), are those of the labels y (N,)."""
    if y_hat.ndim > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(dim=1)
    return float((y_hat.type(y.dtype) == y).sum())


def sgd(params: Iterable[Tensor], lr: float, batch_size: int) -> None:
    """A step of stochastic gradient descent on parameters of any shape, whose gradients are sums over a batch."""
    with no_grad():
        for param in params:
            if param.grad is None:
                raise RuntimeError(f"sgd: a parameter of shape {param.shape} has no gradient; call backward first")
            param -= lr * param.grad / batch_size
            param.grad.zero_()


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """The cross-correlation of an image (H, W) with a kernel (h, w) by its definition: (H - h + 1, W - w + 1)."""
    h, w = K.shape
    Y = tinycnn.zeros(X.shape[0] - h + 1, X.shape[1] - w + 1, dtype=X.dtype, device=X.device)
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


def try_gpu(i: int = 0) -> str:
    """ "gpu" where GPU number i can be used, else "cpu"; the engine uses one, number 0."""
    return "gpu" if tinycnn.cuda.device_count() >= i + 1 else "cpu"


def try_all_gpus() -> list[str]:
    """["gpu"] where it can be used, else ["cpu"]."""
    return [try_gpu()]
