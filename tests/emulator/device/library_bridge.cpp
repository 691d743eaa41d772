// What cublas.cpp, a library of its own, needs of the device.
#include "api.h"
#include "memory.h"
#include "races.h"
#include "settings.h"
#include "streams.h"

// The host's address of device memory, all of which lies in one allocation.
API void* emulator_host(const void* p, size_t size) {
    LOCK;
    if (!in_one_allocation(p, size)) die(print("cuBLAS: %zu bytes at %p are not in one allocation", size, p));
    mark_written((uint64_t)p, size);
    return on_host((uint64_t)p);
}

API int emulator_enqueue(void* stream, const char* name, const Work& work) {
    LOCK;
    return enqueue((cudaStream_t)stream, name, work, name);
}

API void emulator_not_emulated(const char* what) {
    die(std::string("not emulated: ") + what);
}
