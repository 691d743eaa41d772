"""Barriers: who does not come is missed."""

import pytest
from emulator.programs import message, result


def test_a_barrier_that_not_all_reach():
    text = message("""
        code = 'some() { if (threadIdx.x < 40) asm("bar.sync 0;"); else asm("bar.sync 1;"); }'
        kernel(code)((1,), (64,), ())
    """)  # fmt: skip
    assert (
        text
        == "kernel some, block (0,0,0), thread (63,0,0): deadlock: not all threads of the block reached the barrier"
    )


def test_a_barrier_that_waits_for_more_threads_than_come():
    text = message("""
        kernel('few() { asm("bar.sync 1, 64;"); }')((1,), (32,), ())
    """)
    assert "deadlock: not all threads of the block reached the barrier" in text


def test_threads_that_leave_before_a_barrier():
    text = message("""
        kernel("leave() { if (threadIdx.x > 30) return; __syncthreads(); }")((1,), (64,), ())
        raise SystemExit("so that the message is shown")
    """)
    assert text.startswith("warning: kernel leave: 33 threads had left before a barrier of all")


def test_a_warp_operation_that_not_all_named_lanes_reach():
    text = message("""
        code = "lonely(int* y) { if (threadIdx.x < 16) *y = __shfl_xor_sync(~0u, 1, 16); else __syncthreads(); }"
        kernel(code)((1,), (32,), (cp.zeros(1, np.int32),))
    """)
    assert text.endswith("deadlock: a warp operation for which not all the lanes it names arrived")


def test_a_mask_without_its_own_lane():
    text = message("""
        kernel("masked(int* y) { *y = __ballot_sync(1u, 1); }")((1,), (2,), (cp.zeros(1, np.int32),))
    """)
    assert text.startswith("kernel masked, block (0,0,0), thread (1,0,0): a warp operation whose mask does not name")


@pytest.mark.parametrize("order", ["forward", "backward", "random"])
def test_a_barrier_orders_what_threads_write(order):
    assert result("""
        code = '''turn(int* y) {
            extern __shared__ int s[];
            int i = threadIdx.x, n = blockDim.x;
            s[i] = i;
            for (int round = 0; round < 3; ++round) {
                __syncthreads();
                int next = s[(i + 1) % n];
                __syncthreads();
                s[i] = next;
            }
            y[i] = s[i];
        }'''
        y = cp.zeros(77, np.int32)
        kernel(code)((1,), (77,), (y,), shared_mem=4 * 77)
        print((y == (cp.arange(77) + 3) % 77).all())
    """, order=order) == "True"  # fmt: skip


def test_reductions_at_a_barrier():
    assert result("""
        code = '''all(int* y) {
            int odd = threadIdx.x % 2;
            y[0] = __syncthreads_count(odd), y[1] = __syncthreads_and(odd), y[2] = __syncthreads_or(odd);
        }'''
        y = cp.zeros(3, np.int32)
        kernel(code)((1,), (70,), (y,))
        print(y)
    """) == "[35  0  1]"  # fmt: skip


def test_barriers_with_numbers():
    """Two halves of a block wait for their own only."""
    assert result("""
        code = '''halves(int* y) {
            __shared__ volatile int s[64];
            int i = threadIdx.x, half = i / 32;
            s[i] = i;
            if (half) asm volatile("bar.sync 1, 32;"); else asm volatile("bar.sync 2, 32;");
            y[i] = s[half * 32 + 31 - i % 32];
        }'''
        y = cp.zeros(64, np.int32)
        kernel(code)((1,), (64,), (y,))
        print((y == cp.concatenate([cp.arange(31, -1, -1), cp.arange(63, 31, -1)])).all())
    """) == "True"  # fmt: skip
