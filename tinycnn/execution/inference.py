"""inference: a trained model as a function over buffers that are made once, to answer again and again."""

import threading
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.execution.engines.stages.net import PartNet
from tinycnn.execution.reading import read_stages
from tinycnn.execution.stages import STAGES, UnsupportedModel
from tinycnn.nn import Module


class Inference:
    """logits = serve(images), for batches of one shape, in evaluation mode and without gradients:

        serve = Inference(model, (1, 1, 28, 28))
        logits = serve(image)                           # (1, 10), a new array

    shape is that of a batch, (N, C, H, W) or (N, features); images are uint8, which are scaled to [0, 1], or floats in
    the parameters' dtype, as `dtype` says.  The model is any Sequential that the engine of stages can read, on the CPU:
    UnsupportedModel names the layer that it cannot.

    It answers with the parameters of the moment when it was made, or of the last `update`, and does not see other
    changes to the model.  Its buffers serve one call at a time: RuntimeError for a call while another thread is in
    one; make one for each thread.
    """

    def __init__(self, model: Module, shape: tuple[int, ...], dtype: Any = np.uint8) -> None:
        kinds = {(p.device, p.data.dtype) for p in model.parameters()}
        if len(kinds) != 1 or next(iter(kinds))[0] != "cpu":
            raise UnsupportedModel(
                f"Inference: needs parameters on the CPU, all of one dtype, got {sorted(map(str, kinds))}"
            )
        inner = next(iter(kinds))[1]
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        if self.dtype not in (np.uint8, inner) or len(self.shape) < 2 or min(self.shape) < 1:
            raise ValueError(
                f"Inference: expected a shape (N, ...) and a dtype of uint8 or the parameters' {inner}, "
                f"got shape {self.shape} and {self.dtype}"
            )
        stages = read_stages(model, self.shape[1:], STAGES)
        self._net = PartNet(stages, self.shape[1:], self.shape[0], self.dtype, inner)
        self._logits = self._net.out.y.reshape(-1, self.shape[0]).T  # (N, classes)
        self._busy = threading.Lock()
        self.update()

    def update(self) -> None:
        """Take over the parameters as they are now."""
        self._net.fold()

    def __call__(self, x: Array) -> Array:
        """The logits of x, a new array (N, classes); ValueError or TypeError for another shape or dtype."""
        if x.shape != self.shape:
            raise ValueError(f"Inference: made for batches {self.shape}, got {x.shape}; make another for that shape")
        if x.dtype != self.dtype:
            raise TypeError(f"Inference: made for {self.dtype}, got {x.dtype}; make another, or convert with astype")
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("Inference: another thread is in a call; make an Inference for each thread")
        try:
            self._net.forward(x, train=False)
            out = self._net.out
            logits: Array = self._logits * out.scale
            if out.shift:
                logits += out.shift
            return logits
        finally:
            self._busy.release()
