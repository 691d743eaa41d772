"""How fast tinycnn trains LeNet on a GPU beside PyTorch and JAX: one command, under ten minutes, one table.

    python benchmarks/gpu_vs_peers.py --out results     the tests that need a GPU, then the race
    python benchmarks/gpu_vs_peers.py --quick           a look: LeNet at batch 256, no tests, no TF32

Contenders: tinycnn eager and as fused kernels in CUDA graphs; PyTorch eager, compiled (reduce-overhead), captured by
hand, and in the chapter's loop with its DataLoader; JAX, jit over lax.scan.  Each lives in a process of its own,
with the data on the GPU, float32, and the same batches; they take turns over several rounds.  Measured with the
device's own events after warm-up: microseconds per step, from the median round.  TF32 is off everywhere, then on
everywhere; tinycnn's fused kernels know no TF32.  Each contender must also learn, or its row says so.

Writes gpu_vs_peers.json, gpu_vs_peers.md and gpu_tests.txt into the folder --out.  Exit status 2 where there is no
usable GPU, with the reason.
"""

import argparse
import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import machine
from tinycnn import nn
from tinycnn.backend import cupy_problem
from tinycnn.models import LeNet
from tinycnn.nn.summary import summary

PEERS = {
    "tinycnn_gpu": ("cupy", ("tinycnn graph", "tinycnn eager")),
    "torch_gpu": ("torch", ("PyTorch CUDA graph", "PyTorch compile", "PyTorch eager", "PyTorch chapter loop")),
    "jax_gpu": ("jax", ("JAX scan",)),
}
CASES = {
    "LeNet, batch 256": ("lenet", 256),
    "LeNet, batch 1024": ("lenet", 1024),
    "wide LeNet, batch 256": ("wide", 256),
}
OURS, CHAPTER = "tinycnn graph", "PyTorch chapter loop"
LEARNED = 1.6  # the loss that LEARNING_STEPS steps must bring below; guessing costs ln 10 = 2.3
LEARNING_STEPS = 1500
PACKAGES = ("tinycnn", "numpy", "cupy-cuda12x", "cupy-cuda13x", "torch", "jax")
RESULTS = Path(__file__).parent / "results"


# -- in the contender's process


def serve(module: str, variant: str) -> None:
    """Answer one line per order: {"case", "tf32", "do"} in; numbers, or {"error"}, out."""
    replies, sys.stdout = sys.stdout, sys.stderr  # what a framework prints must not mix with the replies
    peer, made = importlib.import_module(f"gpu_peers.{module}"), {}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if (order["case"], order["tf32"]) not in made:
                made.clear()  # one case at a time, for the sake of memory
                made[order["case"], order["tf32"]] = peer.make(variant, *CASES[order["case"]], order["tf32"])
            answer = obey(made[order["case"], order["tf32"]], order, CASES[order["case"]][1])
        except Exception as error:  # a contender that fails is a row of the table, not the end of the run
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=replies, flush=True)


def obey(contender, order: dict, batch: int) -> dict:
    """Learn (which is the warm-up too), or measure about `seconds` of training."""
    steps = steps_per_epoch(batch)
    if order["do"] == "learn":
        epochs = 1 if order["slow"] else -(-LEARNING_STEPS // steps)
        start = contender.seconds(epochs) / epochs
        contender.run(1)
        return {"loss": contender.loss(), "epoch": start, "setup": contender.setup, "kernels": contender.kernels()}
    epochs = max(1, round(order["seconds"] / order["epoch"]))
    return {"us": contender.seconds(epochs) / (epochs * steps) * 1e6, "steps": epochs * steps}


def steps_per_epoch(batch: int) -> int:
    return len(importlib.import_module("gpu_peers").orders(batch)[0])


# -- in the process that asks


class Contender:
    def __init__(self, module: str, variant: str) -> None:
        self.variant = variant
        command = [sys.executable, __file__, "--serve", module, "--variant", variant]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **order) -> dict:
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except BrokenPipeError:
            return {"error": "the process ended"}

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)


def contenders(only: str | None) -> list[Contender]:
    found = []
    for module, (package, names) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed and is left out")
            continue
        found += [Contender(module, name) for name in names if not only or name in only.split(",")]
    return found


def race(team, cases: list[str], tf32: bool, rounds: int, seconds: float, deadline: float) -> dict:
    """{case: {variant: facts}}: every contender learns once, then all are measured in turn, round by round."""
    found: dict[str, dict[str, dict]] = {}
    for case in cases:
        rows = found[case] = {}
        for contender in team:
            if contender.variant == CHAPTER and case != cases[0]:
                continue  # the DataLoader sets its pace; once is enough
            if time.monotonic() > deadline:
                rows[contender.variant] = {"error": "not measured: out of time"}
                continue
            slow = contender.variant == CHAPTER
            rows[contender.variant] = contender.ask(case=case, tf32=tf32, do="learn", slow=slow) | {"times": []}
            print(f"{case:22s} {contender.variant:22s} {spoken(rows[contender.variant])}", flush=True)
        for _ in range(rounds):
            for contender in team:
                row = rows.get(contender.variant, {"error": ""})
                if "error" in row or (row["times"] and time.monotonic() > deadline):
                    continue
                answer = contender.ask(case=case, tf32=tf32, do="measure", seconds=seconds, epoch=row["epoch"])
                if "error" in answer:
                    row["error"] = answer["error"]
                else:
                    row["times"].append(answer["us"])
                    print(f"{case:22s} {contender.variant:22s} {answer['us']:10.1f} us per step", flush=True)
    return found


def spoken(row: dict) -> str:
    if "error" in row:
        return f"failed: {row['error']}"
    setup = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in row["setup"].items())
    return f"loss {row['loss']:.2f} after learning; {setup}"


# -- the bound, the table


def work(net: str, batch: int) -> tuple[float, float]:
    """(floating-point operations, bytes of memory traffic) that a step cannot do without.

    Forward, gradients of weights and gradients of data cost the same, but the first layer's data needs none.  Bytes
    are the batch's, and reading and writing every parameter once: the rest can stay on the chip.
    """
    wide = {"activation": "relu", "pool": "max", "channels": (32, 64)} if net == "wide" else {}
    costs = summary(LeNet(**wide), (1, 1, 28, 28))
    layers = [row.multiply_adds or 0 for row in costs.rows if isinstance(row.layer, (nn.Conv2d, nn.Linear))]
    return 2.0 * batch * (3 * sum(layers) - layers[0]), float(batch * 28 * 28 + 2 * 4 * costs.parameters)


def bound(case: str, card: dict, kernels: int) -> tuple[float, float, float]:
    """Microseconds of (arithmetic at peak, memory at peak, launching so many kernels one after the other)."""
    flops, traffic = work(*CASES[case])
    return flops / card["flops"] * 1e6, traffic / card["bytes per second"] * 1e6, kernels * card["launch gap"]


def table(found: dict, card: dict) -> str:
    """One part per case: a Markdown table, and the bound."""
    parts = []
    for case, rows in found.items():
        ours = median(rows.get(OURS, {}))
        lines = [
            f"### {case}",
            "",
            "| | us per step | examples/s | tinycnn graph is | kernels per step | loss | setup |",
        ]
        lines.append("|---|---:|---:|---:|---:|---:|---|")
        lines += [line(variant, row, ours, CASES[case][1]) for variant, row in rows.items()]
        if OURS in rows and "error" not in rows[OURS]:
            parts_of_bound = bound(case, card, rows[OURS]["kernels"])
            total = max(parts_of_bound[:2]) + parts_of_bound[2]
            names = ("arithmetic at peak", "memory at peak", f"{rows[OURS]['kernels']} launches")
            lines += [
                "",
                "Bound: " + ", ".join(f"{n} {us:.1f} us" for n, us in zip(names, parts_of_bound, strict=True)),
            ]
            lines[-1] += f"; together {total:.1f} us" + (
                f", tinycnn graph takes {ours / total:.1f} times that" if ours else ""
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def line(variant: str, row: dict, ours: float | None, batch: int) -> str:
    """One contender's row."""
    us = median(row)
    if us is None:
        return f"| {variant} | {row.get('error', 'not measured')} | | | | | |"
    ratio = "" if variant == OURS or ours is None else f"{us / ours:.1f} times faster"
    learned = f"{row['loss']:.2f}" + ("" if row["loss"] < LEARNED or variant == CHAPTER else " (did not learn)")
    setup = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in row["setup"].items())
    kernels = row["kernels"] if row["kernels"] is not None else "?"
    return f"| {variant} | {us:.1f} | {batch / us * 1e6:,.0f} | {ratio} | {kernels} | {learned} | {setup} |"


def median(row: dict) -> float | None:
    return statistics.median(row["times"]) if row.get("times") and "error" not in row else None


# -- the program


def gpu_tests(folder: Path, seconds: float) -> str:
    """Run the tests that need a GPU; their last line, and all they print into gpu_tests.txt."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-rs", str(Path(__file__).parent.parent / "tests")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        text = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        text = f"out of time after {seconds:.0f} s"
    (folder / "gpu_tests.txt").write_text(text + "\n", encoding="utf-8")
    return text.strip().splitlines()[-1]


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="per measurement")
    parser.add_argument(
        "--budget", type=float, default=560, help="seconds for everything; what is left then is left out"
    )
    parser.add_argument("--only", help="contenders, separated by commas")
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--quick", action="store_true", help="LeNet at batch 256, no tests, no TF32, two rounds")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    if options.serve:
        serve(options.serve, options.variant)
        return 0
    if problem := cupy_problem():
        print(f"gpu_vs_peers: nothing can be measured here.\n{problem}", file=sys.stderr)
        return 2
    deadline = time.monotonic() + options.budget
    options.out.mkdir(parents=True, exist_ok=True)
    cases, modes = list(CASES), [False, True]
    if options.quick:
        cases, modes, options.rounds, options.skip_tests = cases[:1], [False], 2, True
    report: dict = {
        "machine": machine.describe(*PACKAGES),
        "card": importlib.import_module("gpu_peers.tinycnn_gpu").card(),
    }
    report["tests"] = "skipped" if options.skip_tests else gpu_tests(options.out, options.budget / 3)
    print(f"GPU tests: {report['tests']}", flush=True)
    for tf32 in modes:
        team = contenders(options.only)
        try:
            mode = "TF32 on" if tf32 else "TF32 off"
            report[mode] = race(team, cases, tf32, options.rounds, options.seconds, deadline)
        finally:
            for contender in team:
                contender.close()
        write(report, options.out)
    print("\n" + (options.out / "gpu_vs_peers.md").read_text(encoding="utf-8"))
    return 0


def write(report: dict, folder: Path) -> None:
    """The report as JSON, and as text for people."""
    (folder / "gpu_vs_peers.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    card = report["card"]
    text = [machine.sentence(report["machine"])]
    text += [
        f"{card['name']}, CUDA driver {card['cuda driver']}, one kernel of a chain costs {card['launch gap']:.2f} us"
    ]
    text += [f"GPU tests: {report['tests']}"]
    for mode in ("TF32 off", "TF32 on"):
        if mode in report:
            text += ["", f"## {mode}", "", table(report[mode], card)]
    (folder / "gpu_vs_peers.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
