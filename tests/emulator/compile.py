"""compile.py COMPILER NAME [OPTION]: NAME.ptx becomes NAME.c and NAME.so.  The device calls it, see build.py."""

import shlex
import subprocess
import sys
from pathlib import Path

from ptx.types import PtxError
from ptx.writer import translate

compiler, name, *options = sys.argv[1:]
ptx, c, library = (Path(f"{name}.{end}") for end in ("ptx", "c", "so"))
try:
    c.write_text(translate(ptx.read_text(encoding="utf-8")), encoding="utf-8")
except PtxError as error:
    sys.exit(f"emulator: {ptx}: {error}")
sys.exit(subprocess.run([*shlex.split(compiler), *options, str(c), "-o", str(library), "-lm"]).returncode)
