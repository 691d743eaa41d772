"""explain: see what the engine did.  What is shown is what ran: every number comes from one real pass.

Read in this order: trace (the pass, and its arrays), lesson (small cases to look at), page (the HTML file).
"""

from tinycnn.explain.trace import COLS_LAYOUT, LayerRecord, Trace, trace

__all__ = ["COLS_LAYOUT", "LayerRecord", "Trace", "trace"]
