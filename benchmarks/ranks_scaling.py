"""How training on MPI ranks scales: measured on this machine's cores, and on paper beyond them.

    python benchmarks/ranks_scaling.py               a few minutes; needs mpi4py, an MPI, and a machine at rest
    python benchmarks/ranks_scaling.py --quick       a look, which writes nothing

Measured, in rounds that take turns: ranks beside processes, strong scaling (a batch of 256) and weak (256 images a
rank); how long ranks take to exchange few and many bytes; and two ranks whose exchanges are delayed as by a network,
which is where the model is held to the clock.

The model of a step on R ranks, each with k parts of a batch of N images, of P parameters of 4 bytes:

    seconds = serial + N * draw + k * part + EXCHANGES * latency * (R - 1) + 2 * 4 * P * (R - 1) / R / bandwidth

serial and part are fitted to steps of one and of four parts on one rank, draw to taking images out of the data set,
latency and bandwidth to two ranks on this machine.  The networks in the table are assumptions, and named as such.
Results go to benchmarks/results/ranks_scaling.json and .md.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import machine
from tinycnn import manual_seed
from tinycnn.execution import cores, make_step
from tinycnn.models import LeNet
from tinycnn.nn import CrossEntropyLoss
from tinycnn.optim import SGD

RESULTS = Path(__file__).parent / "results"
NETS = {"LeNet": {}, "wide LeNet": {"channels": (32, 64), "activation": "relu", "pool": "max", "hidden": (256,)}}
NETWORKS = {"10 Gb/s Ethernet": (20e-6, 1.25e9), "100 Gb/s InfiniBand": (2e-6, 12.5e9)}  # assumed: seconds, bytes/s
EXCHANGES = 4  # of a step: what batch it is, the parts' records, the rows, the sums; Ctrl-C's is the loop's
IMAGES, PART = 256, 64  # of a batch, of a part
RANKS = [2**k for k in range(1, 10)]


# -- in the ranks


def measure_steps(net, batch, strategy, workers, seconds, delay=0.0):
    """Median seconds of a step, and the number of parameters."""
    manual_seed(0)
    model = LeNet(**NETS[net])
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (batch, 1, 28, 28), dtype=np.uint8), rng.integers(0, 10, batch)
    optimizer = SGD(model.parameters(), lr=0.01)
    with make_step(model, CrossEntropyLoss(), optimizer, strategy, workers, PART) as step:
        if delay:
            exchange = step.world.exchange
            step.world.exchange = lambda *messages: (exchange(*messages), time.sleep(delay))
        times, warm = [], 5
        together = step.agreed  # so that all ranks stop after the same step
        start = time.perf_counter()
        while not together("enough" if time.perf_counter() - start > seconds and len(times) > warm + 5 else None):
            since = time.perf_counter()
            step(x, y)
            times.append(time.perf_counter() - since)
        leads = step.leads
    return {
        "seconds": statistics.median(times[warm:]),
        "parameters": sum(p.data.size for p in model.parameters()),
    }, leads


def measure_exchange(sizes, seconds):
    """Median seconds in which two ranks exchange arrays of so many bytes."""
    from tinycnn.execution.teams.world import world

    found, ranks = {}, world()
    for size in sizes:
        out, into = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        times, start = [], time.perf_counter()
        while not ranks.gather(np.array(time.perf_counter() - start > seconds)).any():
            since = time.perf_counter()
            ranks.exchange(dict.fromkeys(ranks.others, out), dict.fromkeys(ranks.others, into))
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
    path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ends with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def in_turns(orders, rounds):
    """{name: found} of {name: (ranks, order)}: the median of the seconds over rounds in which they take turns."""
    found = {name: [] for name in orders}
    for _ in range(rounds):
        for name, (ranks, order) in orders.items():
            found[name].append(launch(ranks, **order))
    return {
        name: {**several[0], "seconds": statistics.median(f["seconds"] for f in several)}
        for name, several in found.items()
    }


def model(fit, images, parts, ranks, latency, bandwidth):
    """Seconds of a step by the formula above."""
    travels = 2 * 4 * fit["parameters"] * (ranks - 1) / ranks / bandwidth
    talk = EXCHANGES * latency * (ranks - 1) + travels
    return fit["serial"] + images * fit["draw"] + parts * fit["part"] + talk


def fitted(one, four, draw):
    """serial and part from steps of one and of four parts."""
    part = (four["seconds"] - one["seconds"]) / 3
    return {"part": part, "serial": one["seconds"] - part, "draw": draw, "parameters": one["parameters"]}


def seconds_to_draw():
    """Seconds to take an image out of a data set of 60,000 in random order, as every rank does for the whole batch."""
    images = np.zeros((60_000, 1, 28, 28), np.uint8)
    order = np.random.default_rng(0).permutation(60_000)
    start = time.perf_counter()
    for i in range(0, 60_000, IMAGES):
        images.take(order[i : i + IMAGES], axis=0)
    return (time.perf_counter() - start) / 60_000


def measure(seconds, rounds):
    """Everything that is measured, by name."""
    orders, n = {}, cores()
    step = {"seconds": seconds, "workers": None}
    for ranks in range(1, n + 1):
        for kind, batch in (("strong", IMAGES), ("weak", IMAGES * ranks)):
            ours = {**step, "net": "LeNet", "batch": batch, "strategy": "ranks"}
            orders[f"{kind}, {ranks} ranks"] = ranks, ours
            orders[f"{kind}, {ranks} processes"] = 0, {**ours, "strategy": "processes", "workers": ranks}
    for net in NETS:
        for parts in (1, 4):
            orders[f"{net}, {parts} parts"] = 1, {**step, "net": net, "batch": PART * parts, "strategy": "ranks"}
    for delay in (0.0, 2e-4, 1e-3):
        late = {**step, "net": "LeNet", "batch": IMAGES, "strategy": "ranks", "delay": delay}
        orders[f"delayed by {delay * 1e6:.0f} us"] = 2, late
    found = in_turns(orders, rounds)
    sizes = launch(2, sizes=[8, 1 << 20], seconds=seconds)
    return found, {"latency": sizes["8"], "bandwidth": (1 << 20) / (sizes[str(1 << 20)] - sizes["8"])}


def tables(found, link, fits):
    """The results in Markdown."""
    lines = ["| LeNet, images per second | ranks | processes | ranks / processes |", "|---|---|---|---|"]
    for name, result in found.items():
        if name.endswith(" ranks"):
            kind, ranks = name.split(", ")[0], int(name.split()[1])
            images, other = IMAGES * (ranks if kind == "weak" else 1), found[name.replace("ranks", "processes")]
            a, b = images / result["seconds"], images / other["seconds"]
            lines.append(f"| {kind}, {ranks} of them, batch {images} | {a:,.0f} | {b:,.0f} | {a / b:.2f} |")
    lines += ["", "| two ranks, exchanges delayed by | measured, ms a step | predicted |", "|---|---|---|"]
    for name, result in found.items():
        if name.startswith("delayed"):
            delay = float(name.split()[2]) * 1e-6
            late = model({**fits["LeNet"], "draw": 0.0}, IMAGES, 2, 2, link["latency"] + delay, link["bandwidth"])
            lines.append(f"| {delay * 1e6:.0f} us | {result['seconds'] * 1e3:.2f} | {late * 1e3:.2f} |")
    header = [f"{net}, {network}" for net in NETS for network in NETWORKS]
    lines += ["", f"| ranks, {IMAGES} images each, on paper: efficiency | {' | '.join(header)} |"]
    lines += ["|---" * (len(header) + 1) + "|"]
    for ranks in RANKS:
        row = [efficiency(fits[net], ranks, *NETWORKS[network]) for net in NETS for network in NETWORKS]
        lines.append(f"| {ranks} | {' | '.join(f'{e:.0%}' for e in row)} |")
    return "\n".join(lines)


def efficiency(fit, ranks, latency, bandwidth):
    """What a rank does of what it would do alone, where each brings 256 images to the batch."""
    alone = model(fit, IMAGES, IMAGES // PART, 1, latency, bandwidth)
    return alone / model(fit, IMAGES * ranks, IMAGES // PART, ranks, latency, bandwidth)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        worker(options.worker)
        return
    found, link = measure(*((0.2, 1) if options.quick else (2.0, 5)))
    draw = seconds_to_draw()
    fits = {net: fitted(found[f"{net}, 1 parts"], found[f"{net}, 4 parts"], draw) for net in NETS}
    about = machine.describe("tinycnn", "numpy", "mpi4py", "mpich", "openmpi")
    text = tables(found, link, fits)
    print(text)
    if not options.quick:
        result = {"machine": about, "measured": found, "link": link, "fits": fits}
        (RESULTS / "ranks_scaling.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        (RESULTS / "ranks_scaling.md").write_text(f"{text}\n\n{machine.sentence(about)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
