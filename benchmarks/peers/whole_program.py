"""The whole program, from cold start to the end of ten epochs: wall-clock time and peak memory, in fresh processes.

Both sides hold the images in memory as bytes, shuffle each epoch, gather and scale each batch, and evaluate after
each epoch.

PyTorch runs as people run it, and once more with glibc told to keep freed memory, which tinycnn tells it by itself:
memory that is given back and taken again in every step costs page faults.
"""

import importlib.util
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "tinycnn": "tinycnn_program",
    "PyTorch eager": "torch_program",
    "PyTorch channels_last": "torch_program channels_last",
    "PyTorch compile": "torch_program compile",
    "PyTorch channels_last, memory kept": "torch_program channels_last",
    "PyTorch compile, memory kept": "torch_program compile",
}
KEPT = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}  # glibc's own settings
PLACES = os.pathsep.join(map(str, Path(__file__).resolve().parents[1:3]))  # of this package, and of tinycnn
MARK = re.compile(r"peak memory: ([\d.]+) MB")


def race(rounds: int = 3) -> dict[str, list[dict[str, float]]]:
    """Each program in turn, `rounds` times: seconds and MB."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            script, *arguments = program.split()
            if script == "torch_program" and importlib.util.find_spec("torch") is None:
                continue
            command = [sys.executable, str(Path(__file__).parent / f"{script}.py"), *arguments]
            start = time.perf_counter()
            environment = os.environ | {"PYTHONPATH": PLACES} | (KEPT if "memory kept" in name else {})
            output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            seconds, memory = time.perf_counter() - start, MARK.search(output)
            assert memory, output
            found.setdefault(name, []).append({"seconds": seconds, "MB": float(memory[1])})
            print(f"whole program  {name:34s} {seconds:6.1f} s  {output.strip().splitlines()[-1]}", flush=True)
    return found


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Medians as Markdown."""
    rows = {name: [statistics.median(r[k] for r in runs) for k in ("seconds", "MB")] for name, runs in found.items()}
    lines = ["| ten epochs from cold start | seconds | times tinycnn's | peak memory, MB |", "|---|---|---|---|"]
    ours = rows["tinycnn"][0]
    lines += [f"| {name} | {s:.1f} | {s / ours:.2f} | {mb:,.0f} |" for name, (s, mb) in rows.items()]
    return "\n".join(lines)


def report_memory(processes: int = 1) -> None:
    """Print this program's peak memory; with forked workers, theirs as well, pages that are shared counted twice."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if processes > 1 else 0
    print(f"peak memory: {(own + workers * (processes - 1)) / 1024:.0f} MB")
