"""How training on MPI ranks scales: measured on this machine's cores, and on paper beyond them.

    python benchmarks/ranks_scaling.py               four minutes; needs mpi4py, an MPI, and a machine at rest
    python benchmarks/ranks_scaling.py --compare     one minute: ranks beside processes; writes nothing
    python benchmarks/ranks_scaling.py --quick       a look at all of it; writes nothing

Measured, in rounds that take turns: ranks beside processes, strong scaling (a batch of 256) and weak (256 images a
rank); how long ranks take to exchange few bytes, many bytes, and many messages; and two ranks whose messages arrive
late, as over a network, which is where the model is held to the clock.

The model of a step on R ranks, each with k parts of a batch of N images, of P parameters of 4 bytes:

    seconds = serial + N * draw + k * part
            + WAITS * latency + MESSAGES * (R - 1) * post + 2 * 4 * P * (R - 1) / R / bandwidth

serial and part are fitted to steps of one and of four parts on one rank, draw to taking images out of the data set,
latency, post and bandwidth to two ranks on this machine.  On paper the networks' latency and bandwidth are assumptions,
named as such.  Communication, the second line, wins where it takes longer than the first.
Results go to benchmarks/results/ranks_scaling.json and .md.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import machine
from tinycnn import manual_seed, nn
from tinycnn.execution import cores, make_step
from tinycnn.models import LeNet
from tinycnn.optim import SGD

RESULTS = Path(__file__).parent / "results"
NETWORKS = {"10 Gb/s Ethernet": (20e-6, 1.25e9), "100 Gb/s InfiniBand": (2e-6, 12.5e9)}  # assumed: seconds, bytes/s
WAITS = 3  # of a step, for others: the rows, the sums, Ctrl-C; what is compared and recorded travels beside them
MESSAGES = 5  # of a step, to each other rank
IMAGES, PART = 256, 64  # of a batch, of a part
RANKS = [2**k for k in range(1, 10)]
WHOLE = PART * RANKS[-1]  # images of a batch that so many ranks can share
WARM = 3  # steps that are not counted


def residual_net():
    """The residual net of models.py with one block a stage, but for its batch normalisation, which ranks refuse."""

    def convolution(features, filters, stride=1, size=3):
        return nn.Conv2d(features, filters, size, stride, size // 2)

    layers, features = [convolution(1, 16), nn.ReLU()], 16
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        body = convolution(features, filters, stride), nn.ReLU(), convolution(filters, filters)
        around = None if stride == 1 else convolution(features, filters, stride, 1)
        layers += [nn.Residual(*body, shortcut=around), nn.ReLU()]
        features = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, 10))


NETS = {
    "LeNet": LeNet,
    "wide LeNet": lambda: LeNet(channels=(32, 64), activation="relu", pool="max", hidden=(256,)),
    "residual net": residual_net,
}


# -- in the ranks


def measure_steps(net, batch, strategy, workers, seconds, delay=0.0):
    """Median seconds of a step, and the number of parameters."""
    manual_seed(0)
    model = NETS[net]()
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (batch, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, batch)
    optimizer = SGD(model.parameters(), lr=0.01)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers, PART) as step:
        if delay:
            step.world.begin = late(step.world.begin, delay)
        times, stop, start = [], None, time.perf_counter()
        while stop is None:
            since = time.perf_counter()
            step(x, y)
            enough = time.perf_counter() - start > seconds and len(times) > 2 * WARM
            stop = step.agreed("enough" if enough else None)  # as the training loop asks after Ctrl-C
            times.append(time.perf_counter() - since)
        leads = step.leads
    return {
        "seconds": statistics.median(times[WARM:]),
        "parameters": sum(p.data.size for p in model.parameters()),
    }, leads


def late(begin, delay):
    """World.begin, of messages that arrive `delay` seconds after they were sent, or later."""

    def begin_late(*messages):
        wait, due = begin(*messages), time.perf_counter() + delay

        def wait_late(patience=0):
            wait(patience)
            while time.perf_counter() < due:
                time.sleep(0)

        return wait_late

    return begin_late


def measure_exchange(sizes, seconds):
    """Median seconds in which two ranks exchange one array of so many bytes, or, of a size below 0, -size messages."""
    from tinycnn.execution.teams.world import world

    found, ranks = {}, world()
    for size in sizes:
        out, into = np.zeros(max(size, 1), np.uint8), np.zeros(max(size, 1), np.uint8)
        times, start = [], time.perf_counter()
        while not ranks.gather(np.array(time.perf_counter() - start > seconds)).any():
            since = time.perf_counter()
            messages = dict.fromkeys(ranks.others, out), dict.fromkeys(ranks.others, into)
            for wait in [ranks.begin(*messages) for _ in range(max(1, -size))]:
                wait()
            times.append(time.perf_counter() - since)
        found[size] = statistics.median(times)
    return found, ranks.rank == 0


def worker(order):
    """Measure what is asked for; the first rank prints it."""
    found, leads = (measure_exchange if "sizes" in order else measure_steps)(**order)
    if leads:
        print(json.dumps(found))


# -- outside


def launch(ranks, **order):
    """What a worker finds, on so many ranks, or in a process that was started as programs usually are (0)."""
    command = [sys.executable, __file__, "--worker", json.dumps(order)]
    if ranks:
        mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
        command = [mpiexec, "-n", str(ranks), *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ends with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(orders, rounds):
    """{name: found} of {name: (ranks, order)}: the seconds of rounds in which they take turns, and their median."""
    found = {name: [] for name in orders}
    for _ in range(rounds):
        for name, (ranks, order) in orders.items():
            found[name].append(launch(ranks, **order))
    together = {}
    for name, several in found.items():
        rounds_of_it = [f["seconds"] for f in several]
        together[name] = {**several[0], "seconds": statistics.median(rounds_of_it), "rounds": rounds_of_it}
    return together


def computing(fit, images, parts):
    """Seconds of a step in which a rank does what one process would do, by the formula above."""
    return fit["serial"] + images * fit["draw"] + parts * fit["part"]


def talking(fit, ranks, latency, bandwidth):
    """Seconds of a step that ranks take to come together, by the formula above."""
    if ranks == 1:
        return 0.0
    travels = 2 * 4 * fit["parameters"] * (ranks - 1) / ranks / bandwidth
    return WAITS * latency + MESSAGES * (ranks - 1) * fit["post"] + travels


def fitted(one, four, draw, post):
    """serial and part from steps of one and of four parts."""
    part = (four["seconds"] - one["seconds"]) / 3
    return {"serial": one["seconds"] - part, "draw": draw, "part": part, "post": post, "parameters": one["parameters"]}


def seconds_to_draw():
    """Seconds to take an image out of a data set of 60,000 in random order, as every rank does for the whole batch."""
    images = np.zeros((60_000, 1, 28, 28), np.uint8)
    order = np.random.default_rng(0).permutation(60_000)
    start = time.perf_counter()
    for i in range(0, 60_000, IMAGES):
        images.take(order[i : i + IMAGES], axis=0)
    return (time.perf_counter() - start) / 60_000


def compared(seconds):
    """What to launch for ranks beside processes: each name is followed by its counterpart's."""
    orders = {}
    for ranks in range(1, cores() + 1):
        for kind, batch in (("strong", IMAGES), ("weak", IMAGES * ranks)):
            ours = {"net": "LeNet", "batch": batch, "seconds": seconds}
            if kind == "strong" or ranks > 1:  # one of them is one of them
                orders[f"{kind}, {ranks} ranks"] = ranks, {**ours, "strategy": "ranks", "workers": None}
                orders[f"{kind}, {ranks} processes"] = 0, {**ours, "strategy": "processes", "workers": ranks}
    return orders


def measure(seconds, rounds):
    """Everything that is measured, by name."""
    orders, step = compared(seconds), {"seconds": seconds, "strategy": "ranks", "workers": None}
    for net in NETS:
        for parts in (1, 4):
            orders[f"{net}, {parts} parts"] = 1, {**step, "net": net, "batch": PART * parts}
    for delay in (0.0, 2e-4, 1e-3):
        orders[f"delayed by {delay * 1e6:.0f} us"] = 2, {**step, "net": "LeNet", "batch": IMAGES, "delay": delay}
    found = in_turns(orders, rounds)
    took = launch(2, sizes=[8, 1 << 20, -20], seconds=seconds)
    few, many, several = took["8"], took[str(1 << 20)], took["-20"]
    return found, {"latency": few, "bandwidth": (1 << 20) / (many - few), "post": (several - few) / 19}


def comparison(found):
    """Ranks beside processes, in Markdown; the ratio is the median of the rounds' ratios."""
    lines = ["| LeNet, images per second | ranks | processes | ranks / processes |", "|---|---|---|---|"]
    for name, ours in found.items():
        if name.endswith(" ranks"):
            kind, ranks = name.split(", ")[0], int(name.split()[1])
            images, theirs = IMAGES * (ranks if kind == "weak" else 1), found[name.replace("ranks", "processes")]
            ratio = statistics.median(b / a for a, b in zip(ours["rounds"], theirs["rounds"], strict=True))
            a, b = images / ours["seconds"], images / theirs["seconds"]
            lines.append(f"| {kind}, {ranks} of them, batch {images} | {a:,.0f} | {b:,.0f} | {ratio:.2f} |")
    return lines


def delays(found, link, fit):
    """The model beside the clock, in Markdown: a step on two ranks, and how much longer it takes where messages are
    late, as the median of the rounds' differences."""
    lines = [
        "| LeNet on two ranks, messages late by | ms a step | predicted | ms longer | predicted |",
        "|---" * 5 + "|",
    ]
    on_time = found["delayed by 0 us"]["rounds"]
    for name, result in found.items():
        if name.startswith("delayed"):
            delay = float(name.split()[2]) * 1e-6
            step = fit["serial"] + 2 * fit["part"] + talking(fit, 2, link["latency"] + delay, link["bandwidth"])
            longer = statistics.median(a - b for a, b in zip(result["rounds"], on_time, strict=True))
            measured = [result["seconds"], step, longer, WAITS * delay]
            lines.append(f"| {delay * 1e6:.0f} us | {' | '.join(f'{seconds * 1e3:.2f}' for seconds in measured)} |")
    return lines


def tables(found, link, fits):
    """The results in Markdown."""
    lines = [*comparison(found), "", *delays(found, link, fits["LeNet"])]
    columns = [(net, network) for net in NETS for network in NETWORKS]
    header = " | ".join(f"{net}, {network}" for net, network in columns)
    for title, growing in ((f"{IMAGES} images each", True), (f"{WHOLE:,} images in all", False)):
        lines += ["", f"| on paper, efficiency of ranks with {title} | {header} |", "|---" * (len(columns) + 1) + "|"]
        for ranks in RANKS:
            row = [efficiency(fits[net], ranks, *NETWORKS[network], growing) for net, network in columns]
            lines.append(f"| {ranks} | {' | '.join(f'{e:.0%}' for e in row)} |")
        row = [crossing(fits[net], *NETWORKS[network], growing) for net, network in columns]
        lines.append(f"| communication wins from | {' | '.join(row)} |")
    return "\n".join(lines)


def load(ranks, growing):
    """(images of the batch, parts of a rank), where each rank brings 256 images, or all share one batch."""
    images = IMAGES * ranks if growing else WHOLE
    return images, images // PART // ranks


def efficiency(fit, ranks, latency, bandwidth, growing):
    """Images per second of each rank, as a share of what one rank alone would do."""
    (images, parts), (few, all_parts) = load(ranks, growing), load(1, growing)
    seconds = computing(fit, images, parts) + talking(fit, ranks, latency, bandwidth)
    return images / (ranks * seconds) / (few / computing(fit, few, all_parts))


def crossing(fit, latency, bandwidth, growing):
    """From how many ranks on communication takes longer than the rest of a step: "64", or "beyond 512"."""
    for ranks in range(2, RANKS[-1] + 1):
        images, _ = load(ranks, growing)
        parts = -(-images // PART // ranks)  # of the rank that has most
        if talking(fit, ranks, latency, bandwidth) > computing(fit, images, parts):
            return str(ranks)
    return f"beyond {RANKS[-1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    parser.add_argument("--compare", action="store_true", help="ranks beside processes alone; writes nothing")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        worker(options.worker)
        return
    seconds, rounds = (0.2, 1) if options.quick else (1.0, 5)
    if options.compare:
        print("\n".join(comparison(in_turns(compared(seconds), rounds))))
        return
    found, link = measure(seconds, rounds)
    draw = seconds_to_draw()
    fits = {net: fitted(found[f"{net}, 1 parts"], found[f"{net}, 4 parts"], draw, link["post"]) for net in NETS}
    about = machine.describe("tinycnn", "numpy", "mpi4py", "mpich", "openmpi")
    text = tables(found, link, fits)
    print(text)
    if not options.quick:
        result = {"machine": about, "measured": found, "link": link, "fits": fits}
        (RESULTS / "ranks_scaling.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        (RESULTS / "ranks_scaling.md").write_text(f"{text}\n\n{machine.sentence(about)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
