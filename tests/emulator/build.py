"""Builds the emulated device and prints the environment in which a program finds it, one NAME=value a line.

Everything goes to a cache folder outside the checkout (TINYCNN_EMULATOR_CACHE, or ~/.cache/tinycnn-emulator), under
names that hold a hash of all that it was made from, so that nothing stale is ever used.
"""

import hashlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
CXX = ("g++", "-std=c++17", "-O2", "-g1", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fPIC", "-fvisibility=hidden")
CC = ("gcc", "-std=gnu11", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv", "-fno-math-errno", "-w")
NATIVE = "-march=native"
PLAIN = ("env", "-u", "LD_PRELOAD", "-u", "LD_LIBRARY_PATH", "-u", "PYTHONPATH")  # for programs that need no device


def package_folder(name):
    """Where an installed package's files are."""
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        spec = None
    if spec is None:
        sys.exit(f'emulator: the package {name} is not installed: pip install -e ".[emulator]"')
    return [Path(place) for place in spec.submodule_search_locations]


def cuda_headers():
    for place in package_folder("nvidia"):
        for header in place.glob("*/include/cuda_runtime_api.h"):
            return header.parent
    sys.exit('emulator: CUDA\'s headers are not installed: pip install -e ".[emulator]"')


def cublas_functions():
    """The names that CuPy's module wants to find in cuBLAS when it is loaded."""
    (place,) = package_folder("cupy_backends")
    (module,) = place.glob("cuda/libs/cublas.*.so")
    symbols = run("nm", "-D", "--undefined-only", module)
    return sorted(set(re.findall(r"\b(cublas\w+)", symbols)))


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"emulator: {shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def hashed(*folders, more=()):
    """A name for what is made from these files with these commands on this kind of processor."""
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".h", ".cpp", ".py"))
    text = b"".join(path.read_bytes() for path in files)
    processor = run("gcc", NATIVE, "-Q", "--help=target").encode()
    return hashlib.sha256(b"\0".join([text, processor, *map(str.encode, more)])).hexdigest()[:16]


def build_libraries(folder):
    """libcuda.so.1, libcublas.so.13, and a libcublasLt.so.13 with nothing in it, which CuPy's module names."""
    folder.mkdir(parents=True)
    sources = sorted(path for path in (HERE / "device").glob("*.cpp") if path.stem != "cublas")
    objects = [folder / f"{path.stem}.o" for path in sources]
    headers = f"-I{cuda_headers()}"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda s, o: run(*CXX, headers, "-c", s, "-o", o), sources, objects))
    cuda = folder / "libcuda.so.1"
    run("g++", "-shared", *objects, "-o", cuda, "-Wl,-soname,libcuda.so.1", "-ldl", "-lpthread")
    ours = set(re.findall(r"\bcublas\w+", run(*CXX, "-E", "-P", HERE / "device/cublas.cpp")))
    names = [name for name in cublas_functions() if name not in ours]
    (folder / "missing.cpp").write_text(missing(names))
    (folder / "cublas.map").write_text("libcublas.so.13 { global: *; };\n")
    options = ("-shared", NATIVE, "-Wl,-soname,libcublas.so.13", f"-Wl,--version-script={folder / 'cublas.map'}")
    cublas = (HERE / "device/cublas.cpp", folder / "missing.cpp", cuda)
    run(*CXX, *options, *cublas, "-o", folder / "libcublas.so.13")
    (folder / "empty.c").touch()
    run("gcc", "-shared", folder / "empty.c", "-o", folder / "libcublasLt.so.13", "-Wl,-soname,libcublasLt.so.13")


def missing(names):
    """C++ functions that end the process and say their name."""
    head = 'extern "C" void emulator_not_emulated(const char*);\n'
    one = (
        'extern "C" __attribute__((visibility("default"))) int {0}(...) {{ emulator_not_emulated("{0}"); return 1; }}\n'
    )
    return head + "".join(one.format(name) for name in names)


def build(cache):
    """The folders of the libraries and of compiled kernels, made where they are not there yet."""
    libraries = cache / f"libraries-{hashed(HERE / 'device', HERE / 'ptx/runtime', more=[Path(__file__).read_text()])}"
    if not libraries.exists():
        draft = cache / f"draft-{os.getpid()}"
        build_libraries(draft)
        try:
            draft.rename(libraries)
        except OSError:  # another process was faster
            if not libraries.exists():
                raise
    return libraries


def environment(cache):
    libraries = build(cache)
    compiler = [*CC, NATIVE, "-shared", "-fPIC", f"-I{HERE / 'ptx/runtime'}"]
    kernels = cache / f"kernels-{hashed(HERE / 'ptx', more=compiler)}"
    for kind in ("plain", "races"):
        (kernels / kind).mkdir(parents=True, exist_ok=True)
    return {
        "EMULATOR_KERNELS": kernels,
        "EMULATOR_COMPILE": shlex.join([*PLAIN, sys.executable, HERE.as_posix() + "/compile.py", shlex.join(compiler)]),
        "CUPY_COMPILE_WITH_PTX": "1",
        "CUPY_CACHE_DIR": cache / "cupy",
        "LD_LIBRARY_PATH": ":".join(filter(None, [str(libraries), os.environ.get("LD_LIBRARY_PATH")])),
        "PYTHONPATH": ":".join(filter(None, [str(HERE / "pythonpath"), os.environ.get("PYTHONPATH")])),
        "LD_PRELOAD": libraries / "libcuda.so.1",
    }


if __name__ == "__main__":
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinycnn-emulator"
    for name, value in environment(Path(os.environ.get("TINYCNN_EMULATOR_CACHE") or default)).items():
        print(f"{name}={value}")
