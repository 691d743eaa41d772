"""writers: the occasions on which a page is written: for a lesson, from a checkpoint, in a notebook, after training.

Read in this order: lesson_page, checkpoint_page, show, PageWriter.
"""

import html
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn import checkpoint
from tinycnn.backend import Array
from tinycnn.data import SHORT_NAMES, Dataset, Silhouettes, load
from tinycnn.explain import trained
from tinycnn.explain.page import report
from tinycnn.explain.snapshots import Snapshots
from tinycnn.explain.trace import Trace, trace
from tinycnn.explain.words import everywhere
from tinycnn.nn import Sequential
from tinycnn.training import Run
from tinycnn.training.curves import in_notebook

GARMENTS = (65, 75)  # test images: a shirt that might be a coat, and a boot beyond doubt


def lesson_page(path: str | Path, lang: str = "en") -> Path:
    """The page without any training: the toy, and a LeNet that has learnt generated garments.  Needs no data.

    lang is the language that it opens in.
    """
    model, untrained, history, snapshots = trained.load()
    garments = Silhouettes(train=False, size=trained.TEST_IMAGES)
    images, labels = garments.images, garments.labels
    return report(
        [trace(model, images[i : i + 1], labels[i : i + 1]) for i in GARMENTS],
        path,
        title=everywhere("page.title.lesson"),
        classes=garments.classes,
        history=history,
        snapshots=snapshots,
        test=garments,
        untrained=trace(untrained, images[GARMENTS[0] : GARMENTS[0] + 1], labels[GARMENTS[0] : GARMENTS[0] + 1]),
        lang=lang,
    )


def checkpoint_page(
    file: str | Path,
    path: str | Path,
    images: int = 3,
    data_dir: Path | None = None,
    max_mb: float = 3.0,
    lang: str = "en",
) -> Path:
    """The page of a saved LeNet: its first `images` test images, its training, its mistakes in the test set."""
    saved = checkpoint.load(file)
    model = saved.build()
    about = saved.about.get("dataset")
    name = str(about.get("name", "")) if isinstance(about, dict) else ""
    if "own" in saved.about:
        raise ValueError(
            f"explain: {saved.path}: this net has learnt from pictures of {name!r}, which are not in the file; "
            "tinycnn.explain.show(net, images) shows it with images of yours"
        )
    _, test = load(SHORT_NAMES.get(name, "auto"), data_dir, notice=print)
    run = saved.about.get("run")
    history = run.get("history") if isinstance(run, dict) else None
    return report(
        _traces(model, test, images),
        path,
        title=everywhere("page.title.net", net="LeNet", data=test.name),
        classes=test.classes,
        history=history,
        test=test,
        max_mb=max_mb,
        lang=lang,
    )


def _traces(model: Sequential, test: Dataset, images: int) -> list[Trace]:
    if not 1 <= images <= len(test):
        raise ValueError(f"explain: images is {images}, expected 1 to {len(test)}")
    return [trace(model, test.images[i : i + 1], test.labels[i : i + 1]) for i in range(images)]


def show(
    model: Sequential, images: Array, labels: Sequence[int] | None = None, height: int = 760, lang: str = "en"
) -> Any:
    """The page of a model for images (N, C, H, W), under a notebook's cell; `height` is in pixels.

    labels are the right classes, for the loss and its gradient; without them, what the model itself says.  At most
    three images are shown.  RuntimeError outside of notebooks, where report() writes the page to a file.
    """
    if not in_notebook():
        raise RuntimeError(
            "explain.show: this is no notebook; explain.report(explain.trace(model, x, y), path) writes a file"
        )
    from IPython.display import HTML, display

    images = np.asarray(images)[:3]
    if labels is None:
        labels = [int(trace(model, images[i : i + 1], [0]).out[0].argmax()) for i in range(len(images))]
    traces = [trace(model, images[i : i + 1], [int(labels[i])]) for i in range(len(images))]
    with tempfile.TemporaryDirectory() as folder:
        text = report(traces, Path(folder, "page.html"), lang=lang).read_text(encoding="utf-8")
    frame = f'<iframe srcdoc="{html.escape(text)}" width="100%" height="{height}" style="border: 0"></iframe>'
    return display(HTML(frame))


class PageWriter(Snapshots):
    """Looks on while a net trains, and writes its page when training ends.

    train(step, batches, test_batches, epochs, observers=[PageWriter("lenet.html", net, test_set)])

    Keeps the first convolution's kernels at every Point, and the trace of the first image before training.
    """

    def __init__(self, path: str | Path, model: Sequential, test: Dataset, images: int = 3, title: str = "") -> None:
        super().__init__(model)
        self.path, self.test, self.images = Path(path), test, images
        self.title = title or everywhere("page.title.net", net=type(model).__name__, data=test.name)
        self.untrained: Trace | None = None

    def on_start(self, run: Run) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not run.history:
            (self.untrained,) = _traces(self.model, self.test, 1)
        super().on_start(run)

    def on_end(self, run: Run) -> None:
        if run.result is None or not all(np.isfinite(p.numpy()).all() for p in self.model.parameters()):
            return  # stopped before anything was learnt, or by a loss that was not finite: there is nothing to show
        traces = _traces(self.model, self.test, self.images)
        extra: dict[str, Any] = {"history": run.history, "snapshots": self.taken, "untrained": self.untrained}
        report(traces, self.path, title=self.title, classes=self.test.classes, test=self.test, **extra)
