"""programs: small programs on the emulated device, each in a process of its own, for most of them end it."""

import os
import subprocess
import sys
import textwrap

PREAMBLE = """
import cupy as cp
import numpy as np

def kernel(code, **options):
    return cp.RawKernel('extern "C" __global__ void ' + code, code[: code.index("(")], **options)
"""


def run(program, *arguments, **settings):
    """Run a program with EMULATOR_... settings; what it said, and how it ended."""
    environment = {name: value for name, value in os.environ.items() if not is_setting(name)}
    environment |= {f"EMULATOR_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(program), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def is_setting(name):
    return name.startswith("EMULATOR_") and name not in ("EMULATOR_KERNELS", "EMULATOR_COMPILE")


def result(program, *arguments, **settings):
    """What a program that ends well has printed."""
    done = run(program, *arguments, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def message(program, *arguments, **settings):
    """What the device says of a program that it ends."""
    done = run(program, *arguments, **settings)
    assert done.returncode != 0, f"the program ended well\n{done.stdout}{done.stderr}"
    assert "emulator: " in done.stderr, done.stderr
    return done.stderr.partition("emulator: ")[2].partition("\nFatal Python error")[0].strip()
