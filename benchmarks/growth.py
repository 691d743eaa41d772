"""How the cost of a net grows, beside PyTorch: time and memory an image by batch, pixels, channels, net and workers.

    python benchmarks/growth.py               about seven minutes on two cores
    python benchmarks/growth.py --axes net    one of the tables

For each case there are fresh processes, tinycnn and PyTorch on one core and on all; they wait for one another, and take
turns over several rounds.  What counts is the ratio of medians.  Results go to benchmarks/results/growth.json and .md.

Memory is what the processes hold after these steps, shared pages counted once, less what they held before they made
model and data: images, weights, gradients, and all that a framework keeps for the next step.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine
from peers import growing

HERE = Path(__file__).parent
CONTENDERS = ("tinycnn", "PyTorch eager", "PyTorch channels_last")
CASES = {  # axis: {value: (net, its widths, pixels, images of a batch, training)}
    "images of a batch": {n: ("plain", (16, 32), 32, n, True) for n in (8, 32, 256, 1024)},
    "pixels": {n: ("plain", (16, 32), n, 8, True) for n in (28, 64, 128, 256)},
    "channels": {n: ("plain", (n, n), 32, 32, True) for n in (8, 16, 32, 64, 128)},
    "net": {
        "plain, 64 and 128 filters": ("plain", (64, 128), 32, 64, True),
        "VGG-like": ("vgg", (32, 64, 128), 32, 64, True),
        "residual": ("residual", (16, 32), 32, 64, True),
    },
    "images, inference": {n: ("plain", (16, 32), 32, n, False) for n in (1, 32, 1024)},
}


# -- in the contender's process


def serve(contender: str, threads: int) -> None:
    """The first line of the input is a case, each other a number of seconds; answers {"us", "KB"} an image."""
    net, widths, pixels, images, train = json.loads(sys.stdin.readline())
    made = growing.maker(contender)
    before = held()
    step = made(net, widths, pixels, images, train, threads)
    step()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        times, end = [], time.perf_counter() + float(line)
        while time.perf_counter() < end or len(times) < 2:
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        memory = (held() - before) / images
        print(json.dumps({"us": statistics.median(times) / images * 1e6, "KB": memory / 1000}), flush=True)
    getattr(step, "close", lambda: None)()


def held() -> int:
    """Bytes that this process and its children hold, pages that they share counted once."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    total = 0
    for process in ("self", *children):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


# -- in the process that asks


def race(case: tuple, names: list[str], rounds: int, seconds: float, workers: list[int]) -> dict[str, list[dict]]:
    """Some contenders on one case: {"tinycnn, 2": [answer of each round with 2 workers]}."""
    team = {f"{name}, {n}": start(name, n, case) for n in workers for name in names}
    found: dict[str, list[dict]] = {name: [] for name in team}
    try:
        for process in team.values():
            process.stdout.readline()  # "ready"
        for _ in range(rounds):
            for name, process in team.items():
                print(seconds, file=process.stdin, flush=True)
                found[name].append(json.loads(process.stdout.readline()))
                time.sleep(0.1)  # until its threads have gone to sleep
    finally:
        for process in team.values():
            process.stdin.close()
            process.wait(20)
    return found


def start(contender: str, threads: int, case: tuple) -> subprocess.Popen:
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", contender, "--threads", str(threads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | limits,
    )  # fmt: skip
    assert process.stdin
    print(json.dumps(case), file=process.stdin, flush=True)
    return process


def contenders(only: str | None) -> list[str]:
    torch = importlib.util.find_spec("torch") is not None
    names = [name for name in CONTENDERS if torch or not name.startswith("PyTorch")]
    return [name for name in names if not only or name in only.split(",")]


# -- the tables


def table(axis: str, found: dict[str, dict[str, list[dict]]], workers: list[int]) -> str:
    """A row for each value of the axis; of PyTorch, the faster variant."""
    heads = [f"tinycnn on {n}: us, KB | PyTorch on {n}: us, KB | times as fast" for n in workers]
    lines = [f"| {axis} | " + " | ".join(heads) + " |", "|---" * (1 + 3 * len(workers)) + "|"]
    for value, rows in found.items():
        cells = [str(value)]
        for n in workers:
            of = {name.rsplit(",", 1)[0]: medians(rows[name]) for name in rows if name.endswith(f", {n}")}
            us, kb = of.pop("tinycnn")
            cells.append(f"{us:,.0f}, {kb:,.0f}")
            if of:
                theirs = min(of, key=lambda name: of[name])
                cells += [f"{of[theirs][0]:,.0f}, {of[theirs][1]:,.0f} ({theirs.split()[-1]})"]
                cells += [f"{of[theirs][0] / us:.2f}"]
            else:
                cells += ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def medians(answers: list[dict[str, float]]) -> tuple[float, float]:
    """Microseconds and kilobytes."""
    return statistics.median(a["us"] for a in answers), statistics.median(a["KB"] for a in answers)


def write(folder: Path, result: dict) -> None:
    text = [
        machine.sentence(result["machine"]),
        "",
        "Microseconds and kilobytes an image on so many cores, medians.",
        "",
    ]
    for axis, found in result["axes"].items():
        text += [table(axis, found, result["workers"]), ""]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "growth.md").write_text("\n".join(text[:-1]) + "\n", encoding="utf-8")
    print("\n".join(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", default=",".join(CASES), help="separated by commas; a part of the name is enough")
    parser.add_argument("--only", help="contenders, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="per measurement")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=machine.cores(), help="the workers besides one")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads)
        return
    workers = sorted({1, options.threads})
    axes: dict[str, dict[str, dict]] = {}
    for axis in [axis for axis in CASES if any(part.strip() in axis for part in options.axes.split(","))]:
        for value, case in CASES[axis].items():
            axes.setdefault(axis, {})[str(value)] = race(
                case, contenders(options.only), options.rounds, options.seconds, workers
            )
            print(f"{axis} {value}: measured", flush=True)
    about = machine.describe("tinycnn", "numpy", "torch")
    write(options.out, {"machine": about, "workers": workers, "axes": axes})


if __name__ == "__main__":
    main()
