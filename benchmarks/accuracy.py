"""What the recipes of examples/better_lenet.py reach: a table and curves, from the runs in results/accuracy.json.

    python examples/better_lenet.py --recipe deeper --seeds 5      trains from five seeds, and keeps each run there
    python benchmarks/accuracy.py                                  reads them; results/accuracy.md and .png

An accuracy is that of the last epoch on the test images: no early stop, no best epoch.
"""

import argparse
import json
import statistics
from pathlib import Path

import machine  # noqa: F401  # before tinycnn: the one beside this folder
from tinycnn.explain.figures import can_draw, style

RESULTS = Path(__file__).parent / "results"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: %(default)s")
    folder = parser.parse_args(arguments).results
    groups = grouped(json.loads((folder / "accuracy.json").read_text(encoding="utf-8")))
    text = table(groups)
    print(text)
    (folder / "accuracy.md").write_text(text + "\n", encoding="utf-8")
    if can_draw():
        style.save(draw(groups), folder / "accuracy.png")


def grouped(runs):
    """The runs of each recipe on each data set, in order of their first: {(recipe, data set): runs}."""
    groups = {}
    for run in runs:
        groups.setdefault((run["recipe"], run["dataset"]), []).append(run)
    return groups


def table(groups):
    """A row for each recipe and data set, as Markdown."""
    lines = [
        "| recipe | data | parameters | epochs | test accuracy, %: mean [least, greatest] | seeds | core-minutes |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for (recipe, data), runs in groups.items():
        found, minutes = [100 * run["test_acc"] for run in runs], [run["cpu_seconds"] / 60 for run in runs]
        spread = f"{statistics.fmean(found):.2f} [{min(found):.2f}, {max(found):.2f}]"
        lines.append(
            f"| {recipe} | {data} | {runs[0]['parameters']:,} | {runs[0]['epochs']} | {spread} | {len(runs)} | "
            f"{statistics.median(minutes):.0f} |"
        )
    return "\n".join(lines)


def draw(groups):
    """A Figure: for each data set the accuracy after every epoch, the mean as a line and all seeds as a band."""
    names = list(dict.fromkeys(data for _, data in groups))
    figure = style.new(4.8 * len(names), 3.2, "Test accuracy after each epoch")
    for axes, data in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for recipe, runs in ((recipe, runs) for (recipe, of), runs in groups.items() if of == data):
            epochs = list(zip(*(run["test_acc_by_epoch"] for run in runs), strict=True))  # of each, all seeds
            line = axes.plot(range(1, len(epochs) + 1), list(map(statistics.fmean, epochs)), label=recipe)[0]
            least, greatest = (list(map(f, epochs)) for f in (min, max))
            axes.fill_between(line.get_xdata(), least, greatest, alpha=0.2, color=line.get_color())
        axes.set_title(data, fontsize=9, loc="left", color=style.INK)
        axes.set_xlabel("epoch", fontsize=9, color=style.INK)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        axes.tick_params(labelsize=8, colors=style.INK)
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


if __name__ == "__main__":
    main()
