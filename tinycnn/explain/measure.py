"""measure: what the page shows besides the trace itself, all of it measured with the engine.

Read in this order: strongest_units, gradient_check, flow, evaluate.
"""

import copy
from typing import Any, NamedTuple

import numpy as np

from tinycnn import functional as F
from tinycnn.autograd.tape import no_grad
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import Array, to_device
from tinycnn.data import scale
from tinycnn.explain.trace import LayerRecord, Trace
from tinycnn.geometry import ReceptiveField
from tinycnn.nn import Sequential

STEP = 1e-5  # of the finite differences, in float64
MAPS = 64  # of a layer: more are not drawn
SILENT = ("flatten", "dropout")  # layers whose outputs are their inputs' numbers


class Unit(NamedTuple):
    """One number of a layer's output, and its gradient with respect to the pixels that it can see.

    The gradient is (C, h, w), from the pixel `corner` on.
    """

    layer: str
    place: tuple[int, ...]  # (c, i, j) or (k,)
    corner: tuple[int, int]
    gradient: Array


def strongest_units(trace: Trace, per_vector: int = 6) -> list[Unit]:
    """For the first image: the greatest number of each map, the `per_vector` greatest of each vector, and every
    output of the net, each with its gradient with respect to the input."""
    found = []
    for record in trace.layers:
        out = record.out[0]
        if record.kind in SILENT or out.ndim not in (1, 3):
            continue
        if out.ndim == 3:
            W = out.shape[2]
            places = enumerate(out[:MAPS].reshape(min(MAPS, len(out)), -1).argmax(axis=1).tolist())
            indices: list[tuple[int, ...]] = [(c, *divmod(place, W)) for c, place in places]
        else:
            number = out.size if record is trace.layers[-1] else min(per_vector, out.size)
            indices = [(k,) for k in np.argsort(-out, kind="stable")[:number].tolist()]
        found += [_unit(trace, record, index) for index in indices]
    return found


def _unit(trace: Trace, record: LayerRecord, index: tuple[int, ...]) -> Unit:
    gradient = trace.input_gradient(record.name, (0, *index))[0]  # (C, H, W)
    _, H, W = gradient.shape
    whole = (ReceptiveField(H), ReceptiveField(W))
    fields, at = (record.receptive_field, index[1:]) if record.receptive_field else (whole, (0, 0))
    rows, columns = fields[0].pixels(at[0], H), fields[1].pixels(at[1], W)
    return Unit(
        record.label,
        index,
        (rows.start, columns.start),
        gradient[:, rows.start : rows.stop, columns.start : columns.stop],
    )


def gradient_check(trace: Trace, layer: str, count: int = 20, seed: int = 0) -> list[dict[str, Any]]:
    """Backward against finite differences, for `count` weights of a layer drawn at random: the whole net in float64,
    the loss of the traced batch.  One dict a weight: index, analytic, numeric."""
    model = copy.deepcopy(trace.model).double().eval()
    name = trace[layer].name
    weight = dict(model.named_parameters())[f"{name}.weight"]
    x = Tensor(to_device(trace.x.astype(np.float64), weight.device))
    y = to_device(np.asarray(trace.y), weight.device)

    def loss() -> Tensor:
        return F.cross_entropy(model(x), y)

    weight.grad = None
    loss().backward()
    assert weight.grad is not None  # the loss depends on every weight
    analytic = weight.grad.numpy()
    places = np.random.default_rng(seed).choice(weight.numel(), min(count, weight.numel()), replace=False)
    rows = []
    with no_grad():
        for index in (np.unravel_index(int(place), weight.shape) for place in places):
            value = weight.data[index].item()
            sides = []
            for side in (value + STEP, value - STEP):
                weight.data[index] = side
                sides.append(loss().item())
            weight.data[index] = value
            numeric = (sides[0] - sides[1]) / (2 * STEP)
            rows.append({"index": [int(k) for k in index], "analytic": float(analytic[index]), "numeric": numeric})
    return rows


def flow(trace: Trace) -> list[dict[str, Any]]:
    """How large the gradient is on its way back: the root mean square of grad_out for every layer."""
    return [
        {"layer": record.label, "rms": float(np.sqrt(np.square(record.grad_out, dtype=np.float64).mean()))}
        for record in trace.layers
    ]


class Evaluation(NamedTuple):
    """confusion[i, j] counts the images of class i taken for class j; mistakes index the images, the surest first."""

    confusion: Array  # int (classes, classes)
    mistakes: Array  # int (M,)
    predicted: Array  # int (N,)
    confidence: Array  # float (N,), the probability of the predicted class

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / max(self.confusion.sum(), 1))


def evaluate(model: Sequential, images: Array, labels: Array, classes: int, batch: int = 256) -> Evaluation:
    """What the model takes each of the uint8 images (N, C, H, W) for, in evaluation mode."""
    parameters = list(model.parameters())
    dtype, device = parameters[0].dtype, parameters[0].device
    probabilities = []
    with model.evaluating(), no_grad():
        for start in range(0, len(images), batch):
            x = Tensor(to_device(scale(images[start : start + batch], dtype), device))
            probabilities.append(F.softmax(model(x), 1).numpy())
    p = np.concatenate(probabilities)
    predicted, confidence = p.argmax(axis=1), p.max(axis=1)
    confusion = np.zeros((classes, classes), np.int32)
    np.add.at(confusion, (labels, predicted), 1)
    wrong = np.flatnonzero(predicted != labels)
    return Evaluation(confusion, wrong[np.argsort(-confidence[wrong], kind="stable")], predicted, confidence)
