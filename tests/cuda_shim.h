// Runs CUDA kernels on a CPU: the kernels' own text is compiled by a C++ compiler after this header.
//
// Threads of a block are fibers of one operating-system thread.  Between two barriers they run one after the other,
// forwards or backwards: where a __syncthreads() is missing, the two orders give different numbers.  Shared memory
// is filled with NaN before each block.  A block whose threads do not all reach the same barrier is an error.
// Blocks run one after the other.  Warp intrinsics do not exist here: a kernel that uses one does not compile.
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __shared__ static
#define __syncthreads() shim::barrier(__LINE__)

struct dim3 {
    int x, y, z;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

using std::max;
using std::min;
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }

namespace shim {

constexpr size_t STACK = 128 << 10;

// A fiber lives as long as the process and runs one thread of one block after the other.  It is entered once by
// setcontext; after that _setjmp and _longjmp switch, which unlike swapcontext ask the operating system for nothing.
struct Fiber {
    std::unique_ptr<char[]> stack{new char[STACK]};
    ucontext_t context;
    jmp_buf resting;
    dim3 place;
    int line = 0;  // of the barrier it waits at
    bool entered = false, done = false;
};

static jmp_buf scheduler;
static std::vector<std::unique_ptr<Fiber>> fibers;
static Fiber* current;
static void (*body)(void*);
static void* body_argument;
static int block_number;

// Called where an array of shared memory is declared: the first thread of a block to come by fills it with NaN.
template <class T> void poison(int& poisoned, T& array) {
    if (poisoned != block_number) memset(&array, 0xff, sizeof array);
    poisoned = block_number;
}

inline void rest() {
    if (!_setjmp(current->resting)) _longjmp(scheduler, 1);
}

inline void barrier(int line) {
    current->line = line;
    rest();
}

inline void enter() {
    for (;;) {
        body(body_argument);
        current->done = true;
        rest();
    }
}

inline void resume(Fiber& fiber) {
    current = &fiber;
    threadIdx = fiber.place;
    if (_setjmp(scheduler)) return;
    if (fiber.entered) _longjmp(fiber.resting, 1);
    fiber.entered = true;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = STACK;
    makecontext(&fiber.context, enter, 0);
    setcontext(&fiber.context);
}

// 0, or the line of the barrier that not all threads of the block reached
inline int run_block(int threads, bool backwards) {
    ++block_number;
    for (int t = 0; t < threads; ++t) {
        fibers[t]->done = false;
        fibers[t]->place = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
    }
    for (bool running = true; running;) {
        running = false;
        int waiting = 0, line = 0;
        for (int k = 0; k < threads; ++k) {
            Fiber& fiber = *fibers[backwards ? threads - 1 - k : k];
            if (fiber.done) continue;
            resume(fiber);
            if (fiber.done) continue;
            running = true;
            if (waiting++ && fiber.line != line) return fiber.line;
            line = fiber.line;
        }
        if (waiting != 0 && waiting != threads) return line;
    }
    return 0;
}

template <class Call> int launch(const int* grid, const int* block, bool backwards, Call call) {
    gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
    const int threads = block[0] * block[1] * block[2];
    while (static_cast<int>(fibers.size()) < threads) fibers.push_back(std::make_unique<Fiber>());
    body = [](void* argument) { (*static_cast<Call*>(argument))(); };
    body_argument = &call;
    for (int z = 0; z < grid[2]; ++z)
        for (int y = 0; y < grid[1]; ++y)
            for (int x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                if (const int line = run_block(threads, backwards)) {
                    fibers.clear();  // they rest in the middle of the kernel
                    return line;
                }
            }
    return 0;
}

template <class... A, size_t... I>
int call(void (*kernel)(A...), void** arguments, const int* grid, const int* block, bool backwards,
         std::index_sequence<I...>) {
    const std::tuple<A...> values{*static_cast<A*>(arguments[I])...};
    return launch(grid, block, backwards, [&] { kernel(std::get<I>(values)...); });
}

// Runs a kernel whose arguments are at the given addresses, as cuLaunchKernel takes them.
template <class... A>
int run(void (*kernel)(A...), int count, void** arguments, const int* grid, const int* block, int backwards) {
    if (count != sizeof...(A)) return -1;
    return call(kernel, arguments, grid, block, backwards != 0, std::index_sequence_for<A...>());
}

}  // namespace shim
