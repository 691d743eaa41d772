// memory.h: loads and stores of a kernel, each checked: alignment, and that the address is one of its space.
#pragma once
#include <string.h>

#include "abi.h"
#define INLINE static inline __attribute__((always_inline))

INLINE char* global_at(Thread* t, u64 a, int size, const char* what) {
    if (a & (size - 1)) t->block->device->misaligned(t, a, size, what);
    if (__builtin_expect(a - ARENA >= ARENA_SIZE, 0)) return t->block->device->other_memory(t, a, size, what);
#ifdef RACES
    t->block->device->global_access(t, a, size, what);
#endif
    return (char*)(a + DELTA);
}

// A shared address is an offset.
INLINE char* shared_at(Thread* t, u64 a, int size, const char* what) {
    u32 offset = (u32)a;
    if (offset & (size - 1)) t->block->device->misaligned(t, offset, size, what);
    if (__builtin_expect((u64)offset + size > t->block->shared_size, 0))
        t->block->device->beyond_shared(t, offset, size, what);
#ifdef RACES
    t->block->device->shared_access(t, offset, size, what);
#endif
    return t->block->shared + offset;
}

// Local memory and parameters are the host's: a stack, an array.
INLINE char* local_at(Thread* t, u64 a, int size, const char* what) {
    if (a & (size - 1)) t->block->device->misaligned(t, a, size, what);
    return (char*)a;
}

// A generic address of shared memory is the host's address of it.
INLINE char* generic_at(Thread* t, u64 a, int size, const char* what) {
    if (a - ARENA < ARENA_SIZE) return global_at(t, a, size, what);
    if (a - (u64)t->block->shared < t->block->shared_size)
        return shared_at(t, a - (u64)t->block->shared, size, what);
    return local_at(t, a, size, what);
}

#define LOAD(T, p) ({ T loaded; memcpy(&loaded, (p), sizeof(T)); loaded; })
#define STORE(T, p, x) do { T stored = (x); memcpy((p), &stored, sizeof(T)); } while (0)

// Atomics return the old value.
#define ATOMIC(NAME, T, NEW)                                                            \
    INLINE T atom_##NAME(char* p, T x) {                                                \
        T old = LOAD(T, p);                                                             \
        STORE(T, p, (NEW));                                                             \
        return old;                                                                     \
    }
#define ATOMICS(T)                                                                      \
    ATOMIC(add_##T, T, old + x)                                                         \
    ATOMIC(min_##T, T, x < old ? x : old)                                               \
    ATOMIC(max_##T, T, x > old ? x : old)                                               \
    ATOMIC(and_##T, T, old & x)                                                         \
    ATOMIC(or_##T, T, old | x)                                                          \
    ATOMIC(xor_##T, T, old ^ x)                                                         \
    ATOMIC(exch_##T, T, x)                                                              \
    ATOMIC(inc_##T, T, old >= x ? 0 : old + 1)                                          \
    ATOMIC(dec_##T, T, old == 0 || old > x ? x : old - 1)                               \
    INLINE T atom_cas_##T(char* p, T expected, T x) {                                   \
        T old = LOAD(T, p);                                                             \
        if (old == expected) STORE(T, p, x);                                            \
        return old;                                                                     \
    }
ATOMICS(u32)
ATOMICS(s32)
ATOMICS(u64)
ATOMICS(s64)
ATOMIC(add_f32, f32, old + x)
ATOMIC(add_f64, f64, old + x)

INLINE u64 warp_operation(Thread* t, int operation, u64 value, u32 b, u32 c, u32 mask) {
    t->operation = operation, t->value = value, t->b = b, t->c = c, t->mask = mask;
    t->block->device->warp(t);
    return t->result;
}

INLINE void barrier(Thread* t, int operation, u64 value, u32 number, u32 expected) {
    t->operation = operation, t->value = value;
    t->block->device->barrier(t, number, expected);
}
