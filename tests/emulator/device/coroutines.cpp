#include "coroutines.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels.h"
#include "settings.h"
#include "warp.h"

// Goes on with another stack: what a called function must preserve is pushed, and the stack pointer kept in *from.
extern "C" void switch_stack(void** from, void* to);
asm(R"(
.text
.globl switch_stack
.hidden switch_stack
.type switch_stack,@function
switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size switch_stack,.-switch_stack
)");
static const int SAVED = 6;  // registers that it pushes

static const size_t PAGE = 4096, OWN_STACK = 32768;  // besides the kernel's local memory

struct Scheduler {
    void* stack;  // the scheduler's own, while a thread runs
    std::vector<Thread> threads;
    Thread* current;
    const KernelInfo* kernel;
    char* stacks = nullptr;
    size_t stack_size = 0, stack_count = 0;

    void make_room(size_t count);
    void start(Block&);
    void run(Thread& t) {
        current = &t;
        switch_stack(&stack, t.stack);
    }
};
static Scheduler scheduler;

static void to_scheduler(Thread* t) {
    switch_stack(&t->stack, scheduler.stack);
}

static void thread_begins() {  // returned to by the first switch to a thread
    Thread* t = scheduler.current;
    scheduler.kernel->thread(t);
    t->state = FINISHED;
    to_scheduler(t);
    __builtin_unreachable();
}

void wait_at_barrier(Thread* t, u32 number, u32 expected) {
    t->barrier = number, t->expected = expected, t->state = AT_BARRIER;
    to_scheduler(t);
}

void wait_for_warp(Thread* t) {
    t->state = IN_WARP_OPERATION;
    to_scheduler(t);
}

void Scheduler::make_room(size_t count) {
    size_t wanted = (kernel->local + OWN_STACK + PAGE - 1) / PAGE * PAGE;
    if (stack_size >= wanted && stack_count >= count) return;
    if (stacks) munmap(stacks, stack_size * stack_count);
    stack_size = std::max(stack_size, wanted), stack_count = std::max(stack_count, count);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    stacks = (char*)mmap(nullptr, stack_size * stack_count, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (stacks == MAP_FAILED) die(print("no room for %zu stacks of %zu bytes", stack_count, stack_size));
}

void Scheduler::start(Block& b) {
    size_t count = (size_t)b.nx * b.ny * b.nz, i = 0;
    make_room(count);
    threads.assign(count, Thread{});
    for (u32 z = 0; z < b.nz; ++z)
        for (u32 y = 0; y < b.ny; ++y)
            for (u32 x = 0; x < b.nx; ++x, ++i) {
                Thread& t = threads[i];
                t.block = &b, t.x = x, t.y = y, t.z = z, t.id = i;
                void** top = (void**)(stacks + stack_size * (i + 1) - 64);
                *--top = nullptr;  // the ABI wants the stack at 16 n + 8 where a function begins
                *--top = (void*)thread_begins;
                t.stack = top - SAVED;
                memset(t.stack, 0, SAVED * sizeof(void*));
            }
}

// ------------------------------------------------------------------ order

static std::vector<size_t> in_order(size_t count) {
    static std::mt19937 generator(12345);  // the same shuffles at every run
    std::vector<size_t> numbers(count);
    for (size_t i = 0; i < count; ++i) numbers[i] = settings().order == Order::backward ? count - 1 - i : i;
    if (settings().order == Order::shuffled) std::shuffle(numbers.begin(), numbers.end(), generator);
    return numbers;
}

static void run_warp(Scheduler& s, size_t first, size_t end) {  // until each of its threads is done or at a barrier
    do {
        for (size_t lane : in_order(end - first))
            if (s.threads[first + lane].state == READY) s.run(s.threads[first + lane]);
    } while (finish_warp_operations(&s.threads[first], end - first));
}

// ------------------------------------------------------------------ barriers

static void note_early_leavers(const Block& b, size_t left) {  // allowed, but rarely meant; CuPy's own scan does it
    static std::set<std::string> said;
    if (left && strncmp(b.kernel, "cupy_", 5) && said.insert(b.kernel).second)
        say(print("warning: kernel %s: %zu threads had left before a barrier of all", b.kernel, left));
}

static void open_barrier(const std::vector<Thread*>& waiting) {
    u64 count = 0, all = waiting.size();
    for (Thread* t : waiting) count += t->value != 0;
    for (Thread* t : waiting) {
        switch (t->operation) {
        case BARRIER_POPC: t->result = count; break;
        case BARRIER_AND: t->result = count == all; break;
        case BARRIER_OR: t->result = count > 0; break;
        }
        t->state = READY;
    }
}

// Opens every barrier at which all have arrived; false where there is none.
static bool open_barriers(Scheduler& s, Block& b, size_t finished) {
    std::set<u32> numbers;
    for (Thread& t : s.threads)
        if (t.state == AT_BARRIER) numbers.insert(t.barrier);
    bool opened = false;
    for (u32 number : numbers) {
        std::vector<Thread*> waiting;
        for (Thread& t : s.threads)
            if (t.state == AT_BARRIER && t.barrier == number) waiting.push_back(&t);
        u32 expected = waiting.back()->expected;
        if (waiting.size() < (expected ? expected : s.threads.size() - finished)) continue;
        if (!expected) note_early_leavers(b, finished);
        open_barrier(waiting);
        b.epoch++;
        opened = true;
    }
    return opened;
}

void run_block(const KernelInfo& kernel, Block& b) {
    Scheduler& s = scheduler;
    s.kernel = &kernel;
    s.start(b);
    size_t count = s.threads.size();
    for (;;) {
        for (size_t warp : in_order((count + 31) / 32)) run_warp(s, warp * 32, std::min(count, warp * 32 + 32));
        size_t finished = 0;
        Thread* waits = nullptr;
        for (Thread& t : s.threads) {
            finished += t.state == FINISHED;
            if (t.state == AT_BARRIER) waits = &t;
            if (t.state == IN_WARP_OPERATION)
                die_in(&t, "deadlock: a warp operation for which not all the lanes it names arrived");
        }
        if (finished == count) return;
        if (!open_barriers(s, b, finished)) die_in(waits, "deadlock: not all threads of the block reached the barrier");
    }
}
