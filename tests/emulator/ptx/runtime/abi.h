// abi.h: what translated kernels (C) and the device (C++) share.
#pragma once
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef _Float16 f16;
typedef float f32;
typedef double f64;
typedef int pred;

#define ARENA 0x200000000000ull        // device addresses begin here
#define ARENA_SIZE (24ull << 30)
#define DELTA 0x100000000000ull        // the bytes of a device address lie so much further up

enum ThreadState { READY, AT_BARRIER, IN_WARP_OPERATION, FINISHED };
enum Operation {
    NO_REDUCTION, BARRIER_POPC, BARRIER_AND, BARRIER_OR,
    WARP_SYNC, SHFL_UP, SHFL_DOWN, SHFL_BFLY, SHFL_IDX,
    VOTE_ANY, VOTE_ALL, VOTE_UNI, VOTE_BALLOT, MATCH_ANY, MATCH_ALL,
    REDUX_ADD, REDUX_MIN, REDUX_MAX, REDUX_UMIN, REDUX_UMAX, REDUX_AND, REDUX_OR, REDUX_XOR,
};

typedef struct Thread {
    struct Block* block;
    void* stack;                // where it goes on when its turn comes
    u32 x, y, z, id;            // threadIdx, and its number in the block
    int state, operation;       // what it waits for
    u64 value;                  // what it brings to a barrier's reduction or a warp operation
    u32 b, c, mask;             // a warp operation's other operands, and the lanes that take part
    u64 result;
    pred flag;
    u32 barrier, expected;      // the barrier's number, and how many threads it waits for; 0: all
} Thread;

typedef struct Device {  // what a kernel asks of the device
    char* (*other_memory)(Thread*, u64 address, int size, const char* what);  // pinned memory, or the end
    void (*beyond_shared)(Thread*, u64 address, int size, const char* what);
    void (*misaligned)(Thread*, u64 address, int size, const char* what);
    void (*barrier)(Thread*, u32 number, u32 expected);
    void (*warp)(Thread*);
    void (*die)(Thread*, const char* what);
    int (*print)(Thread*, u64 format, u64 arguments);
    void (*global_access)(Thread*, u64 address, int size, const char* what);  // these two only with -DRACES
    void (*shared_access)(Thread*, u64 address, int size, const char* what);
} Device;

typedef struct Block {
    const Device* device;
    char *params, *shared;
    u32 shared_size, dynamic_size;
    u32 nx, ny, nz, gx, gy, gz, bx, by, bz;  // blockDim, gridDim, blockIdx
    const char* kernel;
    u64 clock;
    void* scheduler;
    u32 epoch, serial, launch;  // barriers passed; a number of its own; the launch's number
} Block;

typedef struct {
    const char* name;
    u64* address;
    u64 size;
    const u8* initial;
} GlobalInfo;
typedef struct {
    u32 offset, size;
} ParamInfo;
typedef struct {
    const char* name;
    void (*thread)(Thread*);
    void (*block)(Block*);      // all threads one after the other: for kernels that never wait
    const ParamInfo* params;
    u32 nparams, params_size, shared, local;
    pred waits, flushes;        // has barriers or warp operations; flushes denormals everywhere
    u32 max_threads;
} KernelInfo;
