#include "kernels.h"

#include <string.h>
#include <sys/mman.h>
#include <xmmintrin.h>

#include <vector>

#include "coroutines.h"
#include "memory.h"
#include "printf.h"
#include "races.h"
#include "settings.h"

void die_in(const Thread* t, const std::string& what) {
    const Block& b = *t->block;
    die(print("kernel %s, block (%u,%u,%u), thread (%u,%u,%u): ", b.kernel, b.bx, b.by, b.bz, t->x, t->y, t->z) + what);
}

static char* other_memory(Thread* t, u64 address, int size, const char* what) {
    if (is_pinned(address, size)) return (char*)address;
    const char* guess = address < 65536 ? " (null pointer?)" : "";
    die_in(t, print("%s of %d bytes at %#lx, which is not device memory%s", what, size, address, guess));
}

static void beyond_shared(Thread* t, u64 address, int size, const char* what) {
    u32 all = t->block->shared_size;
    die_in(t, print("%s of %d bytes at %lu, beyond the %u bytes of shared memory", what, size, address, all));
}

static void misaligned(Thread* t, u64 address, int size, const char* what) {
    die_in(t, print("%s of %d bytes at %#lx: misaligned address", what, size, address));
}

static void die_of(Thread* t, const char* what) {
    die_in(t, what);
}

static const Device device = {other_memory, beyond_shared, misaligned,    wait_at_barrier, wait_for_warp,
                              die_of,       device_printf, global_access, shared_access};

static const size_t SHARED = 256 * 1024, PAGE = 4096;

static char* shared_memory_of(size_t size) {  // it ends, but for 127 bytes, at a page that may not be touched
    static char* memory = [] {
        void* m = mmap(nullptr, SHARED + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED || mprotect((char*)m + SHARED, PAGE, PROT_NONE)) die("no room for shared memory");
        return (char*)m;
    }();
    return memory + SHARED - (size + 127) / 128 * 128;
}

struct FlushDenormals {  // as a kernel compiled with -ftz=true does; the processor's own switch
    unsigned before = _mm_getcsr();
    explicit FlushDenormals(bool wanted) {
        if (wanted) _mm_setcsr(before | 0x8040);
    }
    ~FlushDenormals() { _mm_setcsr(before); }
};

void run_grid(const KernelInfo& kernel, dim3 grid, dim3 block, unsigned dynamic, const std::string& params) {
    static u32 launches = 1, serial = 1;  // 1 is the host's, see races.cpp
    std::vector<u64> aligned((params.size() + 7) / 8);
    memcpy(aligned.data(), params.data(), params.size());
    Block b{};
    b.device = &device;
    b.kernel = kernel.name;
    b.params = (char*)aligned.data();
    b.shared_size = kernel.shared + dynamic, b.dynamic_size = dynamic;
    b.shared = shared_memory_of(b.shared_size);
    b.nx = block.x, b.ny = block.y, b.nz = block.z;
    b.gx = grid.x, b.gy = grid.y, b.gz = grid.z;
    b.launch = ++launches;
    FlushDenormals flush(kernel.flushes);
    watch_for_bad_addresses(kernel.name);
    u64 blocks = (u64)grid.x * grid.y * grid.z;
    for (u64 k = 0; k < blocks; ++k) {
        u64 i = settings().order == Order::forward ? k : blocks - 1 - k;
        b.bx = i % grid.x, b.by = i / grid.x % grid.y, b.bz = i / grid.x / grid.y;
        b.serial = ++serial, b.epoch = 0;
        memset(b.shared, 0xff, b.shared_size);  // NaN: shared memory holds what it holds
        if (kernel.waits) run_block(kernel, b);
        else kernel.block(&b);
    }
    watch_for_bad_addresses(nullptr);
}
