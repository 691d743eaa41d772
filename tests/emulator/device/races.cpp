// Two accesses of a byte race if one of them writes, they are of the same launch, other threads made them, and no
// barrier stands between: threads of two blocks always race, threads of one block if no barrier was passed.  Atomics
// race with nobody.
#include "races.h"

#include <string.h>
#include <sys/mman.h>

#include <vector>

#include "kernels.h"
#include "memory.h"
#include "settings.h"

struct Access {
    u32 launch, thread, epoch;  // launch 0: none; of shared memory the block's serial number
};
struct Shadow {
    Access write, read;
};
static const u32 ATOMIC = 0x80000000u;         // in the epoch of a write
static const u64 FIRST = 0x380000000000ull;    // the shadows of all device memory; pages appear when they are used
static const u32 HOST = 1;                     // no launch has this number

static Shadow* shadow_of(u64 address) {
    static Shadow* all = [] {
        void* at = mmap((void*)FIRST, ARENA_SIZE * sizeof(Shadow), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (at != (void*)FIRST) die("cannot map memory for the search for races");
        return (Shadow*)at;
    }();
    return all + (address - ARENA);
}

void mark_unwritten(uint64_t address, size_t size) {
    if (settings().races) memset((void*)shadow_of(address), 0, size * sizeof(Shadow));
}

void mark_written(uint64_t address, size_t size) {
    if (!settings().races || !is_device((void*)address)) return;
    for (Shadow* s = shadow_of(address); size--; ++s) *s = Shadow{{HOST, 0, 0}, {0, 0, 0}};
}

struct Looking {  // one thread at one range of bytes
    Thread* thread;
    u32 me, launch;
    bool shared;
    const char* what;

    bool clashes(const Access& a) const {
        bool same_block = a.thread >> 10 == me >> 10;
        return a.launch == launch && a.thread != me && (!same_block || a.epoch == thread->block->epoch);
    }
    [[noreturn]] void die_of(const char* kind, u64 address) const {
        die_in(thread, print("%s: %s at %s address %#lx", kind, what, shared ? "shared" : "global", address));
    }
    [[noreturn]] void die_of_race(const char* kind, u64 address, u32 other) const {
        die_of(print("race with thread %u of block %u, %s", other & 1023, other >> 10, kind).c_str(), address);
    }
    void load(Shadow& s, u64 address) const {
        if (!(s.write.epoch & ATOMIC) && clashes(s.write))
            die_of_race("which wrote there", address, s.write.thread);
        if (shared ? s.write.launch != launch : s.write.launch == 0)
            die_of("read of memory that nobody wrote", address);
        s.read = {launch, me, thread->block->epoch};
    }
    void store(Shadow& s, u64 address) const {
        if (!(s.write.epoch & ATOMIC) && clashes(s.write))
            die_of_race("which writes there too", address, s.write.thread);
        if (clashes(s.read)) die_of_race("which reads there", address, s.read.thread);
        s.write = {launch, me, thread->block->epoch};
    }
    void look(Shadow* s, u64 address, int size) const {
        for (int i = 0; i < size; ++i, ++s, ++address) {
            if (what[0] == 's') store(*s, address);        // st
            else if (what[0] == 'l') load(*s, address);    // ld
            else s->write = {launch, me, thread->block->epoch | ATOMIC};  // atom, red
        }
    }
};

static u32 number(const Thread* t) {
    const Block& b = *t->block;
    return (b.bx + b.gx * (b.by + b.gy * b.bz)) << 10 | t->id;
}

void global_access(Thread* t, u64 address, int size, const char* what) {
    Looking{t, number(t), t->block->launch, false, what}.look(shadow_of(address), address, size);
}

void shared_access(Thread* t, u64 address, int size, const char* what) {
    static std::vector<Shadow> shadows(256 * 1024);
    Looking{t, number(t), t->block->serial, true, what}.look(&shadows[address], address, size);
}
