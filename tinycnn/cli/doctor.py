"""doctor: what is installed, and whether it works."""

from typing import Any

from tinycnn import doctor
from tinycnn.cli.parser import add_command

TEXT = """say what works here, and what is missing

The versions of everything, the graphics card, and a small training step on the CPU and the GPU.  The exit status is 0
where all that is installed works."""
EXAMPLES = """examples:
  tinycnn doctor
  tinycnn doctor --device gpu                                   it is an error if there is no GPU to train on
  mpiexec -n 4 tinycnn doctor                                   do these four find each other, and where are they?
"""


def add(commands: Any) -> None:
    """The command's parser."""
    parser = add_command(commands, "doctor", run, TEXT, EXAMPLES)
    parser.add_argument("--device", choices=("auto", "gpu"), help="gpu: it is an error if there is none")
    parser.add_argument("--thorough", action="store_true", help="with --device gpu: check and time more")


def run(device: str = "auto", thorough: bool = False) -> int:
    """Print the report; returns the exit status."""
    return doctor.main(["--device", device, *["--thorough"] * thorough])
