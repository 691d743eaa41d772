"""cuda_shim: CUDA kernels on the CPU.  Their own text is compiled by g++ behind cuda_shim.h, which see."""

import atexit
import ctypes
import functools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

HEADER = Path(__file__).with_name("cuda_shim.h")
FLAGS = ("-std=c++17", "-O1", "-shared", "-fPIC", "-fno-gnu-unique", "-fvisibility=hidden", "-w", "-U_FORTIFY_SOURCE")
SHARED = re.compile(r"__shared__\s+(?:__align__\(\d+\)\s+)?(?:unsigned )?\w+\s+([^;]+);")

needs_compiler = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("g++") is None, reason="needs g++ on Linux"
)


@functools.cache
def _folder():
    folder = tempfile.mkdtemp(prefix="cuda_shim_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _poison(match):
    """After the declaration of shared arrays, the calls that fill them with NaN."""
    names = re.findall(r"(?:^|,)\s*(\w+)", re.sub(r"[\[(][^\])]*[\])]", "", re.sub(r"<[^<>;]*>", "", match[1])))
    return match[0] + "".join(f" static int poisoned_{n} = 0; shim::poison(poisoned_{n}, {n});" for n in names)


@functools.cache
def _library(source, kernels):
    entries = "\n".join(
        f'extern "C" __attribute__((visibility("default"))) int kernel_{i}(int n, void** a, const int* grid, '
        f"const int* block, int backwards) {{ return shim::run({name}, n, a, grid, block, backwards); }}"
        for i, name in enumerate(kernels)
    )
    path = _folder() / f"{len(list(_folder().iterdir()))}.cpp"
    path.write_text(f'#include "{HEADER}"\n{SHARED.sub(_poison, source)}\n{entries}\n', encoding="utf-8")
    subprocess.run(["g++", *FLAGS, str(path), "-o", str(path.with_suffix(".so"))], check=True)
    return ctypes.CDLL(str(path.with_suffix(".so")))


class CpuKernels:
    """The named kernels of a CUDA text, to be run on NumPy arrays: kernels(name, grid, block, arguments).

    Arguments are arrays (passed as pointers), None (a null pointer), or NumPy scalars of the exact type.
    """

    def __init__(self, source, names, backwards=False):
        self.names = tuple(dict.fromkeys(names))
        self.library = _library(source, self.names)
        self.backwards = backwards  # the order in which the threads of a block run between barriers

    def __call__(self, name, grid, block, arguments):
        slots = [self._slot(a) for a in arguments]
        pointers = (ctypes.c_void_p * len(slots))(*(s.ctypes.data for s in slots))
        entry = getattr(self.library, f"kernel_{self.names.index(name)}")
        error = entry(len(slots), pointers, (ctypes.c_int * 3)(*grid), (ctypes.c_int * 3)(*block), int(self.backwards))
        if error == -1:
            raise TypeError(f"{name}: takes another number of arguments than {len(slots)}")
        if error:
            raise RuntimeError(f"{name}: not all threads of a block reached the barrier in line {error}")

    @staticmethod
    def _slot(argument):
        """Eight bytes that hold the argument as a kernel wants it."""
        if argument is None:
            return np.zeros(1, np.uint64)
        if isinstance(argument, np.ndarray):
            assert argument.flags.c_contiguous, "a kernel ignores strides"
            return np.array([argument.ctypes.data], np.uint64)
        return np.array([argument])
