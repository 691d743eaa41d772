// kernels.h: running a kernel: a grid, block by block; the threads of a block take turns.
#pragma once
#include <cuda_runtime_api.h>

#include <string>

#include "../ptx/runtime/abi.h"

void run_grid(const KernelInfo&, dim3 grid, dim3 block, unsigned dynamic_shared, const std::string& params);

[[noreturn]] void die_in(const Thread*, const std::string& what);  // says kernel, block and thread
