// coroutines.h: the threads of a block whose kernel has barriers or warp operations: each has a stack of its own, and
// runs until it waits.
#pragma once
#include "../ptx/runtime/abi.h"

void run_block(const KernelInfo&, Block&);

// called by a thread of the kernel; they return when all that it waits for have arrived
void wait_at_barrier(Thread*, u32 number, u32 expected);
void wait_for_warp(Thread*);
