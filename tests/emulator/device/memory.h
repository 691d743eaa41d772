// memory.h: the card's memory, and host memory that the card may read.
//
// A device address is not a host address: it lies in a range that nobody may touch, and the bytes are DELTA further
// up.  Host code that follows a device pointer therefore ends at once, and so does a kernel that follows a host
// pointer.  Each allocation ends at a page that may not be touched, is filled with 0xff (NaN, -1), and is unmapped
// when it is freed.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "../ptx/runtime/abi.h"

uint64_t allocate(size_t size);    // 0 where the card has no room left
bool release(uint64_t address);    // false where nothing begins there
size_t bytes_in_use();

inline bool is_device(const void* p) { return (uint64_t)p - ARENA < ARENA_SIZE; }
inline char* on_host(uint64_t address) { return (char*)(is_device((void*)address) ? address + DELTA : address); }
bool in_one_allocation(const void* p, size_t size);  // true of host memory, which is not ours to know
bool is_allocated(const void* p);

void pin(const void* p, size_t size);
size_t unpin(const void* p);       // its size, 0 where it is not pinned
bool is_pinned(const void* p);
bool is_pinned(uint64_t address, size_t size);

void watch_for_bad_addresses(const char* kernel);  // it runs now, and is named if it meets one; null: none runs
