"""explain: see what the engine did.  What is shown is what ran: every number comes from one real pass.

    traced = trace(model, images, labels)              one forward and one backward pass, with every array in it
    report([traced], "lenet.html")                     a page that shows it; lesson_page("lesson.html") needs no model
    show(model, images)                                the same under a notebook's cell

Read in this order: trace (the pass, and its arrays), lesson (small cases to look at), measure (what else is shown),
source (the engine's own lines), page (the HTML file), writers (when it is written).
"""

from tinycnn.explain.page import report
from tinycnn.explain.trace import COLS_LAYOUT, LayerRecord, Trace, trace
from tinycnn.explain.writers import PageWriter, checkpoint_page, lesson_page, show

__all__ = [
    "COLS_LAYOUT",
    "LayerRecord",
    "PageWriter",
    "Trace",
    "checkpoint_page",
    "lesson_page",
    "report",
    "show",
    "trace",
]
