// The functions of CUB and Thrust that CuPy's wheel has precompiled and that NumPy's names lead to, on the host.
// CuPy's ids of types and operations are those of cupy_cub.h; a call without workspace asks how large it must be.
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "api.h"
#include "memory.h"
#include "races.h"
#include "settings.h"
#include "streams.h"

#define VISIBLE __attribute__((visibility("default")))

enum Operation_ { SUM, MIN, MAX, ARGMIN, ARGMAX, CUMSUM, CUMPROD, PROD };

template <class F> static void with_type(int id, F f) {
    switch (id) {
    case 0: return f((int8_t)0);
    case 1: return f((uint8_t)0);
    case 2: return f((int16_t)0);
    case 3: return f((uint16_t)0);
    case 4: return f((int32_t)0);
    case 5: return f((uint32_t)0);
    case 6: return f((int64_t)0);
    case 7: return f((uint64_t)0);
    case 8: return f((f16)0);
    case 9: return f(0.0f);
    case 10: return f(0.0);
    case 13: return f(false);
    default: die(print("not emulated: CUB or Thrust on type %d (complex)", id));
    }
}

static char* checked(const void* p, size_t size, const char* where) {
    if (size && (!is_device(p) || !in_one_allocation(p, size)))
        die(print("%s: %zu bytes at %p are not in one allocation", where, size, p));
    return on_host((uint64_t)p);
}

template <class T> static T* output(void* p, size_t count, const char* where) {
    T* at = (T*)checked(p, count * sizeof(T), where);
    mark_written((uint64_t)p, count * sizeof(T));
    return at;
}

template <class T> static const T* input(const void* p, size_t count, const char* where) {
    return (const T*)checked(p, count * sizeof(T), where);
}

// ------------------------------------------------------------------ reductions

template <class T> struct Sum {
    typedef T type;
};
template <> struct Sum<f16> {
    typedef float type;
};

// As a tree, as many threads would.
template <class T> static typename Sum<T>::type combined(const T* x, size_t n, bool product) {
    typedef typename Sum<T>::type S;
    if (n == 0) return product;
    if (n == 1) return x[0];
    S a = combined(x, n / 2, product), b = combined(x + n / 2, n - n / 2, product);
    return (S)(product ? a * b : a + b);
}

template <class T> static size_t place_of_best(const T* x, size_t n, bool largest) {  // NaN is the best, then the first
    size_t best = 0;
    for (size_t i = 1; i < n && x[best] == x[best]; ++i)
        if (x[i] != x[i] || (largest ? x[i] > x[best] : x[i] < x[best])) best = i;
    return best;
}

template <class T> static void reduce(const T* x, size_t n, int operation, void* y, size_t k, const char* where) {
    if (operation == SUM || operation == PROD) {
        output<T>((T*)y + k, 1, where)[0] = (T)combined(x, n, operation == PROD);
        return;
    }
    size_t best = place_of_best(x, n, operation == MAX || operation == ARGMAX);
    if (operation == MIN || operation == MAX) {
        output<T>((T*)y + k, 1, where)[0] = x[best];
        return;
    }
    struct Pair {
        int place;
        T value;
    };
    *output<Pair>((Pair*)y + k, 1, where) = {(int)best, x[best]};
}

VISIBLE void cub_device_reduce(void* workspace, size_t& size, void* x, void* y, int n, cudaStream_t stream,
                               int operation, int type) {
    if (!workspace) return void(size = 1);
    LOCK;
    enqueue(stream, "cub reduce", [=] {
        with_type(type, [&](auto zero) {
            typedef decltype(zero) T;
            reduce(input<T>(x, n, "cub reduce"), n, operation, y, 0, "cub reduce");
        });
    }, __func__);
}

VISIBLE void cub_device_segmented_reduce(void* workspace, size_t& size, void* x, void* y, int segments, int n,
                                         cudaStream_t stream, int operation, int type) {
    if (!workspace) return void(size = 1);
    LOCK;
    enqueue(stream, "cub segmented reduce", [=] {
        with_type(type, [&](auto zero) {
            typedef decltype(zero) T;
            const T* from = input<T>(x, (size_t)segments * n, "cub segmented reduce");
            for (int k = 0; k < segments; ++k) reduce(from + (size_t)k * n, n, operation, y, k, "cub segmented reduce");
        });
    }, __func__);
}

VISIBLE size_t cub_device_reduce_get_workspace_size(void*, void*, int, cudaStream_t, int, int) {
    return 1;
}

VISIBLE size_t cub_device_segmented_reduce_get_workspace_size(void*, void*, int, int, cudaStream_t, int, int) {
    return 1;
}

// ------------------------------------------------------------------ scans

VISIBLE void cub_device_scan(void* workspace, size_t& size, void* x, void* y, int n, cudaStream_t stream, int operation,
                             int type) {
    if (!workspace) return void(size = 1);
    LOCK;
    enqueue(stream, "cub scan", [=] {
        with_type(type, [&](auto zero) {
            typedef decltype(zero) T;
            const T* from = input<T>(x, n, "cub scan");
            T* to = output<T>(y, n, "cub scan");
            T sum = operation == CUMPROD;
            for (int i = 0; i < n; ++i) to[i] = sum = (T)(operation == CUMPROD ? sum * from[i] : sum + from[i]);
        });
    }, __func__);
}

VISIBLE size_t cub_device_scan_get_workspace_size(void*, void*, int, cudaStream_t, int, int) {
    return 1;
}

// ------------------------------------------------------------------ sorting, NaN last

template <class T> static bool before(T a, T b) {
    return a == a && (b != b || a < b);
}

static size_t rows_of(const std::vector<ptrdiff_t>& shape) {
    size_t rows = 1;
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    return rows;
}

VISIBLE void thrust_sort(int type, void* x, size_t*, const std::vector<ptrdiff_t>& shape, intptr_t stream, void*) {
    LOCK;
    size_t n = shape.back(), rows = rows_of(shape);
    enqueue((cudaStream_t)stream, "thrust sort", [=] {
        with_type(type, [&](auto zero) {
            typedef decltype(zero) T;
            T* all = output<T>(x, rows * n, "thrust sort");
            for (size_t r = 0; r < rows; ++r) std::stable_sort(all + r * n, all + (r + 1) * n, before<T>);
        });
    }, __func__);
}

VISIBLE void thrust_argsort(int type, size_t* places, void* x, void*, const std::vector<ptrdiff_t>& shape,
                            intptr_t stream, void*) {
    LOCK;
    size_t n = shape.back(), rows = rows_of(shape);
    enqueue((cudaStream_t)stream, "thrust argsort", [=] {
        with_type(type, [&](auto zero) {
            typedef decltype(zero) T;
            T* all = output<T>(x, rows * n, "thrust argsort");
            size_t* to = output<size_t>(places, rows * n, "thrust argsort");
            for (size_t r = 0; r < rows; ++r, all += n, to += n) {
                for (size_t i = 0; i < n; ++i) to[i] = i;
                std::stable_sort(to, to + n, [&](size_t a, size_t b) { return before(all[a], all[b]); });
                std::stable_sort(all, all + n, before<T>);
            }
        });
    }, __func__);
}
