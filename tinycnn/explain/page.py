"""page: one HTML file that shows what the engine did, and needs nothing else: no network, no server, no library.

Read in this order: report, _data, _sample, _training; then bundle, which makes the file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.explain import lab, lesson
from tinycnn.explain.bundle import Arrays, Part, render
from tinycnn.explain.measure import evaluate, flow, gradient_check, strongest_units
from tinycnn.explain.source import sources
from tinycnn.explain.trace import COLS_LAYOUT, LayerRecord, Trace
from tinycnn.explain.words import everywhere
from tinycnn.files import write_atomically
from tinycnn.training.run import Record, as_row

SCHEMA = 1
PARTIALS = 500_000  # numbers in the partial maps of a convolution; of a larger one the browser works them out
MISTAKES = 24  # worst mistakes that the page shows
PICTURES = 30  # test images that can be edited


def report(
    traces: Trace | Sequence[Trace],
    path: str | Path,
    *,
    title: str | Mapping[str, str] = "",
    classes: Sequence[str] | None = None,
    history: Sequence[Mapping[str, Any] | Record] | None = None,
    snapshots: Sequence[tuple[float, Array]] | None = None,
    test: Any = None,
    untrained: Trace | None = None,
    trained: bool = True,
    max_mb: float = 3.0,
    lang: str = "en",
) -> Path:
    """Write the page for traces of one image each, all of one model, to `path`; returns the path.

    title       a text, or one for each language: {"en": ..., "vi": ...}
    classes     the names of the model's outputs
    history     a Run's history, or one dict of numbers per measurement; keys with "loss" or "acc" are drawn over "x"
    snapshots   (epoch, the first convolution's weights at that time), for the slider over training
    test        images and labels, as a Dataset or a pair of arrays: for the confusion matrix and the worst mistakes
    untrained   the trace of the same image by the model as it began, to compare how large gradients are
    trained     False makes the page say that this net has learnt nothing yet
    lang        the language that the page opens in; its reader can choose another

    Arrays that would take the file above max_mb megabytes are left out, the least important first, and the page says
    which.  ValueError where even the necessary ones do not fit, for a trace that is not of one image and its label, or
    for a language that has no table of words.
    """
    group = [traces] if isinstance(traces, Trace) else list(traces)
    names = _checked(group, classes)
    arrays = Arrays()
    data = _data(arrays, group, names, untrained, trained)
    data["title"] = title or everywhere("page.title.report")
    data["training"] = _training(arrays, group[0], history, snapshots, test)
    text = render(data, arrays, max_mb, lang)
    path = Path(path)
    write_atomically(path, text.encode("utf-8"))
    return path


def _checked(traces: list[Trace], classes: Sequence[str] | None) -> list[str]:
    """The names of the classes, or an error that says what is wrong with the traces."""
    if not traces:
        raise ValueError("report: got no trace, expected at least one")
    for trace in traces:
        if len(trace.x) != 1 or trace.x.ndim != 4 or trace.y is None:
            raise ValueError(
                f"report: each trace must be of one image (1, C, H, W) with its label, got {trace.x.shape} "
                f"{'without label' if trace.y is None else 'with labels'}; use trace(model, x[i:i+1], y[i:i+1])"
            )
    outputs = traces[0].out.shape[1]
    names = [str(k) for k in range(outputs)] if classes is None else [str(name) for name in classes]
    if len(names) != outputs:
        raise ValueError(f"report: got {len(names)} names of classes for a net of {outputs} outputs")
    return names


def _data(
    arrays: Arrays, traces: list[Trace], classes: list[str], untrained: Trace | None, trained: bool
) -> dict[str, Any]:
    first = traces[0]
    conv = next((record.label for record in first.layers if record.kind == "conv2d"), None)
    checked = conv or next((record.label for record in first.layers if record.w is not None), None)
    return {
        "schema": SCHEMA,
        "engine": first.engine,
        "trained": trained,
        "cols_layout": COLS_LAYOUT,
        "classes": classes,
        "sources": sources(),
        "lesson": _lesson(arrays),
        "lab": lab.data(arrays),
        "model": {"layers": [_layer(arrays, record) for record in first.layers]},
        "samples": [_sample(arrays, trace, i) for i, trace in enumerate(traces)],
        "gradcheck": {"layer": checked, "rows": _finite(gradient_check(first, checked))} if checked else None,
        "flow": {"now": _finite(flow(first)), "untrained": _finite(flow(untrained)) if untrained else None},
    }


def _lesson(arrays: Arrays) -> dict[str, Any]:
    facts = lesson.facts()
    for name in ("there_and_back", "counts"):
        facts["adjoint"][name] = arrays.add(facts["adjoint"][name])
    found = []
    for options, trace in lesson.cases():
        record = trace.layers[0]
        single = {"x": record.x, "out": record.out, "grad_x": record.grad_x, "grad_out": record.grad_out}
        ids = {name: arrays.add(array[0]) for name, array in single.items()}
        ids |= {"w": arrays.add(record.w), "b": arrays.add(record.b)}
        found.append({**options, "arrays": ids | _conv(arrays, record)})
    return {"cases": found, "sizes": arrays.add(lesson.size_table()), **facts}


def _layer(arrays: Arrays, record: LayerRecord) -> dict[str, Any]:
    fields = record.receptive_field
    large = record.w is not None and record.w.nbytes > 100_000
    return {
        "name": record.name,
        "label": record.label,
        "kind": record.kind,
        "text": repr(record.layer),
        "options": record.options,
        "shape_in": list(record.x.shape[1:]),
        "shape_out": list(_shown(record.out).shape),
        "parameters": record.parameters,
        "multiply_adds": record.multiply_adds,
        "field": {name: [getattr(f, name) for f in fields] for name in ("size", "jump", "start")} if fields else None,
        "path": record.path,
        "w": arrays.add(record.w, 1 if large else 0, Part("weights", record.label)),
        "b": arrays.add(record.b),
    }


def _sample(arrays: Arrays, trace: Trace, place: int) -> dict[str, Any]:
    assert trace.y is not None  # report has looked
    every, gradients = (Part(what, image=place + 1) for what in ("all", "gradients"))
    pixels = np.clip(np.rint(trace.x[0] * 255), 0, 255).astype(np.uint8)
    layers = {}
    for record in trace.layers:
        entry = {
            "out": arrays.add(_shown(record.out), 4 * place, every),
            "grad_out": arrays.add(_shown(record.grad_out), 4 * place + 1, gradients),
        }
        if record.kind == "conv2d":
            entry |= _conv(arrays, record, 4 * place + 2, place + 1)
        layers[record.label] = entry
    return {
        "label": int(trace.y[0]),
        "loss": _number(trace.loss),
        "x": arrays.add(trace.x[0], 4 * place, every),
        "pixels": arrays.add(pixels, 4 * place, every),
        "grad_x": arrays.add(trace.layers[0].grad_x[0], 4 * place + 1, gradients),
        "layers": layers,
        "units": [
            {
                "layer": unit.layer,
                "index": list(unit.place),
                "corner": list(unit.corner),
                "gradient": arrays.add(unit.gradient, 4 * place + 2, Part("units", image=place + 1)),
            }
            for unit in strongest_units(trace)
        ],
    }


def _shown(array: Array) -> Array:
    """One image's part of an array, as maps (C, H, W) or as a vector (F,), which is all that the page draws."""
    one: Array = array[0]
    return one if one.ndim in (1, 3) else one.reshape(-1)


def _conv(arrays: Arrays, record: LayerRecord, importance: int = 0, image: int = 0) -> dict[str, Any]:
    """What a convolution has more than other layers, for one image."""
    few = record.w is not None and record.w.shape[1] * record.out[0].size <= PARTIALS
    partials = lesson.partials(record) if few else None
    return {
        "grad_w": arrays.add(record.grad_w, max(importance - 1, 0), Part("gradients", image=image)),
        "grad_b": arrays.add(record.grad_b, max(importance - 1, 0), Part("gradients", image=image)),
        "cols": arrays.add(record.cols, importance, Part("cols", record.label, image)),
        "grad_cols": arrays.add(
            record.grad_cols, importance and importance + 100, Part("grad_cols", record.label, image)
        ),
        "partials": arrays.add(partials, importance, Part("partials", record.label, image)),
    }


def _training(
    arrays: Arrays,
    trace: Trace,
    history: Sequence[Mapping[str, Any] | Record] | None,
    snapshots: Sequence[tuple[float, Array]] | None,
    test: Any,
) -> dict[str, Any]:
    data: dict[str, Any] = {"history": None, "snapshots": None, "test": None}
    if history:
        rows = [row if isinstance(row, Mapping) else as_row(row) for row in history]
        data["history"] = [{name: _number(v) for name, v in row.items() if not isinstance(v, str)} for row in rows]
    if snapshots:
        data["snapshots"] = {
            "steps": [float(step) for step, _ in snapshots],
            "weights": arrays.add(np.stack([np.asarray(w, np.float32) for _, w in snapshots])),
        }
    if test is not None:
        images, labels = (test.images, test.labels) if hasattr(test, "images") else test
        data["test"] = _test(arrays, trace, np.asarray(images), np.asarray(labels))
    return data


def _test(arrays: Arrays, trace: Trace, images: Array, labels: Array) -> dict[str, Any]:
    trace.require_current("report")
    found = evaluate(trace.model, images, labels, trace.out.shape[1])
    worst = found.mistakes[:MISTAKES]
    pairs = labels[found.mistakes] * trace.out.shape[1] + found.predicted[found.mistakes]
    each = found.mistakes[np.sort(np.unique(pairs, return_index=True)[1])]  # the surest of each kind
    shown = np.concatenate([worst, each[~np.isin(each, worst)]])
    spread = np.concatenate([np.flatnonzero(labels == k)[:3] for k in np.unique(labels)])[:PICTURES]
    return {
        "count": len(labels),
        "accuracy": found.accuracy,
        "confusion": arrays.add(found.confusion),
        "mistakes": {
            "images": arrays.add(images[shown]),
            "labels": labels[shown].tolist(),
            "predicted": found.predicted[shown].tolist(),
            "confidence": [float(p) for p in found.confidence[shown]],
            "surest": len(worst),
        },
        "pictures": {"images": arrays.add(images[spread]), "labels": labels[spread].tolist()},
    }


def _finite(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with None for the numbers that JSON does not know."""
    return [{key: _number(v) if isinstance(v, float) else v for key, v in row.items()} for row in rows]


def _number(value: Any) -> float | None:
    """A finite number, or None: JSON knows no others."""
    number = float(value) if value is not None else np.nan
    return number if np.isfinite(number) else None
