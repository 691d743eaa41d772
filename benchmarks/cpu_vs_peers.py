"""How fast tinycnn runs beside PyTorch, TensorFlow, JAX, DeZero and onnxruntime on the same cores: one command.

    python benchmarks/cpu_vs_peers.py                      whichever frameworks are installed
    python benchmarks/cpu_vs_peers.py --whole-program      also ten epochs from cold start
    python benchmarks/cpu_vs_peers.py --quick              a look, in a minute

Each contender lives in a process of its own and waits while another is measured.  They take turns, case by case,
over several rounds, so that a slow minute of the machine strikes all of them; what counts is the ratio of medians
within one run.  Results go to benchmarks/results/cpu_vs_peers.json, .md and .png.
"""

import argparse
import ast
import importlib
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine
from peers import report, whole_program
from tinycnn.training.curves import can_draw

PEERS = {
    "tinycnn_peer": "tinycnn",
    "torch_peer": "torch",
    "keras_peer": "tensorflow",
    "jax_peer": "jax",
    "dezero_peer": "dezero",
    "onnx_peer": "onnxruntime",
}
CASES = {  # name: (net, images per step, training)
    "train LeNet, batch 256": ("lenet", 256, True),
    "train LeNet, batch 32": ("lenet", 32, True),
    "train LeNet, batch 1024": ("lenet", 1024, True),
    "infer LeNet, batch 1": ("lenet", 1, False),
    "infer LeNet, batch 32": ("lenet", 32, False),
    "infer LeNet, batch 1024": ("lenet", 1024, False),
    "train wide LeNet, batch 256": ("wide", 256, True),
}
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("tinycnn", "numpy", "torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "dezero", "onnxruntime")


# -- in the contender's process


def serve(peer: str, variant: str, threads: int) -> None:
    """Answer one line per order: {"case", "seconds"} in, {"rate", "loss", "faults", ...} out."""
    replies, sys.stdout = sys.stdout, sys.stderr  # what a framework prints must not mix with the replies
    module = importlib.import_module(f"peers.{peer}")
    made = {}
    print(json.dumps("ready"), file=replies, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["case"] not in made:
                made[order["case"]] = module.make(variant, *CASES[order["case"]], threads)
            answer = measure(*made[order["case"]], CASES[order["case"]][1], order["seconds"])
        except Exception as error:  # a peer that fails is a row of the table, not the end of the run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=replies, flush=True)


def measure(step, loss, batch: int, seconds: float) -> dict[str, float]:
    """Run steps for some seconds after a warm-up: images per second by the median step, and page faults a step."""
    warm = time.perf_counter() + seconds / 4
    step()
    first = loss()
    while time.perf_counter() < warm:
        step()
    times, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    rate = batch / statistics.median(times)
    return {"rate": rate, "first_loss": first, "loss": loss(), "steps": len(times), "faults": faults / len(times)}


# -- in the process that asks


class Contender:
    def __init__(self, peer: str, variant: str, threads: int, trains: bool) -> None:
        self.variant, self.trains = variant, trains
        command = [sys.executable, __file__, "--serve", peer, "--variant", variant, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.process.stdout.readline()  # "ready": nobody starts up while another is measured

    def run(self, case: str, seconds: float) -> dict:
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps({"case": case, "seconds": seconds}), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except BrokenPipeError:
            return {"error": "the process ended"}

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(20)


def contenders(threads: int, only: str | None) -> list[Contender]:
    found = []
    for peer, package in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed and is left out")
            continue
        text = (Path(__file__).parent / "peers" / f"{peer}.py").read_text(encoding="utf-8")
        names = ast.literal_eval(text.split("NAMES = ", 1)[1].split("\n", 1)[0])  # without importing the framework here
        trains = "TRAINS = False" not in text
        found += [Contender(peer, name, threads, trains) for name in names if not only or name in only.split(",")]
    return found


def sgemm_peak() -> float:
    """GFLOP/s of the largest square product that one NumPy call reaches here, on all cores."""
    import numpy as np

    a = np.ones((2048, 2048), np.float32)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(times) / 1e9


def race(team: list[Contender], cases: list[str], rounds: int, seconds: float) -> dict[str, dict[str, list[dict]]]:
    """Every contender in turn, for every case, in every round."""
    found: dict[str, dict[str, list[dict]]] = {case: {c.variant: [] for c in team} for case in cases}
    for round_ in range(rounds):
        for case in cases:
            for contender in (c for c in team if c.trains or not CASES[case][2]):
                answer = contender.run(case, seconds)
                found[case][contender.variant].append(answer)
                shown = answer.get("error") or f"{answer['rate']:10,.0f} images/s"
                print(f"round {round_ + 1}  {case:30s} {contender.variant:22s} {shown}", flush=True)
                time.sleep(0.3)  # until the threads of the last one have gone to sleep
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement")
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--only", help="contenders, separated by commas")
    parser.add_argument("--cases", default=",".join(CASES), help="separated by commas; a part of the name is enough")
    parser.add_argument("--quick", action="store_true", help="two short rounds of the first case")
    parser.add_argument("--whole-program", action="store_true", help="also ten epochs from cold start")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.serve:
        serve(options.serve, options.variant, options.threads)
        return
    cases = [name for name in CASES if any(part.strip() in name for part in options.cases.split(","))]
    if options.quick:
        cases, options.rounds, options.seconds = cases[:1], 2, 1.0
    team = contenders(options.threads, options.only)
    try:
        found = race(team, cases, options.rounds, options.seconds)
    finally:
        for contender in team:
            contender.close()
    whole = whole_program.race() if options.whole_program else {}
    result = {
        "machine": machine.describe(*PACKAGES),
        "threads": options.threads,
        "cases": found,
        "whole program": whole,
    }
    if report.HEADLINE in found:
        result["sgemm GFLOP/s"] = sgemm_peak()  # for the remarks on that case
    write(options.out, result)


def write(folder: Path, result: dict) -> None:
    """The result as JSON, as Markdown, which is also printed, and as a picture."""
    found, whole = result["cases"], result["whole program"]
    heading = "Images per second: median of the rounds (best, tinycnn's median / its median)."
    text = [machine.sentence(result["machine"]), "", heading, "", report.table(found), ""]
    if report.HEADLINE in found:
        text += report.remarks(found[report.HEADLINE], result["sgemm GFLOP/s"], result["threads"])
    text += ["", whole_program.table(whole)] if whole else []
    text += ["", "The same in short:", "", report.short_table(found)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu_vs_peers.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / "cpu_vs_peers.md").write_text("\n".join(text) + "\n", encoding="utf-8")
    if report.HEADLINE in found and can_draw():
        report.draw(found, whole).savefig(folder / "cpu_vs_peers.png", facecolor="white")
    print("\n" + "\n".join(text))


if __name__ == "__main__":
    main()
