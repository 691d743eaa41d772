"""Modules and launches: what the driver refuses, it refuses here."""

import numpy as np
import pytest
from emulator.programs import message

NOTHING = 'extern "C" __global__ void {}nothing(int* x) {{ }}'


def kernel(attributes=""):
    import cupy

    return cupy.RawKernel(NOTHING.format(attributes), "nothing")


@pytest.mark.parametrize(
    ("grid", "block", "shared"),
    [((1,), (1025,), 0), ((1,), (32, 33), 0), ((1,), (1, 1, 65), 0), ((1, 65536), (1,), 0), ((1,), (1,), 49153)],
)
def test_launches_that_are_too_large(grid, block, shared):
    import cupy

    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        kernel()(grid, block, (cupy.zeros(1, np.int32),), shared_mem=shared)


def test_launch_bounds():
    import cupy

    bounded = kernel("__launch_bounds__(64) ")
    bounded((1,), (64,), (cupy.zeros(1, np.int32),))
    assert bounded.max_threads_per_block == 64
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        bounded((1,), (65,), (cupy.zeros(1, np.int32),))


def test_more_shared_memory_can_be_asked_for():
    import cupy

    large = kernel()
    large.max_dynamic_shared_size_bytes = 100_000
    large((1,), (1,), (cupy.zeros(1, np.int32),), shared_mem=100_000)
    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="CUDA_ERROR_INVALID_VALUE"):
        large.max_dynamic_shared_size_bytes = 232_449


def test_constants_and_globals():
    import cupy

    module = cupy.RawModule(
        code="__constant__ float c[3]; __device__ int count = 5;"
        'extern "C" __global__ void use(float* y) { y[0] = c[2] + count++; }'
    )
    cupy.ndarray(3, np.float32, module.get_global("c"))[:] = cupy.asarray([1, 2, 3], np.float32)
    y = cupy.zeros(1, np.float32)
    for expected in (8, 9):
        module.get_function("use")((1,), (1,), (y,))
        assert float(y[0]) == expected


def test_a_text_that_is_loaded_twice_outlives_either():
    import cupy

    code = "__device__ int count = 5;" + NOTHING.format("").replace("{ }", "{ *x = count; }")
    kernels = [cupy.cuda.function.Module() for _ in range(2)]
    ptx, _ = cupy.cuda.compiler.compile_using_nvrtc(code, options=("-arch=compute_90",))
    for module in kernels:
        module.load(ptx)
    del kernels[0], module
    x = cupy.zeros(1, np.int32)
    kernels[0].get_function("nothing")((1,), (1,), (x,))
    assert int(x[0]) == 5


def test_a_function_that_a_module_does_not_have():
    import cupy

    with pytest.raises(cupy.cuda.driver.CUDADriverError, match="CUDA_ERROR_NOT_FOUND"):
        cupy.RawModule(code=NOTHING.format("")).get_function("something")


def test_local_memory_is_reported_and_functions_are_called():
    import cupy

    code = """
    __device__ __noinline__ int sum(const int* x, int n) { return n ? x[0] + sum(x + 1, n - 1) : 0; }
    extern "C" __global__ void nothing(int* y, int at) {
        int x[9];
        for (int i = 0; i < 9; ++i) x[i] = i;
        x[at] = 100;
        y[threadIdx.x] = sum(x, 9);
    }
    """
    y, nothing = cupy.zeros(2, np.int32), cupy.RawKernel(code, "nothing")
    nothing((1,), (2,), (y, np.int32(3)))
    assert y.get().tolist() == [133, 133] and nothing.local_size_bytes >= 36 and kernel().local_size_bytes == 0


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.uint64, np.float32, np.float64])
def test_atomics(dtype, rng):
    """All that C++ has, from 100 threads; the order is theirs, so the results are those that do not depend on it."""
    import cupy

    names = {"i4": "int", "u4": "unsigned", "u8": "unsigned long long", "f4": "float", "f8": "double"}
    name = names[np.dtype(dtype).str[1:]]
    x = rng.integers(0, 2**20, 100).astype(dtype)
    functions = {"Add": x.sum(dtype=dtype)}
    if dtype not in (np.float32, np.float64):
        functions |= {"Min": x.min(), "Max": x.max()}
        functions |= {f.capitalize(): getattr(np, f"bitwise_{f}").reduce(x) for f in ("and", "or", "xor")}
    expected = list(functions.values())
    start = [0, x[0], x[0], x[0], 0, 0][: len(expected)]
    calls = "".join(f"atomic{f}(y + {i}, x[threadIdx.x]);" for i, f in enumerate(functions))
    code = f'extern "C" __global__ void atomics(const {name}* x, {name}* y) {{ {calls} }}'
    y = cupy.asarray(np.array(start, dtype))
    cupy.RawKernel(code, "atomics")((1,), (100,), (cupy.asarray(x), y))
    np.testing.assert_allclose(y.get(), expected, rtol=1e-6)


def test_atomics_that_give_the_old_value():
    import cupy

    code = """extern "C" __global__ void old(unsigned* y, unsigned* z) {
        z[0] = atomicExch(y, 7u), z[1] = atomicCAS(y, 7u, 8u), z[2] = atomicCAS(y, 7u, 9u);
        z[3] = atomicInc(y, 8u), z[4] = atomicInc(y, 8u), z[5] = atomicDec(y, 4u), z[6] = atomicDec(y, 4u), z[7] = *y;
    }"""
    y, z = cupy.full(1, 5, np.uint32), cupy.zeros(8, np.uint32)
    cupy.RawKernel(code, "old")((1,), (1,), (y, z))
    assert z.get().tolist() == [5, 7, 8, 8, 0, 1, 0, 4]


def test_vectors_and_generic_addresses():
    import cupy

    code = """
    __device__ __noinline__ float first(const float* p) { return p[0]; }
    extern "C" __global__ void mixed(const float4* x, float4* y, int shared) {
        __shared__ float s[4];
        float4 v = x[threadIdx.x];
        s[threadIdx.x] = v.w;
        __syncthreads();
        float own[2] = {v.x, v.y};
        float z = first(shared == 0 ? s + 1 : shared == 1 ? &x->z : own);
        y[threadIdx.x] = make_float4(v.w, v.z, v.y, z);
    }
    """
    x, y = np.arange(16, dtype=np.float32).reshape(4, 4), cupy.zeros((4, 4), np.float32)
    mixed = cupy.RawKernel(code, "mixed")
    for space, last in enumerate([np.full(4, 7), np.full(4, 2), x[:, 0]]):
        mixed((1,), (4,), (cupy.asarray(x), y, np.int32(space)))
        np.testing.assert_array_equal(y.get(), np.column_stack([x[:, 3], x[:, 2], x[:, 1], last]))


def test_an_instruction_that_is_not_known(tmp_path):
    path = tmp_path / "x.ptx"
    path.write_text(
        ".version 8.8\n.target sm_90\n.address_size 64\n.visible .entry k() { frobnicate.s32 %r1, %r2; ret; }"
    )
    text = message("import sys; cp.RawModule(path=sys.argv[1]).get_function('k')", str(path))
    assert "no such instruction here: frobnicate.s32 %r1, %r2" in text and "tests/emulator/ptx/instructions" in text


def test_a_function_that_is_not_emulated():
    assert message("cp.cuda.runtime.mallocManaged(8)") == "not emulated: cudaMallocManaged"
