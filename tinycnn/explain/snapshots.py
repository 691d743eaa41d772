"""snapshots: the first convolution's kernels while they learn."""

from tinycnn.backend import Array
from tinycnn.nn import Conv2d, Sequential
from tinycnn.training import Observer, Point, Run

MOST = 100  # of more, every other one is dropped


class Snapshots(Observer):
    """Looks on while a model trains; `taken` holds (epoch, weights (O, C, KH, KW)) at the start and at every Point."""

    def __init__(self, model: Sequential) -> None:
        self.model = model
        self.first = next((layer for layer in model.modules() if isinstance(layer, Conv2d)), None)
        self.taken: list[tuple[float, Array]] = []

    def on_start(self, run: Run) -> None:
        self._take(run.epoch)

    def on_point(self, run: Run, point: Point) -> None:
        self._take(point.x)

    def _take(self, x: float) -> None:
        if self.first is not None:
            self.taken.append((x, self.first.weight.numpy().copy()))
        if len(self.taken) > MOST:
            self.taken = [*self.taken[:-1:2], self.taken[-1]]
