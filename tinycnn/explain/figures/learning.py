"""learning: how a net changes while it trains: its curves, and its kernels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinycnn.backend import Array
from tinycnn.explain.figures import style
from tinycnn.training.curves import draw_curves
from tinycnn.training.run import Run


def training_curves(run: Run, title: str = "") -> Any:
    """A Figure of a run's loss and accuracies over epochs."""
    style.new(1, 1)  # so that a missing matplotlib is named as for all figures
    return draw_curves(run.history, max(run.epochs, 1), title)


def filters_over_time(snapshots: Sequence[Array], steps: Sequence[int], channel: int = 0) -> Any:
    """A Figure with one row per filter and one column per moment: kernels (O, C, KH, KW) after `steps` steps each.

    All on one scale, so that growth shows.  ValueError unless there is one number of steps per snapshot.
    """
    if len(snapshots) != len(steps) or not len(steps):
        raise ValueError(
            f"figures.filters_over_time: got {len(snapshots)} snapshots and {len(steps)} numbers of steps, "
            "expected one each, and at least one"
        )
    kernels = np.stack([np.asarray(w)[:, channel] for w in snapshots])  # (T, O, KH, KW)
    T, O = kernels.shape[:2]
    figure = style.new(0.95 * T + 0.8, 0.95 * O + 0.6)
    limit = style.reach(kernels)
    axes = figure.subplots(O, T, squeeze=False)
    for t in range(T):
        for o in range(O):
            style.picture(axes[o, t], kernels[t, o], f"step {steps[t]}" if o == 0 else "", signed=True, limit=limit)
            if t == 0:
                axes[o, t].set_ylabel(f"filter {o}", fontsize=8, color=style.INK)
    return figure
