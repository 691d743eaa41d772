#include "warp.h"

#include <algorithm>

#include "kernels.h"

struct Warp {  // the lanes that take part in one operation
    Thread* lanes;
    u32 present;

    template <class F> void each(F f) const {
        for (int lane = 0; lane < 32; ++lane)
            if (present >> lane & 1) f(lanes[lane], lane);
    }
};

static u32 combine(int operation, u32 a, u32 b) {
    switch (operation) {
    case REDUX_ADD: return a + b;
    case REDUX_AND: return a & b;
    case REDUX_OR: return a | b;
    case REDUX_XOR: return a ^ b;
    case REDUX_MIN: return std::min((int32_t)a, (int32_t)b);
    case REDUX_MAX: return std::max((int32_t)a, (int32_t)b);
    case REDUX_UMIN: return std::min(a, b);
    default: return std::max(a, b);
    }
}

static void reduce(const Warp& w, int operation) {
    u32 sum = 0;
    bool first = true;
    w.each([&](Thread& t, int) {
        sum = first ? t.value : combine(operation, sum, t.value);
        first = false;
    });
    w.each([&](Thread& t, int) { t.result = sum; });
}

static void vote(const Warp& w, int operation) {
    u32 ballot = 0;
    w.each([&](Thread& t, int lane) { ballot |= (u32)(t.value != 0) << lane; });
    w.each([&](Thread& t, int) {
        switch (operation) {
        case VOTE_ANY: t.result = ballot != 0; break;
        case VOTE_ALL: t.result = ballot == w.present; break;
        case VOTE_UNI: t.result = ballot == w.present || ballot == 0; break;
        default: t.result = ballot;
        }
    });
}

static void match(const Warp& w, int operation) {
    w.each([&](Thread& t, int) {
        u32 same = 0;
        w.each([&](Thread& other, int lane) { same |= (u32)(other.value == t.value) << lane; });
        t.flag = same == w.present;
        t.result = operation == MATCH_ANY || t.flag ? same : 0;
    });
}

// The formula of the PTX manual, `shfl.sync`; c holds the segment's mask and the last lane.
static void shuffle(const Warp& w, int operation) {
    w.each([&](Thread& t, int lane) {
        u32 clamp = t.c & 31, segment = t.c >> 8 & 31, b = t.b & 31;
        int last = (lane & segment) | (clamp & ~segment), first = lane & segment, from;
        switch (operation) {
        case SHFL_UP: from = lane - (int)b, t.flag = from >= last; break;
        case SHFL_DOWN: from = lane + (int)b, t.flag = from <= last; break;
        case SHFL_BFLY: from = lane ^ (int)b, t.flag = from <= last; break;
        default: from = first | (b & ~segment), t.flag = from <= last;
        }
        if (!t.flag) from = lane;
        t.result = w.present >> from & 1 ? w.lanes[from].value : 0xffffffffu;  // a lane that is not there: NaN, -1
    });
}

static void finish(const Warp& w, int operation) {
    switch (operation) {
    case WARP_SYNC: w.lanes[__builtin_ctz(w.present)].block->epoch++; break;  // generous: it orders one warp only
    case SHFL_UP: case SHFL_DOWN: case SHFL_BFLY: case SHFL_IDX: shuffle(w, operation); break;
    case VOTE_ANY: case VOTE_ALL: case VOTE_UNI: case VOTE_BALLOT: vote(w, operation); break;
    case MATCH_ANY: case MATCH_ALL: match(w, operation); break;
    default: reduce(w, operation);
    }
    w.each([](Thread& t, int) { t.state = READY; });
}

// The lanes that a waiting thread's operation names, if all have arrived; lanes that have left the kernel do not count.
static u32 arrived(const Thread* warp, size_t count, const Thread& t) {
    u32 present = 0;
    for (size_t lane = 0; lane < count; ++lane) {
        const Thread& u = warp[lane];
        if (!(t.mask >> lane & 1) || u.state == FINISHED) continue;
        if (u.state != IN_WARP_OPERATION || u.mask != t.mask || u.operation != t.operation) return 0;
        present |= 1u << lane;
    }
    return present;
}

bool finish_warp_operations(Thread* warp, size_t count) {
    bool any = false;
    for (size_t lane = 0; lane < count; ++lane) {
        Thread& t = warp[lane];
        if (t.state != IN_WARP_OPERATION) continue;
        if (!(t.mask >> lane & 1)) die_in(&t, "a warp operation whose mask does not name its own lane");
        if (u32 present = arrived(warp, count, t)) {
            finish({warp, present}, t.operation);
            any = true;
        }
    }
    return any;
}
