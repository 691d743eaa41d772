// api.h: what every function of CUDA here needs: one lock, CUDA's way to report errors.
#pragma once
#include <cuda_runtime_api.h>

#include <mutex>

#define API extern "C" __attribute__((visibility("default")))

std::recursive_mutex& device_lock();  // CuPy calls from several threads
#define LOCK std::lock_guard<std::recursive_mutex> locked(device_lock())

cudaError_t fail(cudaError_t error, const char* where);  // remembered for cudaGetLastError
#define FAIL(error) return fail(error, __func__)
