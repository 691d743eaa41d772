"""The card's memory: whoever leaves what is his is noticed."""

from emulator.programs import message, result

READ = "read(const float* x, float* y, long i) { *y = x[i]; }"


def test_a_kernel_that_reads_behind_an_allocation():
    text = message(f"""
        x, y = cp.zeros(64, np.float32), cp.zeros(1, np.float32)
        kernel("{READ}")((1,), (1,), (x, y, np.int64(64)))
    """, no_pool=1)  # fmt: skip
    assert text.startswith("kernel read touched memory that is not allocated, at 0x2000")


def test_a_kernel_that_reads_what_has_been_freed():
    text = message(f"""
        x, y = cp.zeros(64, np.float32), cp.zeros(1, np.float32)
        address = x.data.ptr
        del x
        kernel("{READ}")((1,), (1,), (np.intp(address), y, np.int64(0)))
    """, no_pool=1)  # fmt: skip
    assert text.startswith("kernel read touched memory that is not allocated")


def test_the_pool_keeps_what_has_been_freed():
    """What EMULATOR_NO_POOL is for: with the pool the fault above goes unnoticed."""
    assert result(f"""
        x, y = cp.ones(64, np.float32), cp.zeros(1, np.float32)
        address = x.data.ptr
        del x
        kernel("{READ}")((1,), (1,), (np.intp(address), y, np.int64(0)))
        print(float(y[0]))
    """) == "1.0"  # fmt: skip


def test_new_memory_is_not_a_number():
    assert result("print(cp.empty(3, np.float32), cp.empty(2, np.int32))") == "[nan nan nan] [-1 -1]"


def test_host_code_that_follows_a_device_pointer():
    text = message("""
        import ctypes
        ctypes.c_float.from_address(cp.zeros(3).data.ptr).value
    """)
    assert text.startswith("host code touched device memory at 0x2000")


def test_a_kernel_that_follows_a_host_pointer():
    text = message(f"""
        y, x = cp.zeros(1, np.float32), np.zeros(3, np.float32)
        kernel("{READ}")((1,), (1,), (np.intp(x.ctypes.data), y, np.int64(0)))
    """)
    assert text.startswith("kernel read, block (0,0,0), thread (0,0,0): ld.global.")
    assert text.endswith("which is not device memory")


def test_a_null_pointer():
    text = message(f"""
        y = cp.zeros(1, np.float32)
        kernel("{READ}")((1,), (1,), (np.intp(0), y, np.int64(2)))
    """)
    assert text.endswith("ld.global.f32 of 4 bytes at 0x8, which is not device memory (null pointer?)")


def test_kernels_may_follow_pinned_memory():
    assert result(f"""
        x, y = cp.cuda.alloc_pinned_memory(16), cp.zeros(1, np.float32)
        np.frombuffer(x, np.float32, 4)[:] = 1, 2, 3, 4
        kernel("{READ}")((1,), (1,), (np.intp(x.ptr), y, np.int64(2)))
        print(float(y[0]))
    """) == "3.0"  # fmt: skip


def test_a_card_that_is_full():
    assert result("""
        try:
            held = cp.zeros(8 << 20, np.uint8)
            cp.zeros(9 << 20, np.uint8)
        except cp.cuda.memory.OutOfMemoryError:
            print(*cp.cuda.runtime.memGetInfo())
    """, memory=16) == f"{8 << 20} {16 << 20}"  # fmt: skip


def test_what_is_freed_can_be_had_again():
    assert result("""
        for _ in range(50):
            a, b = cp.zeros(3 << 20, np.uint8), cp.zeros(1 << 20, np.uint8)
            del a
            c = cp.zeros(10 << 20, np.uint8)
            del b, c
        print(cp.cuda.runtime.memGetInfo()[0])
    """, no_pool=1, memory=16) == str(16 << 20)  # fmt: skip
