// CUDA's functions for memory: allocating, copying, filling.
#include <string.h>
#include <sys/mman.h>

#include <memory>
#include <string>

#include "api.h"
#include "memory.h"
#include "races.h"
#include "settings.h"
#include "streams.h"

static const size_t PAGE = 4096;

API cudaError_t cudaMalloc(void** p, size_t size) {
    LOCK;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    *p = nullptr;
    if (!size) return cudaSuccess;
    *p = (void*)allocate(size);
    trace("allocated %zu bytes at %p", size, *p);
    if (!*p) FAIL(cudaErrorMemoryAllocation);
    return cudaSuccess;
}

API cudaError_t cudaFree(void* p) {
    LOCK;
    if (!p) return cudaSuccess;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    trace("free %p", p);
    run_everything();
    if (!release((uint64_t)p)) FAIL(cudaErrorInvalidValue);
    return cudaSuccess;
}

API cudaError_t cudaHostAlloc(void** p, size_t size, unsigned) {
    LOCK;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    *p = nullptr;
    if (!size) return cudaSuccess;
    size_t pages = (size + PAGE - 1) / PAGE * PAGE;
    void* memory = mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) FAIL(cudaErrorMemoryAllocation);
    pin(memory, pages);
    *p = memory;
    return cudaSuccess;
}

API cudaError_t cudaFreeHost(void* p) {
    LOCK;
    if (!p) return cudaSuccess;
    run_everything();
    size_t pages = unpin(p);
    if (!pages) FAIL(cudaErrorInvalidValue);
    munmap(p, pages);
    return cudaSuccess;
}

API cudaError_t cudaMemGetInfo(size_t* unused, size_t* total) {
    LOCK;
    *total = settings().memory;
    *unused = *total - bytes_in_use();
    return cudaSuccess;
}

API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
    LOCK;
    *a = cudaPointerAttributes{};
    a->devicePointer = a->hostPointer = (void*)p;
    if (is_allocated(p)) {
        a->type = cudaMemoryTypeDevice, a->hostPointer = nullptr;
    } else if (is_pinned(p)) {
        a->type = cudaMemoryTypeHost;
    } else {
        a->type = cudaMemoryTypeUnregistered, a->devicePointer = nullptr, a->device = -2;
    }
    return cudaSuccess;
}

// ------------------------------------------------------------------ copying

static bool is_pageable(const void* p) {
    return !is_device(p) && !is_pinned(p);
}

static bool is_of_kind(const void* to, const void* from, cudaMemcpyKind kind) {
    switch (kind) {
    case cudaMemcpyHostToHost: return !is_device(to) && !is_device(from);
    case cudaMemcpyHostToDevice: return is_device(to) && !is_device(from);
    case cudaMemcpyDeviceToHost: return !is_device(to) && is_device(from);
    case cudaMemcpyDeviceToDevice: return !is_pageable(to) && !is_pageable(from);
    default: return true;
    }
}

static Work copying(void* to, const void* from, size_t size) {
    char* target = on_host((uint64_t)to);
    auto finish = [=](const char* source) {
        memmove(target, source, size);
        mark_written((uint64_t)to, size);
    };
    if (!is_pageable(from)) return [=] { finish(on_host((uint64_t)from)); };
    auto staged = std::make_shared<std::string>((const char*)from, size);  // as CUDA does: it may change at once
    return [=] { finish(staged->data()); };
}

static cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream, bool wait) {
    const char* where = wait ? "cudaMemcpy" : "cudaMemcpyAsync";
    if (!size) return cudaSuccess;
    if (!is_of_kind(to, from, kind) || !in_one_allocation(to, size) || !in_one_allocation(from, size)) {
        say(print("%s: %zu bytes from %p to %p: not all of that is memory of kind %d", where, size, from, to,
                  (int)kind));
        return fail(cudaErrorInvalidValue, where);
    }
    Stream* s = find(stream);
    if (!s) return fail(cudaErrorInvalidResourceHandle, where);
    wait |= is_pageable(to);
    if (s->capture && (wait || is_pageable(from))) {
        s->capture->invalid = true;
        return fail(cudaErrorStreamCaptureUnsupported, where);
    }
    cudaError_t error = enqueue(stream, "copy", copying(to, from, size), where);
    return error || !wait ? error : wait_for(stream, where);
}

API cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
    LOCK;
    if (cudaError_t error = refuse_while_capturing(__func__)) return error;
    return copy(to, from, size, kind, nullptr, true);
}

API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
    LOCK;
    return copy(to, from, size, kind, stream, false);
}

API cudaError_t cudaMemsetAsync(void* p, int value, size_t size, cudaStream_t stream) {
    LOCK;
    if (!size) return cudaSuccess;
    if (is_pageable(p) || !in_one_allocation(p, size)) FAIL(cudaErrorInvalidValue);
    Work fill = [=] {
        memset(on_host((uint64_t)p), value, size);
        mark_written((uint64_t)p, size);
    };
    return enqueue(stream, "fill", fill, __func__);
}

API cudaError_t cudaMemset(void* p, int value, size_t size) {
    return cudaMemsetAsync(p, value, size, nullptr);
}
