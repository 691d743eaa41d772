"""How fast tinycnn trains LeNet on a GPU beside PyTorch and JAX: one command, some five minutes, one table.

    python benchmarks/gpu_vs_peers.py --out results     the race
    python benchmarks/gpu_vs_peers.py --quick           a look: LeNet at batch 256, without TF32
    python benchmarks/gpu_vs_peers.py --tests           the tests that need a GPU instead, what they print kept in --out

Contenders: tinycnn eager and as fused kernels in CUDA graphs; PyTorch eager, compiled (reduce-overhead), captured by
hand with 16 steps in a graph, eager or compiled, and in the chapter's loop with its DataLoader; JAX, jit over
lax.scan, and with command buffers.  Each lives in a process of its own, with the data on the GPU, and the same
batches, in float32; the fastest of those that know TF32 run a second time with it.

They get ready together, then take turns over several rounds, in an order that rotates, each with warm clocks.
What is measured is whole epochs, by the device's own events: microseconds per step, the median of the rounds.  Each
must also learn, or its row says so.  Kernels are counted last, for the counting slows what follows.

gpu_vs_peers.json and gpu_vs_peers.md in the folder --out are written after every case, so that a run cut short leaves
what it has.  Exit status 2 where there is no usable GPU, with the reason.
"""

import argparse
import importlib
import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import machine
from gpu_peers import report
from tinycnn.backend import cupy_problem

HERE = Path(__file__).resolve().parent
PEERS = {
    "tinycnn_gpu": ("cupy", ("tinycnn graph", "tinycnn eager")),
    "torch_gpu": (
        "torch",
        (
            "PyTorch compile, CUDA graph",
            "PyTorch CUDA graph",
            "PyTorch compile",
            "PyTorch eager",
            "PyTorch chapter loop",
        ),
    ),
    "jax_gpu": ("jax", ("JAX scan", "JAX scan, command buffers")),
}
CHAPTER = "PyTorch chapter loop"
ONCE = (CHAPTER,)  # its DataLoader sets the pace, so one case tells all, and TF32 changes nothing
WITH_TF32 = ("PyTorch compile, CUDA graph", "PyTorch CUDA graph", "JAX scan")  # the fastest of those that know it
LEARNING_STEPS = 1500
PATIENCE = 150  # seconds for any one answer
PACKAGES = ("tinycnn", "numpy", "cupy-cuda12x", "cupy-cuda13x", "torch", "jax")


# -- in the contender's process


def serve(module: str, variant: str) -> None:
    """Answer one line per order: {"case", "tf32", "do"} in; numbers, or {"error"}, out."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework or a library of C prints must not mix with the replies
    peer, made = importlib.import_module(f"gpu_peers.{module}"), {}
    for line in sys.stdin:
        order = json.loads(line)
        case = report.CASES[order["case"]]
        try:
            if order["case"] not in made:
                made.clear()  # one case at a time, for the sake of memory
                made[order["case"]] = peer.make(variant, *case, order["tf32"])
            answer = obey(made[order["case"]], order, case[1])
        except Exception as error:  # a contender that fails is a row of the table, not the end of the run
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=replies, flush=True)


def obey(contender, order: dict, batch: int) -> dict:
    """Learn (which is the warm-up too), measure about `seconds` of training, or count kernels."""
    steps = steps_per_epoch(batch)
    if order["do"] == "learn":
        epochs = 1 if order["slow"] else -(-LEARNING_STEPS // steps)
        epoch = contender.seconds(epochs) / epochs
        contender.run(1)
        return {"loss": contender.loss(), "epoch": epoch, "setup": contender.setup}
    if order["do"] == "count":
        return {"kernels": contender.kernels(), "in a row": contender.in_a_row()}
    warm = max(1, round(0.05 / order["epoch"])) if order["epoch"] < 0.5 else 0
    epochs = max(1, round(order["seconds"] / order["epoch"]))
    if warm:
        contender.seconds(warm)  # the clocks go up
    epoch = contender.seconds(epochs) / epochs
    return {"us": epoch / steps * 1e6, "epoch": epoch}


def steps_per_epoch(batch: int) -> int:
    return len(importlib.import_module("gpu_peers").orders(batch)[0])


# -- in the process that asks


class Contender:
    def __init__(self, module: str, variant: str, tf32: bool) -> None:
        self.variant, self.tf32 = variant, tf32
        command = [sys.executable, __file__, "--serve", module, "--variant", variant]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.heard = b""

    @property
    def name(self) -> str:
        return f"{self.variant}, TF32" if self.tf32 else self.variant

    def send(self, **order) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(order | {"tf32": self.tf32}).encode() + b"\n")
        except (BrokenPipeError, ValueError):
            pass  # the answer will say so

    def answer(self, deadline: float) -> dict:
        """The next line that is an answer, or why there is none."""
        assert self.process.stdout
        deadline, pipe = min(deadline, time.monotonic() + PATIENCE), self.process.stdout
        while not pipe.closed:
            line, newline, rest = self.heard.partition(b"\n")
            if newline:
                self.heard = rest
                try:
                    return dict(json.loads(line))
                except (ValueError, TypeError):
                    continue  # somebody else's words
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.close()  # what it says later would be taken for the answer to another order
                return {"error": "out of time"}
            if not (more := pipe.read(65536)):
                break
            self.heard += more
        return {"error": "the process ended"}

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def contenders(only: str | None, tf32: bool) -> list[Contender]:
    found = []
    for module, (package, names) in PEERS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed and is left out")
            continue
        chosen = [name for name in names if not only or name in only.split(";")]
        found += [Contender(module, name, False) for name in chosen]
        found += [Contender(module, name, True) for name in chosen if tf32 and name in WITH_TF32]
    return found


def race(team, case: str, rounds: int, seconds: float, deadline: float) -> dict[str, dict]:
    """{name: facts} of one case: all learn, then are measured in turn, round by round; kernels are counted last."""
    rows: dict[str, dict] = {}
    for contender in team:
        contender.send(case=case, do="learn", slow=contender.variant in ONCE)
    for contender in team:
        rows[contender.name] = contender.answer(deadline) | {"times": []}
        print(f"{case:22s} {contender.name:34s} {spoken(rows[contender.name])}", flush=True)
    for k in range(rounds):
        for contender in team[k % len(team) :] + team[: k % len(team)]:  # nobody always follows the same one
            row = rows[contender.name]
            if "error" in row or (contender.variant in ONCE and row["times"]) or time.monotonic() > deadline:
                continue
            contender.send(case=case, do="measure", seconds=seconds, epoch=row["epoch"])
            answer = contender.answer(deadline)
            if "error" not in answer:
                row["times"].append(answer.pop("us"))
                print(f"{case:22s} {contender.name:34s} {row['times'][-1]:10.1f} us per step", flush=True)
            row.update(answer)
    healthy = [contender for contender in team if "error" not in rows[contender.name]]
    for contender in healthy:
        contender.send(case=case, do="count")
    for contender in healthy:
        rows[contender.name].update({"kernels": None, "in a row": None} | contender.answer(deadline))
    return rows


def spoken(row: dict) -> str:
    if "error" in row:
        return f"failed: {row['error']}"
    setup = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in row["setup"].items())
    return f"loss {row['loss']:.2f} after learning; {setup}"


# -- the program


def gpu_tests(folder: Path, seconds: float) -> str:
    """Run the tests that need a GPU; their last line, and all they print into gpu_tests.txt."""
    spread = ["-n", str(min(12, os.cpu_count() or 1))] if importlib.util.find_spec("xdist") else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "gpu and not slow",
        "-rs",
        *spread,
        str(HERE.parent / "tests"),
    ]
    path = folder / "gpu_tests.txt"
    with open(path, "wb") as file:
        try:
            subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, timeout=seconds)
        except subprocess.TimeoutExpired:
            file.write(f"\nout of time after {seconds:.0f} s\n".encode())
    return path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the results")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="per measurement")
    parser.add_argument("--budget", type=float, default=560, help="seconds for everything; the rest is left out")
    parser.add_argument("--only", help="contenders, separated by semicolons")
    parser.add_argument("--tests", action="store_true", help="run the tests that need a GPU, and no race")
    parser.add_argument("--quick", action="store_true", help="LeNet at batch 256, no TF32, two rounds")
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
    if options.tests:
        print(f"GPU tests: {gpu_tests(options.out, options.budget)}")
        return 0
    cases = list(report.CASES)
    if options.quick:
        cases, options.rounds = cases[:1], 2
    card = importlib.import_module("gpu_peers.card").card()
    result = {"machine": machine.describe(*PACKAGES), "card": card, "cases": {}}
    team = contenders(options.only, tf32=not options.quick)
    try:
        for case in cases:
            running = [c for c in team if c.variant not in ONCE or case == cases[0]]
            result["cases"][case] = race(running, case, options.rounds, options.seconds, deadline)
            write(result, options.out)
    finally:
        for contender in team:
            contender.close()
    print("\n" + (options.out / "gpu_vs_peers.md").read_text(encoding="utf-8"))
    return 0


def write(result: dict, folder: Path) -> None:
    """The result as JSON, and as text for people."""
    (folder / "gpu_vs_peers.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = [machine.sentence(result["machine"]), "", report.text(result["cases"], result["card"])]
    (folder / "gpu_vs_peers.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
