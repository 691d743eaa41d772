"""The GPU benchmark's table, and how far its numbers are from what a card could do."""

import statistics

from tinycnn import nn
from tinycnn.models import LeNet
from tinycnn.nn.summary import summary

CASES = {  # name: (net, images per step)
    "LeNet, batch 256": ("lenet", 256),
    "LeNet, batch 1024": ("lenet", 1024),
    "wide LeNet, batch 256": ("wide", 256),
}
OURS = "tinycnn graph"
SHORT = ("tinycnn graph", "JAX scan", "PyTorch compile, CUDA graph", "PyTorch CUDA graph", "PyTorch eager")
LEARNED = 1.6  # the loss that some 1,500 steps must bring below; guessing costs ln 10 = 2.3


def text(cases: dict, card: dict) -> str:
    """The card, and one part per case: a Markdown table, and the bound."""
    flops, bandwidth = card["flops"] / 1e12, card["bytes per second"] / 1e12
    lines = [
        f"{card['name']}, CUDA driver {card['cuda driver']}; measured: {flops:.1f} TFLOP/s in float32, "
        f"{bandwidth:.2f} TB/s of copying, {card['launch gap']:.2f} us for each kernel of a chain"
    ]
    for case, rows in cases.items():
        lines += ["", f"### {case}", "", *table(case, rows, card)]
    return "\n".join(lines)


def table(case: str, rows: dict, card: dict) -> list[str]:
    """One case: a row per contender, fastest first, and the bound."""
    ours = median(rows.get(OURS, {}))
    lines = ["| | us per step | images/s | times tinycnn graph's | kernels per step | loss | setup |"]
    lines.append("|---|---:|---:|---:|---:|---:|---|")
    ranked = sorted(rows.items(), key=lambda item: median(item[1]) or float("inf"))
    lines += [line(name, row, ours, CASES[case][1]) for name, row in ranked]
    if ours and rows[OURS].get("in a row"):
        arithmetic, memory, launches = bound(case, card, rows[OURS]["in a row"])
        total = max(arithmetic, memory) + launches
        lines += [
            "",
            f"Bound: arithmetic {arithmetic:.1f} us, memory {memory:.1f} us, {rows[OURS]['in a row']} kernels in a row "
            f"{launches:.1f} us; together {total:.1f} us, tinycnn graph takes {ours / total:.1f} times that",
        ]
    return lines


def line(name: str, row: dict, ours: float | None, batch: int) -> str:
    """One contender's row."""
    us = median(row)
    if us is None:
        return f"| {name} | {row.get('error', 'not measured')} | | | | | |"
    ratio = f"{us / ours:.2f}" if ours else ""
    learned = f"{row['loss']:.2f}" + ("" if row["loss"] < LEARNED or "chapter" in name else " (did not learn)")
    setup = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in row["setup"].items())
    kernels = row["kernels"] if row.get("kernels") is not None else "?"
    return f"| {name} | {us:.1f} | {batch / us * 1e6:,.0f} | {ratio} | {kernels} | {learned} | {setup} |"


def median(row: dict) -> float | None:
    return statistics.median(row["times"]) if row.get("times") else None


def work(net: str, batch: int) -> tuple[float, float]:
    """(floating-point operations, bytes of memory traffic) that a step cannot do without.

    Forward, gradients of weights and gradients of data cost the same, but the first layer's data needs none.  Bytes
    are the batch's, and reading and writing every parameter once: the rest can stay on the chip.
    """
    wide = {"activation": "relu", "pool": "max", "channels": (32, 64)} if net == "wide" else {}
    costs = summary(LeNet(**wide), (1, 1, 28, 28))
    layers = [row.multiply_adds or 0 for row in costs.rows if isinstance(row.layer, (nn.Conv2d, nn.Linear))]
    return 2.0 * batch * (3 * sum(layers) - layers[0]), float(batch * 28 * 28 + 2 * 4 * costs.parameters)


def bound(case: str, card: dict, in_a_row: int) -> tuple[float, float, float]:
    """Microseconds of (arithmetic at peak, memory at peak, launching the longest chain of kernels)."""
    flops, traffic = work(*CASES[case])
    return flops / card["flops"] * 1e6, traffic / card["bytes per second"] * 1e6, in_a_row * card["launch gap"]


def short(cases: dict) -> str:
    """A Markdown table with a row per case: microseconds per step, and how many times tinycnn's they are."""
    lines = ["| microseconds per step, float32 | " + " | ".join(SHORT) + " | fastest with TF32 |"]
    lines.append("|---|" + "---:|" * (len(SHORT) + 1))
    for case, rows in cases.items():
        ours = median(rows[OURS])
        assert ours
        times = [median(rows[name]) for name in SHORT]
        times.append(min((us for name, row in rows.items() if "TF32" in name and (us := median(row))), default=None))
        cells = ["?" if us is None else f"{us:.0f}" + ("" if us == ours else f" ({us / ours:.1f}x)") for us in times]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)
