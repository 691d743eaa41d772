"""figures: pictures of a trace, as matplotlib Figures that work without a display and in notebooks.

    trace = explain.trace(model, x, y)
    figures.im2col(trace, "conv1").savefig("im2col.png")

Every number in them is read from the trace, or measured with the engine.  No function touches matplotlib's global
state, opens a window or shows anything; each returns its Figure.  RuntimeError where matplotlib is not installed.

Read in this order: style; convolution (one layer, number by number), animation, network (all layers), learning.
"""

from tinycnn.explain.figures.animation import animate_conv
from tinycnn.explain.figures.convolution import channel_sum, conv_step, im2col
from tinycnn.explain.figures.learning import filters_over_time, training_curves
from tinycnn.explain.figures.network import feature_maps, gradient_flow, gradient_sizes, receptive_field
from tinycnn.explain.figures.style import can_draw, pictures, save

__all__ = [
    "animate_conv",
    "can_draw",
    "channel_sum",
    "conv_step",
    "feature_maps",
    "filters_over_time",
    "gradient_flow",
    "gradient_sizes",
    "im2col",
    "pictures",
    "receptive_field",
    "save",
    "training_curves",
]
