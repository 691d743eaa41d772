"""A kernel's addresses within its spaces."""

import pytest
from emulator.programs import message, result


def test_a_misaligned_load():
    text = message("""
        x = cp.zeros(8, np.float32)
        kernel("twice(float* x) { *(float2*)x = make_float2(1, 2); }")((1,), (1,), (x[1:],))
    """)
    assert text.startswith("kernel twice, block (0,0,0), thread (0,0,0): st.global.v2.")
    assert text.endswith("misaligned address")


def test_shared_memory_ends():
    text = message("""
        code = "beyond(float* y, int i) { extern __shared__ float s[]; s[i] = 1; __syncthreads(); *y = s[i]; }"
        kernel(code)((1,), (1,), (cp.zeros(1, np.float32), np.int32(16)), shared_mem=64)
    """)
    assert text.endswith("of 4 bytes at 64, beyond the 64 bytes of shared memory")


def test_shared_memory_begins_as_not_a_number_in_every_block():
    assert result("""
        code = "leftover(float* y) { __shared__ volatile float s[1]; y[blockIdx.x] = s[0]; s[0] = 1; }"
        y = cp.zeros(3, np.float32)
        kernel(code)((3,), (1,), (y,))
        print(y)
    """) == "[nan nan nan]"  # fmt: skip


def test_denormals_are_flushed_by_the_processor_and_only_in_kernels():
    assert result("""
        x = cp.array([1e-39, 1e-38, 4e-38], np.float32)
        kernel("half(float* x) { x[threadIdx.x] *= 0.5f; }", options=("-ftz=true",))((1,), (3,), (x,))
        print(x, np.float32(1e-39) > 0)
    """) == "[0.e+00 0.e+00 2.e-38] True"  # fmt: skip


@pytest.mark.parametrize(("order", "last"), [("forward", 95), ("backward", 0)])
def test_blocks_and_threads_in_another_order(order, last):
    assert result("""
        y = cp.zeros(1, np.int32)
        code = "who(int* y) { __syncthreads(); *y = blockIdx.x * 48 + threadIdx.x; }"
        kernel(code)((2,), (48,), (y,))
        print(int(y[0]))
    """, order=order) == str(last)  # fmt: skip


def test_a_random_order_differs_from_both():
    assert int(result("""
        code = "first(int* y) { __syncthreads(); if (*y < 0) *y = threadIdx.x; }"
        y = cp.full(1, -1, np.int32)
        kernel(code)((1,), (1024,), (y,))
        print(int(y[0]))
    """, order="random")) not in (0, 1023)  # fmt: skip


def test_an_order_that_does_not_exist():
    assert message("cp.zeros(1)", order="sideways") == "EMULATOR_ORDER=sideways, expected forward, backward or random"


def test_printf():
    assert result("""
        code = r'''say() { if (threadIdx.x == 1) printf("%d%% %5.2f %s %ld\\n", 7, 2.5, "words", -1l); }'''
        kernel(code)((1,), (2,), ())
    """) == "7%  2.50 words -1"  # fmt: skip


def test_an_assertion():
    text = message("""kernel("never(int i) { if (i) __trap(); }")((1,), (1,), (np.int32(1),))""")
    assert text == "kernel never, block (0,0,0), thread (0,0,0): trap"
