"""What the CPU benchmark found, in words: tables, what the figures mean, and a picture.

found   {case: {contender: [answer of each round]}}, an answer being {"rate": images per second, ...} or {"error"}
"""

import statistics
from collections.abc import Callable
from typing import Any

OURS = "tinycnn"
PYTORCH = ("PyTorch eager", "PyTorch channels_last", "PyTorch compile")
SHOWN = (OURS, *PYTORCH, "TensorFlow (Keras)", "JAX jit", "DeZero", "onnxruntime")
HEADLINE = "train LeNet, batch 256"
FLOPS = 579.6e6 / 256  # LeNet, forward and backward, per image; multiply and add counted apart


def ok(answers: list[dict]) -> bool:
    return bool(answers) and not any("error" in a for a in answers)


def median(answers: list[dict], what: str = "rate") -> float:
    return statistics.median(a[what] for a in answers)


def table(found: dict[str, dict[str, list[dict]]]) -> str:
    """Images per second, median over rounds (best), and tinycnn's ratio to each, as Markdown."""

    def cell(rows: dict[str, list[dict]], name: str) -> str:
        best = max(a["rate"] for a in rows[name])
        return f"{median(rows[name]):,.0f} ({best:,.0f}{_ratio(rows, name, ', ')})"

    return _markdown("case", list(next(iter(found.values()))), found, cell)


def short_table(found: dict[str, dict[str, list[dict]]]) -> str:
    """The README's: tinycnn as it comes and the other frameworks, medians, tinycnn's ratio to each in brackets."""

    def cell(rows: dict[str, list[dict]], name: str) -> str:
        text = f"{median(rows[name]):,.0f}"
        return f"**{text}**" if name == OURS else text + _ratio(rows, name, " (", ")")

    return _markdown("images per second", [name for name in SHOWN if name in next(iter(found.values()))], found, cell)


def _markdown(
    corner: str,
    names: list[str],
    found: dict[str, dict[str, list[dict]]],
    cell: Callable[[dict[str, list[dict]], str], str],
) -> str:
    """A row for each case and a column for each contender."""
    lines = [f"| {corner} | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for case, rows in found.items():
        cells = [cell(rows, name) if ok(rows[name]) else "failed" if rows[name] else "" for name in names]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio(rows: dict[str, list[dict]], name: str, before: str, after: str = "") -> str:
    """How many times as fast tinycnn is as this contender; nothing for tinycnn itself, or if it was not measured."""
    if name == OURS or not ok(rows.get(OURS, [])):
        return ""
    return f"{before}{median(rows[OURS]) / median(rows[name]):.2f}x{after}"


def remarks(rows: dict[str, list[dict]], peak: float, threads: int) -> list[str]:
    """On the headline's case: how much of the matrix products' peak (GFLOP/s) the step reaches, its page faults, all
    workers against one, and the best of the others; nothing where tinycnn failed or was not measured."""
    if not ok(rows.get(OURS, [])):
        return []
    rate = median(rows[OURS])
    lines = [
        f"- share of the sgemm peak ({peak:.0f} GFLOP/s at 2048 x 2048): {rate * FLOPS / peak / 1e9:.0%}",
        f"- page faults per step: {median(rows[OURS], 'faults'):.1f}",
    ]
    if ok(rows.get("tinycnn 1 worker", [])):
        one = median(rows["tinycnn 1 worker"])
        lines.append(f"- {threads} workers are {rate / one:.2f} times as fast as 1")
    others = [(median(answers), name) for name, answers in rows.items() if OURS not in name and ok(answers)]
    if others:
        best, name = max(others)
        lines.append(f"- the best of the others is {name}: tinycnn is {rate / best:.2f} times as fast")
    return lines


def draw(found: dict[str, dict[str, list[dict]]], whole: dict[str, list[dict]]) -> Any:
    """A Figure: bars for training LeNet, and for the whole program where that was measured; a dot for every round."""
    from tinycnn.explain.figures import style

    steps = {n: [a["rate"] for a in found[HEADLINE][n]] for n in SHOWN if ok(found[HEADLINE].get(n, []))}
    panels = [("images per second, training, batches of 256", steps)]
    if whole:
        seconds = {name: [r["seconds"] for r in rounds] for name, rounds in whole.items()}
        panels.append(("seconds, ten epochs from cold start", seconds))
    figure = style.new(5.2 * len(panels), 2.9, "LeNet on Fashion-MNIST, the same cores for all")
    for axes, (title, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for k, (name, rounds) in enumerate(values.items()):
            middle = statistics.median(rounds)
            axes.barh(k, middle, color=style.LIT if name == OURS else "#c9c9c9", height=0.7)
            axes.plot(rounds, [k] * len(rounds), "o", color=style.INK, markersize=2.5, alpha=0.5)
            axes.annotate(f"{middle:,.0f}", (0, k), (4, 0), textcoords="offset points", va="center", fontsize=8)
        style.rows(axes, list(values))
        axes.set_title(title, fontsize=9, loc="left", color=style.INK)
    return figure
