#include "streams.h"

#include "api.h"
#include "settings.h"

Stream legacy;
static Stream per_thread;
static std::set<Stream*> streams;

std::recursive_mutex& device_lock() {
    static std::recursive_mutex lock;
    return lock;
}

Stream* find(cudaStream_t handle) {
    uintptr_t value = (uintptr_t)handle;
    if (value == 0 || value == (uintptr_t)cudaStreamLegacy) return &legacy;
    if (value == (uintptr_t)cudaStreamPerThread) return &per_thread;
    return streams.count((Stream*)handle) ? (Stream*)handle : nullptr;
}

bool exists(const Stream* s) {
    return s == &legacy || s == &per_thread || streams.count((Stream*)s);
}

void Stream::run_until(uint64_t number) {
    if (busy) return;
    busy = true;
    while (done < number && !waiting.empty()) {
        Work work = std::move(waiting.front());
        waiting.pop_front();
        ++done;
        work();
    }
    busy = false;
}

static void run_blocking_streams() {
    per_thread.run_all();
    for (Stream* s : streams)
        if (s->blocking()) s->run_all();
}

void run_everything() {
    legacy.run_all();
    per_thread.run_all();
    for (Stream* s : streams) s->run_all();
}

// ------------------------------------------------------------------ captures

std::set<Capture*>& captures() {
    static std::set<Capture*> all;
    return all;
}

Capture* capture_of_a_blocking_stream() {
    for (Capture* c : captures())
        for (Stream* s : c->streams)
            if (s->blocking()) return c;
    return nullptr;
}

static cudaError_t spoil(Capture* capture, cudaError_t error, const char* where) {
    capture->invalid = true;
    return fail(error, where);
}

cudaError_t refuse_while_capturing(const char* where) {
    for (Capture* c : captures())
        if (c->mode != cudaStreamCaptureModeRelaxed) return spoil(c, cudaErrorStreamCaptureUnsupported, where);
    return cudaSuccess;
}

static cudaError_t add_node(Stream* s, const std::string& name, Work work, const char* where) {
    if (s->capture->invalid) return fail(cudaErrorStreamCaptureInvalidated, where);
    auto& nodes = s->capture->graph.nodes;
    nodes.push_back({name, std::move(work), s->tails});
    s->tails = {(int)nodes.size() - 1};
    trace("captured %s", name.c_str());
    return cudaSuccess;
}

// ------------------------------------------------------------------ work

cudaError_t enqueue(cudaStream_t handle, const std::string& name, Work work, const char* where) {
    Stream* s = find(handle);
    if (!s) return fail(cudaErrorInvalidResourceHandle, where);
    if (s->capture) return add_node(s, name, std::move(work), where);
    if (s == &legacy) {
        if (Capture* c = capture_of_a_blocking_stream()) return spoil(c, cudaErrorStreamCaptureImplicit, where);
        run_blocking_streams();
    } else if (s->blocking()) {
        legacy.run_all();
    }
    trace("%s %s on %p", settings().lagging ? "queued" : "run", name.c_str(), (void*)handle);
    s->waiting.push_back(std::move(work));
    s->given++;
    if (!settings().lagging) s->run_all();
    return cudaSuccess;
}

cudaError_t wait_for(cudaStream_t handle, const char* where) {
    Stream* s = find(handle);
    if (!s) return fail(cudaErrorInvalidResourceHandle, where);
    if (s->capture) return spoil(s->capture, cudaErrorStreamCaptureUnsupported, where);
    if (s == &legacy) {
        if (Capture* c = capture_of_a_blocking_stream()) return spoil(c, cudaErrorStreamCaptureImplicit, where);
        run_blocking_streams();
    }
    s->run_all();
    return cudaSuccess;
}

// ------------------------------------------------------------------ CUDA's functions

API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned flags, int priority) {
    LOCK;
    Stream* s = new Stream;
    s->flags = flags, s->priority = priority;
    streams.insert(s);
    *handle = (cudaStream_t)s;
    return cudaSuccess;
}

API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
    return cudaStreamCreateWithPriority(handle, flags, 0);
}

API cudaError_t cudaStreamCreate(cudaStream_t* handle) {
    return cudaStreamCreateWithPriority(handle, 0, 0);
}

API cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    LOCK;
    Stream* s = find(handle);
    if (!s || s == &legacy || s == &per_thread) FAIL(cudaErrorInvalidResourceHandle);
    if (s->capture) {
        s->capture->streams.erase(s);
        return spoil(s->capture, cudaErrorStreamCaptureUnsupported, __func__);
    }
    s->run_all();
    forget_events_of(s);
    streams.erase(s);
    delete s;
    return cudaSuccess;
}

API cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
    LOCK;
    Stream* s = find(handle);
    if (!s) FAIL(cudaErrorInvalidResourceHandle);
    *flags = s->flags;
    return cudaSuccess;
}

API cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
    LOCK;
    Stream* s = find(handle);
    if (!s) FAIL(cudaErrorInvalidResourceHandle);
    *priority = s->priority;
    return cudaSuccess;
}

API cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0, *greatest = -5;
    return cudaSuccess;
}

API cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    LOCK;
    trace("wait for stream %p", (void*)handle);
    return wait_for(handle, __func__);
}

API cudaError_t cudaStreamQuery(cudaStream_t handle) {  // a device that is done whenever it is asked
    LOCK;
    return wait_for(handle, __func__);
}

API cudaError_t cudaDeviceSynchronize() {
    LOCK;
    for (Capture* c : captures()) c->invalid = true;
    if (!captures().empty()) FAIL(cudaErrorStreamCaptureUnsupported);
    run_everything();
    return cudaSuccess;
}

API cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
    LOCK;
    return enqueue(handle, "host function", [=] { function(data); }, __func__);
}

API cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t function, void* data, unsigned) {
    LOCK;
    Stream* s = find(handle);
    if (s && s->capture) return spoil(s->capture, cudaErrorStreamCaptureUnsupported, __func__);
    return enqueue(handle, "callback", [=] { function(handle, cudaSuccess, data); }, __func__);
}
