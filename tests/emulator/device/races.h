// races.h: EMULATOR_RACES=1: who touched each byte last, and whether anything was ordered in between.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "../ptx/runtime/abi.h"

void mark_unwritten(uint64_t address, size_t size);
void mark_written(uint64_t address, size_t size);  // by the host, a copy or a library: ordered before all that follows
void global_access(Thread*, u64 address, int size, const char* what);
void shared_access(Thread*, u64 address, int size, const char* what);
