#include "memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iterator>
#include <map>

#include "races.h"
#include "settings.h"

static const size_t PAGE = 4096, ROUND = 256;  // CUDA aligns allocations to 256 bytes

struct Allocation {
    uint64_t base, size, first_page, pages;  // pages: bytes in whole pages, without the one behind
};
static std::map<uint64_t, Allocation> allocations;
static std::map<uint64_t, uint64_t> holes;  // start of free pages -> their length in bytes
static std::map<uint64_t, size_t> pinned;
static size_t used = 0;
static int arena = -1;

size_t bytes_in_use() {
    return used;
}

// ------------------------------------------------------------------ bad addresses

static const char* running = nullptr;
static struct sigaction previous;

// Only async-signal-safe calls from here on: the process is about to end.
static void on_bad_address(int signal_number, siginfo_t* info, void* context) {
    uint64_t a = (uint64_t)info->si_addr;
    const char* kernel = running ? running : "(a copy)";
    char line[400];
    int n = 0;
    if (a - ARENA < ARENA_SIZE)
        n = snprintf(line, sizeof line, "\nemulator: host code touched device memory at %#lx\n", a);
    else if (a - ARENA - DELTA < ARENA_SIZE)
        n = snprintf(line, sizeof line, "\nemulator: kernel %s touched memory that is not allocated, at %#lx\n", kernel,
                     a - DELTA);
    else if (running)
        n = snprintf(line, sizeof line, "\nemulator: kernel %s: bad address %#lx\n", kernel, a);
    if (n && write(terminal, line, n) < 0) _exit(139);
    if (previous.sa_flags & SA_SIGINFO && previous.sa_sigaction) previous.sa_sigaction(signal_number, info, context);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

// Done once, before the first allocation, so that Python's faulthandler, if it is on, comes after us.
static void install_handler() {
    static char stack[1 << 16];  // the thread's own may be the stack of an emulated thread
    stack_t alternative{};
    sigaltstack(nullptr, &alternative);
    if (alternative.ss_flags & SS_DISABLE) {
        alternative = stack_t{stack, 0, sizeof stack};
        sigaltstack(&alternative, nullptr);
    }
    struct sigaction ours{};
    ours.sa_sigaction = on_bad_address;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &ours, &previous);
}

void watch_for_bad_addresses(const char* kernel) {
    running = kernel;
}

// ------------------------------------------------------------------ allocations

static void reserve(uint64_t address, int flags, int file) {
    void* at = (void*)address;
    if (mmap(at, ARENA_SIZE, PROT_NONE, flags | MAP_NORESERVE | MAP_FIXED_NOREPLACE, file, 0) != at)
        die(print("cannot reserve the addresses from %p on", at));
}

static void reserve_arena() {
    arena = memfd_create("emulated device", MFD_CLOEXEC);
    if (arena < 0 || ftruncate(arena, ARENA_SIZE)) die("cannot make the card's memory (memfd_create, ftruncate)");
    reserve(ARENA, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    reserve(ARENA + DELTA, MAP_SHARED, arena);
    holes[ARENA + PAGE] = ARENA_SIZE - 2 * PAGE;
    install_handler();
}

static uint64_t take_hole(size_t size) {  // the first that is large enough
    for (auto hole = holes.begin(); hole != holes.end(); ++hole) {
        auto [start, length] = *hole;
        if (length < size) continue;
        holes.erase(hole);
        if (length > size) holes[start + size] = length - size;
        return start;
    }
    return 0;
}

static void give_hole(uint64_t start, uint64_t length) {  // neighbours become one
    auto next = holes.lower_bound(start);
    if (next != holes.end() && start + length == next->first) {
        length += next->second;
        next = holes.erase(next);
    }
    if (next != holes.begin()) {
        auto before = std::prev(next);
        if (before->first + before->second == start) {
            before->second += length;
            return;
        }
    }
    holes[start] = length;
}

uint64_t allocate(size_t size) {
    if (arena < 0) reserve_arena();
    size_t rounded = size ? (size + ROUND - 1) / ROUND * ROUND : ROUND;
    size_t pages = (rounded + PAGE - 1) / PAGE * PAGE;
    if (used + rounded > settings().memory) return 0;
    uint64_t first = take_hole(pages + PAGE);  // the page behind is the guard
    if (!first) return 0;
    if (mprotect((void*)(first + DELTA), pages, PROT_READ | PROT_WRITE)) die("cannot make device memory accessible");
    uint64_t base = first + pages - rounded;  // so that the end lies at the guard
    allocations[base] = {base, rounded, first, pages};
    used += rounded;
    memset((void*)(base + DELTA), 0xff, rounded);
    mark_unwritten(base, rounded);
    return base;
}

bool release(uint64_t address) {
    auto found = allocations.find(address);
    if (found == allocations.end()) return false;
    Allocation a = found->second;
    allocations.erase(found);
    used -= a.size;
    if (fallocate(arena, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, a.first_page - ARENA, a.pages))
        die("cannot give device memory back (fallocate)");
    mprotect((void*)(a.first_page + DELTA), a.pages, PROT_NONE);
    give_hole(a.first_page, a.pages + PAGE);
    return true;
}

static const Allocation* allocation_of(uint64_t address) {
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return nullptr;
    const Allocation& a = std::prev(next)->second;
    return address < a.base + a.size ? &a : nullptr;
}

bool is_allocated(const void* p) {
    return allocation_of((uint64_t)p) != nullptr;
}

bool in_one_allocation(const void* p, size_t size) {
    if (!is_device(p)) return true;
    const Allocation* a = allocation_of((uint64_t)p);
    return a && (uint64_t)p + size <= a->base + a->size;
}

// ------------------------------------------------------------------ pinned host memory

void pin(const void* p, size_t size) {
    pinned[(uint64_t)p] = size;
}

size_t unpin(const void* p) {
    auto found = pinned.find((uint64_t)p);
    if (found == pinned.end()) return 0;
    size_t size = found->second;
    pinned.erase(found);
    return size;
}

bool is_pinned(uint64_t address, size_t size) {
    auto next = pinned.upper_bound(address);
    return next != pinned.begin() && address + size <= std::prev(next)->first + std::prev(next)->second;
}

bool is_pinned(const void* p) {
    return is_pinned((uint64_t)p, 1);
}
