"""Data parallelism in one picture: who computes which part of a batch, what travels, and why all learn the same.

    python examples/data_parallel.py                         four ranks, 256 images
    python examples/data_parallel.py --ranks 3 --part 32     three, which have two or three parts of eight

This one process plays all ranks in turn, by the plan that `--execution ranks` follows (execution/teams/ranks.py), on a
real batch and LeNet's real gradient of it.  What comes out is held to the bits of a step in one process.
"""

import argparse
from pathlib import Path

import numpy as np

from tinycnn import manual_seed
from tinycnn.cli.report import clear_errors
from tinycnn.data import load
from tinycnn.execution import make_step
from tinycnn.execution.engines.engine import note_type
from tinycnn.execution.engines.tape import TapeEngine
from tinycnn.execution.parts import cut_into, shares
from tinycnn.execution.teams.ranks import plan
from tinycnn.explain.figures import style
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD

SHOWN = 8  # images of a rank, and numbers of a slice


def main(arguments=None):
    options = parse(arguments)
    train_set, _ = load(options.dataset, options.data_dir, notice=print)
    manual_seed(0)
    net, loss = LeNet(), CrossEntropyLoss()
    x, y = train_set.images[: options.batch_size], train_set.labels[: options.batch_size]
    cut = cut_into(options.part, len(x))
    R, who = options.ranks, plan(len(cut), options.ranks)
    if not all(who.blocks):
        raise ValueError(f"data_parallel: {len(cut)} parts for {R} ranks, expected one for each; make --part smaller")

    table = gradients(net, loss, x, y, cut)  # (K, P): row k is made by the rank that has part k
    P = table.shape[1]
    for into, row in who.early:
        table[into] += table[row]  # on the rank that has both
    slices = [slice(P * r // R, P * (r + 1) // R) for r in range(R)]
    sent = [[table[rows, mine] for rows in who.rows] for mine in slices]  # what rank s gets of each rank r: (rows, P/R)
    total = np.concatenate([add_up(pieces, who) for pieces in sent])  # (P,)

    spans = [slice(cut[block[0]].start, cut[block[-1]].stop) for block in who.blocks]
    print(f"a net of {P:,} numbers, a batch of {len(x)} images")
    for rank, (block, rows) in enumerate(zip(who.blocks, who.rows, strict=True)):
        own = slices[rank].stop - slices[rank].start
        out = len(rows) * (P - own) + (R - 1) * own
        images = f"images {spans[rank].start} to {spans[rank].stop - 1}, in {len(block)} part{'s' * (len(block) > 1)}"
        print(f"rank {rank}: {images}; it sends {out:,} numbers")
    assert (total == one_process(net, loss, x, y, options.part)).all()
    print("the sum has the bits of one process's gradient")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw([x[span] for span in spans], sent, total, slices).savefig(options.out, facecolor="white")
    print(f"wrote {options.out}")


def gradients(net, loss, x, y, cut):
    """What each part adds to the batch's gradient: (K, P)."""
    params = list(net.parameters())
    engine, note = TapeEngine(net, loss, params), np.zeros(1, note_type(len(params)))[0]
    rows = []
    for part, share in zip(cut, shares(loss, y, cut), strict=True):
        found = [np.zeros(p.shape, p.dtype) for p in params]
        engine.train(x[part], y[part], share, found, note)
        rows.append(np.concatenate([g.reshape(-1) for g in found]))
    return np.stack(rows)


def add_up(pieces, who):
    """One rank's slice of the sum: (P/R,), of the rows that each rank has sent, (rows, P/R), by the tree."""
    rows = dict(zip([row for rows in who.rows for row in rows], np.concatenate(pieces), strict=True))
    for into, row in who.late:
        rows[into] = rows[into] + rows[row]
    return rows[0]


def one_process(net, loss, x, y, part):
    """The gradient of the same batch by a step in one thread: (P,)."""
    with make_step(net, loss, SGD(net.parameters(), lr=0.0), "threads", 1, part, "tape") as step:
        step(x, y)
        return np.concatenate([p.grad.numpy().reshape(-1) for p in net.parameters()])


def draw(images, sent, total, slices):
    """A row for each rank: its images, its gradient, the slice that it adds up, the whole gradient."""
    R = len(images)
    figure = style.new(13, 1.25 * R + 0.5)
    axes = figure.subplots()
    limits = [
        style.reach(*(piece[:, :SHOWN] for piece in pieces), total[mine][:SHOWN])
        for pieces, mine in zip(sent, slices, strict=True)
    ]
    colours = [f"C{s % 10}" for s in range(R)]

    def strip(values, s, left, top, width, height):
        """The first numbers of slice s, of one row or several, framed in its colour."""
        cells, box = np.atleast_2d(values)[:, :SHOWN], (left, left + width, top + height, top)
        axes.imshow(cells, cmap=style.SIGNED, vmin=-limits[s], vmax=limits[s], extent=box, aspect="auto")
        axes.plot(np.take(box, [0, 1, 1, 0, 0]), np.take(box, [3, 3, 2, 2, 3]), color=colours[s], linewidth=1.2)

    wide = 4 / R
    for r in range(R):
        axes.text(-0.2, r + 0.4, f"rank {r}", ha="right", va="center", color=style.INK, fontsize=10)
        row = np.concatenate([255 - image[0] for image in images[r][:SHOWN]], axis=1)  # (28, 28 * SHOWN)
        axes.imshow(row, cmap=style.GREY, extent=(0, 4, r + 0.65, r + 0.15), aspect="auto")
        for s in range(R):
            strip(sent[s][r], s, 5 + wide * s, r + 0.15, wide, 0.5)
            strip(sent[r][s], r, 11.5, r + 0.02 + 0.6 * s / R, 2, 0.6 / R)
            strip(total[slices[s]], s, 16 + wide * s, r + 0.15, wide, 0.5)
            if s != r:  # rank r sends its piece of slice s to rank s, and its sum to rank s
                axes.plot([9.1, 11.4], [r + 0.4, s + 0.02 + 0.6 * (r + 0.5) / R], color=colours[s], linewidth=0.8)
                axes.plot([13.6, 15.9], [r + 0.8, s + 0.4], color=colours[r], linewidth=0.8)
        strip(total[slices[r]], r, 11.5, r + 0.7, 2, 0.2)
    count = f"{len(images[0])} images each" if len({len(few) for few in images}) == 1 else "its images"
    titles = {2: f"part of the batch: {count}", 7: f"their gradient: {len(total):,} numbers", 10.3: "travels"}
    titles |= {12.5: "a slice of all, and its sum", 14.8: "travels", 18: "the whole gradient, everywhere"}
    for where, title in titles.items():
        axes.text(where, -0.12, title, ha="center", va="bottom", color=style.INK, fontsize=9)
    axes.set(xlim=(-1.2, 20.2), ylim=(R, -0.4))
    axes.axis("off")
    return figure


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=4, metavar="N", help="how many (default: 4)")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N", help="images (default: 256)")
    parser.add_argument("--part", type=int, default=64, metavar="N", help="images of a part (default: 64)")
    parser.add_argument("--dataset", default="auto", choices=("auto", "fashion", "silhouettes"))
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder with the data set's files")
    parser.add_argument("--out", type=Path, default=Path("runs", "data_parallel.png"), metavar="FILE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with clear_errors():
        main()
