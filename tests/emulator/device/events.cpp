// Events: a place in a stream's work, for other streams or the host to wait for.
#include <algorithm>
#include <chrono>

#include "api.h"
#include "settings.h"
#include "streams.h"

static std::set<Event*> events;

bool exists(const Event* e) {
    return events.count((Event*)e);
}

void forget_events_of(const Capture* capture) {
    for (Event* e : events)
        if (e->capture == capture) e->capture = nullptr, e->valid = false;
}

void forget_events_of(const Stream* stream) {
    for (Event* e : events)
        if (e->stream == stream) e->stream = nullptr;
}

static double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
    LOCK;
    Event* e = new Event;
    e->flags = flags;
    events.insert(e);
    *handle = (cudaEvent_t)e;
    return cudaSuccess;
}

API cudaError_t cudaEventCreate(cudaEvent_t* handle) {
    return cudaEventCreateWithFlags(handle, 0);
}

API cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    LOCK;
    if (!events.erase((Event*)handle)) FAIL(cudaErrorInvalidResourceHandle);
    delete (Event*)handle;
    return cudaSuccess;
}

static cudaError_t record_in_capture(Event* e, Stream* s) {
    if (s->capture->invalid) return fail(cudaErrorStreamCaptureInvalidated, "cudaEventRecord");
    e->capture = s->capture, e->tails = s->tails;
    e->valid = e->recorded = true;
    return cudaSuccess;
}

API cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
    LOCK;
    Stream* s = find(stream);
    Event* e = (Event*)handle;
    if (!s || !exists(e)) FAIL(cudaErrorInvalidResourceHandle);
    if (s->capture) return record_in_capture(e, s);
    e->capture = nullptr, e->stream = s;
    e->valid = e->recorded = true;
    cudaError_t error = enqueue(stream, "event", [e] { if (exists(e)) e->time = now(); }, __func__);
    e->number = s->given;
    return error;
}

API cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    LOCK;
    Event* e = (Event*)handle;
    if (!exists(e)) FAIL(cudaErrorInvalidResourceHandle);
    if (e->capture) e->capture->invalid = true;
    if (e->capture || !e->valid) FAIL(cudaErrorCapturedEvent);
    if (e->stream && exists(e->stream)) e->stream->run_until(e->number);
    return cudaSuccess;
}

API cudaError_t cudaEventQuery(cudaEvent_t handle) {
    return cudaEventSynchronize(handle);
}

API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t first, cudaEvent_t second) {
    LOCK;
    for (Event* e : {(Event*)first, (Event*)second}) {
        if (!exists(e) || e->flags & cudaEventDisableTiming || !e->recorded) FAIL(cudaErrorInvalidResourceHandle);
        if (e->capture) FAIL(cudaErrorCapturedEvent);
        if (e->stream && exists(e->stream) && e->stream->done < e->number) FAIL(cudaErrorNotReady);
    }
    *milliseconds = (((Event*)second)->time - ((Event*)first)->time) * 1e3;
    return cudaSuccess;
}

// The stream joins the event's capture.
static cudaError_t wait_in_capture(Stream* s, Event* e) {
    const char* where = "cudaStreamWaitEvent";
    Capture* c = e->capture;
    if (c->invalid) return fail(cudaErrorStreamCaptureInvalidated, where);
    if (s == &legacy) {
        c->invalid = true;
        return fail(cudaErrorStreamCaptureImplicit, where);
    }
    if (s->capture && s->capture != c) {
        c->invalid = s->capture->invalid = true;
        return fail(cudaErrorStreamCaptureMerge, where);
    }
    if (!s->capture) {
        s->run_all();
        s->capture = c, s->tails.clear();
        c->streams.insert(s);
    }
    for (int tail : e->tails)
        if (std::find(s->tails.begin(), s->tails.end(), tail) == s->tails.end()) s->tails.push_back(tail);
    return cudaSuccess;
}

API cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
    LOCK;
    Stream* s = find(stream);
    Event* e = (Event*)handle;
    if (!s || !exists(e)) FAIL(cudaErrorInvalidResourceHandle);
    if (e->capture) return wait_in_capture(s, e);
    if (!e->recorded) return cudaSuccess;
    if (s->capture) {  // an event from outside cannot be part of a graph
        s->capture->invalid = true;
        FAIL(cudaErrorStreamCaptureIsolation);
    }
    if (!e->valid || !e->stream) return cudaSuccess;
    Stream* other = e->stream;
    uint64_t number = e->number;
    return enqueue(stream, "wait for an event", [=] { if (exists(other)) other->run_until(number); }, __func__);
}
