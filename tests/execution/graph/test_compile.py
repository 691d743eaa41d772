"""Every kernel compiles for the GPUs in use, for many shapes, without spilling registers.  Needs NVRTC, but no GPU."""

import importlib.util

import pytest

from tinycnn import nn
from tinycnn.execution.graph import compile as compiler
from tinycnn.execution.graph.plan import Plan
from tinycnn.models import LeNet


def nvrtc_problem():
    """Why kernels cannot be compiled here, in one line; None where they can."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        compiler.compile_for("sm_80", "__global__ void nothing() {}", ["nothing"])
    except Exception as error:
        return str(error).splitlines()[0]
    return None


needs_nvrtc = pytest.mark.skipif(bool(problem := nvrtc_problem()), reason=f"needs NVRTC: {problem}")

MODELS = {  # name: model, image, images in a batch
    "lenet, 256": (LeNet(), (1, 28, 28), 256),
    "lenet, 1": (LeNet(), (1, 28, 28), 1),
    "wider lenet, 256": (LeNet(channels=(32, 64), activation="relu", pool="max"), (1, 28, 28), 256),
    "wider lenet, 1024": (LeNet(channels=(32, 64), activation="relu", pool="max"), (1, 28, 28), 1024),
    "tanh, kernel 3, 3 convolutions, 100": (
        LeNet(channels=(8, 24, 40), kernel_size=3, activation="tanh", same_padding=True, hidden=(300,)),
        (1, 28, 28),
        100,
    ),
    "colour, strides, overlapping pools, 64": (
        nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(64, 128, 1),
            nn.Tanh(),
            nn.Conv2d(128, 30, (1, 3), dilation=2),
            nn.Flatten(),
            nn.Linear(30 * 7 * 3, 1000),
        ),
        (3, 50, 50),
        64,
    ),
    "kernels of 7 and 11, 96": (
        nn.Sequential(
            nn.Conv2d(1, 16, 11, padding=5),
            nn.Sigmoid(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 7, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        ),
        (1, 28, 28),
        96,
    ),
    "large perceptron, 512": (
        nn.Sequential(
            nn.Flatten(), nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, 10)
        ),
        (1, 28, 28),
        512,
    ),
}
BY_DAY = [
    ("lenet, 256", "sm_80"),
    ("lenet, 256", "sm_90"),
    ("wider lenet, 1024", "sm_80"),
    ("colour, strides, overlapping pools, 64", "sm_90"),
]
EACH = [(name, architecture) for name in MODELS for architecture in ("sm_80", "sm_90")]
BY_NIGHT = [pytest.param(*pair, marks=pytest.mark.slow) for pair in EACH if pair not in BY_DAY]


@pytest.mark.nvrtc
@needs_nvrtc
@pytest.mark.parametrize(("name", "architecture"), [*BY_DAY, *BY_NIGHT])
def test_every_kernel_compiles_without_spills(name, architecture):
    model, image, images = MODELS[name]
    plan = Plan(model, image, images, momentum=True, nesterov=True)
    for kernel, compiled in compiler.compile_for(architecture, plan.source, plan.kernels).items():
        assert compiled.spilled == 0, f"{kernel} spills {compiled.spilled} bytes"
        assert 0 < compiled.registers <= 255 and compiled.shared <= 48 * 1024, f"{kernel}: {compiled}"


@pytest.mark.nvrtc
@needs_nvrtc
def test_spills_are_noticed():
    many = "\n".join(f"float v{i} = x[{i} * n];" for i in range(100))
    source = f"__global__ void __launch_bounds__(1024, 2) k(float* x, int n) {{ {many} __syncthreads(); x[0] = 0"
    source += "".join(f" + v{i} * v{(i * 37 + 11) % 100}" for i in range(100)) + "; }"
    assert compiler.compile_for("sm_90", source, ["k"])["k"].spilled > 0


@pytest.mark.nvrtc
@needs_nvrtc
def test_what_the_compiler_says_reaches_the_caller():
    with pytest.raises(RuntimeError, match=r"compile: sm_90: (.|\n)*identifier \"nonsense\" is undefined"):
        compiler.compile_for("sm_90", "__global__ void k() { nonsense; }", ["k"])


def test_sizes_become_a_struct():
    source = compiler.cuda_source(
        {"Stage0": {"N": 3, "POOL": "AVERAGE", "E": 0.1, "width": [4, 5], "Forward": {"OT": 2}}}
    )
    assert source.endswith(
        "struct Stage0 {\n"
        "    static constexpr int N = 3;\n"
        "    static constexpr int POOL = AVERAGE;\n"
        "    static constexpr float E = 0.1f;\n"
        "    __device__ static constexpr int width(int i) { return i == 0 ? 4 : i == 1 ? 5 : 0; }\n"
        "    struct Forward {\n"
        "        static constexpr int OT = 2;\n"
        "    };\n"
        "};"
    )


def test_every_kernel_file_is_compiled_and_headed():
    files = {path.name for path in compiler.KERNELS.iterdir()}
    assert files == set(compiler.FILES)
    for name in files:
        text = (compiler.KERNELS / name).read_text(encoding="utf-8")
        assert text.startswith("//"), f"{name} does not say what it holds"
        assert text.count("__global__") == 0 or "launch: block" in text, f"{name} does not say how it is launched"
