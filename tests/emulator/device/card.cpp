// What the card says of itself, and CUDA's functions that have little to do: there is one card, and one context.
#include <stdio.h>
#include <string.h>

#include <string>

#include "api.h"
#include "settings.h"

static thread_local cudaError_t last_error = cudaSuccess;

cudaError_t fail(cudaError_t error, const char* where) {
    last_error = error;
    trace("%s: error %d", where, (int)error);
    return error;
}

API cudaError_t cudaGetLastError() {
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

API cudaError_t cudaPeekAtLastError() {
    return last_error;
}

API cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

API cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}

API cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}

API cudaError_t cudaSetDevice(int device) {
    if (device) FAIL(cudaErrorInvalidDevice);
    return cudaSuccess;
}

API cudaError_t cudaInitDevice(int, unsigned, unsigned) {
    return cudaSuccess;
}

API cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 0;
    return cudaSuccess;
}

API cudaError_t cudaProfilerStart() {
    return cudaSuccess;
}

API cudaError_t cudaProfilerStop() {
    return cudaSuccess;
}

API cudaError_t cudaDeviceGetPCIBusId(char* id, int size, int) {
    snprintf(id, size, "0000:00:00.0");
    return cudaSuccess;
}

// ------------------------------------------------------------------ sizes, those of an H100

API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    if (device) FAIL(cudaErrorInvalidDevice);
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = settings().capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = settings().capability % 10; break;
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY: *value = 1024; break;
    case cudaDevAttrMaxBlockDimZ: *value = 64; break;
    case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = 65536 - (attribute <= cudaDevAttrMaxGridDimZ); break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 233472; break;
    case cudaDevAttrTotalConstantMemory: *value = 65536; break;
    case cudaDevAttrL2CacheSize: *value = 50 << 20; break;
    case cudaDevAttrWarpSize:
    case cudaDevAttrMaxBlocksPerMultiprocessor: *value = 32; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrMultiProcessorCount: *value = 132; break;
    case cudaDevAttrClockRate: *value = 1980000; break;
    case cudaDevAttrMemoryClockRate: *value = 2619000; break;
    case cudaDevAttrGlobalMemoryBusWidth: *value = 5120; break;
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrStreamPrioritiesSupported: *value = 1; break;
    default: *value = 0;
    }
    return cudaSuccess;
}

API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
    if (device) FAIL(cudaErrorInvalidDevice);
    *p = cudaDeviceProp{};
    snprintf(p->name, sizeof p->name, "emulated card sm_%d", settings().capability);
    p->major = settings().capability / 10, p->minor = settings().capability % 10;
    p->totalGlobalMem = settings().memory, p->totalConstMem = 65536, p->l2CacheSize = 50 << 20;
    p->sharedMemPerBlock = 49152, p->sharedMemPerBlockOptin = 232448, p->sharedMemPerMultiprocessor = 233472;
    p->reservedSharedMemPerBlock = 1024;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->warpSize = 32, p->maxThreadsPerBlock = 1024, p->maxThreadsPerMultiProcessor = 2048;
    p->multiProcessorCount = 132, p->maxBlocksPerMultiProcessor = 32;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024, p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 2147483647, p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->memPitch = 2147483647, p->textureAlignment = 512, p->memoryBusWidth = 5120;
    p->canMapHostMemory = p->concurrentKernels = p->unifiedAddressing = p->streamPrioritiesSupported = 1;
    return cudaSuccess;
}

// ------------------------------------------------------------------ the driver's

// NVRTC asks, and would use private tables of the driver if it found a card; CuPy never asks.
API int cuInit(unsigned) {
    return 100;  // CUDA_ERROR_NO_DEVICE
}

API int cuDriverGetVersion(int* version) {
    *version = 13000;
    return 0;
}

static int context;

API int cuCtxGetCurrent(void** current) {
    *current = &context;
    return 0;
}

API int cuCtxSetCurrent(void*) {
    return 0;
}

API int cuCtxGetDevice(int* device) {
    *device = 0;
    return 0;
}

API int cuDevicePrimaryCtxRelease_v2(int) {
    return 0;
}

API int cuStreamGetCtx(void*, void** current) {
    *current = &context;
    return 0;
}

API int cuGetErrorName(int error, const char** name) {
    static thread_local char other[40];
    switch (error) {
    case 1: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case 200: *name = "CUDA_ERROR_INVALID_IMAGE"; break;
    case 400: *name = "CUDA_ERROR_INVALID_HANDLE"; break;
    case 500: *name = "CUDA_ERROR_NOT_FOUND"; break;
    case 701: *name = "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"; break;
    case 900: *name = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; break;
    case 901: *name = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"; break;
    case 906: *name = "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"; break;
    default: snprintf(other, sizeof other, "CUDA_ERROR_%d", error), *name = other;
    }
    return 0;
}

API int cuGetErrorString(int, const char** text) {
    *text = "from the emulated device";
    return 0;
}
