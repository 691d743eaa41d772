"""compile: the CUDA text of kernels/ completed with a model's sizes, and compiled while the program runs.

A kernel is a template over a struct of compile-time constants, `conv_forward<Stage0>`.  `cuda_source` writes the
structs after the kernels' text, `load_kernels` compiles the whole for the GPU at hand, and `compile_for` does so for
any GPU, on machines that have none.
"""

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tinycnn.backend import devices

KERNELS = Path(__file__).with_name("kernels")
FILES = (  # in the order in which they need each other
    "common.cuh",
    "state.cu",
    "gather.cu",
    "conv_forward.cu",
    "conv_data_gradient.cu",
    "conv_weight_gradient.cu",
    "pool.cu",
    "linear.cu",
    "head.cu",
)
OPTIONS = ("--std=c++17",)

Sizes = Mapping[str, Any]  # of int | float | str (an enumerator) | a sequence of these | Sizes


class Compiled(NamedTuple):
    """One kernel as NVRTC reports it: registers per thread, bytes of shared memory per block, bytes spilled."""

    registers: int
    shared: int
    spilled: int


@functools.cache
def kernel_text() -> str:
    """The text of all kernels, without any sizes."""
    return "\n".join((KERNELS / name).read_text(encoding="utf-8") for name in FILES)


def cuda_source(structs: Mapping[str, Sizes]) -> str:
    """The kernels' text followed by one struct of constants per name: what a compiler wants to see."""
    return kernel_text() + "\n" + "\n".join(_struct(name, sizes, "") for name, sizes in structs.items())


def _struct(name: str, sizes: Sizes, indent: str) -> str:
    """Numbers and enumerators become constants, sequences functions of an index, mappings structs in the struct."""
    lines = [f"{indent}struct {name} {{"]
    for key, value in sizes.items():
        if isinstance(value, Mapping):
            lines.append(_struct(key, value, indent + "    "))
        elif isinstance(value, float):
            lines.append(f"{indent}    static constexpr float {key} = {value!r}f;")
        elif isinstance(value, int | str):
            lines.append(f"{indent}    static constexpr int {key} = {_constant(value)};")
        else:
            choices = "".join(f"i == {i} ? {_constant(v)} : " for i, v in enumerate(value))
            lines.append(f"{indent}    __device__ static constexpr int {key}(int i) {{ return {choices}0; }}")
    return "\n".join([*lines, f"{indent}}};"])


def _constant(value: int | str) -> str:
    return value if isinstance(value, str) else f"{value:d}"


def load_kernels(source: str, names: Iterable[str]) -> dict[str, Any]:
    """The named kernels (`conv_forward<Stage0>`), compiled for the current GPU and loaded: name -> kernel.

    A kernel is called as kernel(grid, block, arguments).  CuPy keeps the binaries in its cache on disk, so the few
    seconds of compilation are spent once per model.
    """
    names = tuple(names)
    module = devices.cupy().RawModule(code=source, options=OPTIONS, name_expressions=names)
    return {name: module.get_function(name) for name in names}


def compile_for(architecture: str, source: str, names: Iterable[str]) -> dict[str, Compiled]:
    """Compile for an architecture such as "sm_90", with no GPU needed; what the compiler says of each named kernel.

    Raises RuntimeError with the compiler's messages where it refuses.
    """
    nvrtc = devices.cupy().cuda.nvrtc
    program = nvrtc.createProgram(source, "tinycnn.cu", (), ())
    try:
        for name in names:
            nvrtc.addNameExpression(program, name)
        options = (*OPTIONS, f"-arch={architecture}", "-ftz=true", "--ptxas-options=-v")
        try:
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError as error:
            raise RuntimeError(f"compile: {architecture}: {error}\n{nvrtc.getProgramLog(program)}") from error
        return _statistics(nvrtc.getProgramLog(program), {n: nvrtc.getLoweredName(program, n) for n in names})
    finally:
        nvrtc.destroyProgram(program)


def _statistics(log: str, lowered: Mapping[str, str]) -> dict[str, Compiled]:
    """What ptxas wrote about each kernel; `lowered` holds the names it uses."""
    sections = re.split(r"Compiling entry function '", log)[1:]
    found = {section.split("'", 1)[0]: section for section in sections}

    def number(pattern: str, section: str) -> int:
        return sum(int(n) for n in re.findall(pattern, section))

    return {
        name: Compiled(
            number(r"Used (\d+) registers", found[symbol]),
            number(r"(\d+) bytes smem", found[symbol]),
            number(r"(\d+) bytes spill", found[symbol]),
        )
        for name, symbol in lowered.items()
    }
