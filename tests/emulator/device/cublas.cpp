// cublas.cpp: the functions of cuBLAS that products of float32 and float64 arrays reach, as loops on the host.
//
// Built as libcublas.so.13.  Others that CuPy's module names end the process and say so; build.py writes those.
#include <stdint.h>

#include <functional>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

// of libcuda.so.1: see library_bridge.cpp
extern "C" void* emulator_host(const void*, size_t size);
extern "C" int emulator_enqueue(void* stream, const char* name, const std::function<void()>&);
extern "C" void emulator_not_emulated(const char* what);

enum { SUCCESS = 0, INVALID_VALUE = 7, INTERNAL_ERROR = 14 };
enum { FLOAT32 = 0, FLOAT64 = 1 };  // cudaDataType

struct Handle {
    void* stream = nullptr;
    int pointer_mode = 0, math_mode = 0;  // pointer mode 1: scalars are on the device
};

API int cublasCreate_v2(Handle** h) {
    *h = new Handle;
    return SUCCESS;
}

API int cublasDestroy_v2(Handle* h) {
    delete h;
    return SUCCESS;
}

API int cublasGetVersion_v2(Handle*, int* version) {
    *version = 130000;
    return SUCCESS;
}

API int cublasGetPointerMode_v2(Handle* h, int* mode) {
    *mode = h->pointer_mode;
    return SUCCESS;
}

API int cublasSetPointerMode_v2(Handle* h, int mode) {
    h->pointer_mode = mode;
    return SUCCESS;
}

API int cublasGetStream_v2(Handle* h, void** stream) {
    *stream = h->stream;
    return SUCCESS;
}

API int cublasSetStream_v2(Handle* h, void* stream) {
    h->stream = stream;
    return SUCCESS;
}

API int cublasGetMathMode(Handle* h, int* mode) {
    *mode = h->math_mode;
    return SUCCESS;
}

API int cublasSetMathMode(Handle* h, int mode) {
    h->math_mode = mode;
    return SUCCESS;
}

API int cublasSetWorkspace_v2(Handle*, void*, size_t) {
    return SUCCESS;
}

static int enqueue(Handle* h, const char* name, const std::function<void()>& work) {
    return emulator_enqueue(h->stream, name, work) ? INTERNAL_ERROR : SUCCESS;
}

template <class T> static T scalar(const Handle* h, const T* p) {
    return h->pointer_mode ? *(const T*)emulator_host(p, sizeof(T)) : *p;
}

// The elements that a matrix of so many rows and columns spans, column-major as all here; on the host.
template <class T> static T* matrix(const T* p, int rows, int columns, int64_t stride) {
    size_t count = rows && columns ? (columns - 1) * stride + rows : 0;
    return count ? (T*)emulator_host(p, count * sizeof(T)) : nullptr;
}

// ------------------------------------------------------------------ matrix products

struct Product {  // C (m, n) = alpha op(A) (m, k) op(B) (k, n) + beta C
    bool a_transposed, b_transposed;
    int m, n, k;
    int64_t a_stride, b_stride, c_stride;

    bool is_valid() const {
        auto at_least = [](int64_t stride, int rows) { return stride >= (rows > 1 ? rows : 1); };
        return m >= 0 && n >= 0 && k >= 0 && at_least(a_stride, a_transposed ? k : m) &&
               at_least(b_stride, b_transposed ? n : k) && at_least(c_stride, m);
    }

    template <class T> T b_at(const T* b, int p, int j) const {
        return b_transposed ? b[j + p * b_stride] : b[p + j * b_stride];
    }

    template <class T> void add_columns(const T* a, const T* b, int j, T* column) const {
        for (int p = 0; p < k; ++p) {
            T factor = b_at(b, p, j);
            const T* x = a + p * a_stride;
            for (int i = 0; i < m; ++i) column[i] += x[i] * factor;
        }
    }

    template <class T> void dot_columns(const T* a, const T* b, int j, T* column) const {
        for (int i = 0; i < m; ++i) {
            const T* x = a + i * a_stride;
            T sums[8] = {};  // eight, so that the compiler can take them at once
            int p = 0;
            for (; !b_transposed && p + 8 <= k; p += 8)
                for (int q = 0; q < 8; ++q) sums[q] += x[p + q] * b[p + q + j * b_stride];
            for (; p < k; ++p) sums[p % 8] += x[p] * b_at(b, p, j);
            column[i] = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        }
    }

    template <class T> void run(T alpha, const T* a, const T* b, T beta, T* c) const {
        if (!m || !n) return;
        a = matrix(a, a_transposed ? k : m, a_transposed ? m : k, a_stride);
        b = matrix(b, b_transposed ? n : k, b_transposed ? k : n, b_stride);
        c = matrix(c, m, n, c_stride);
        std::vector<T> column(m);
        for (int j = 0; j < n; ++j) {
            std::fill(column.begin(), column.end(), T(0));
            if (a_transposed) dot_columns(a, b, j, column.data());
            else add_columns(a, b, j, column.data());
            for (int i = 0; i < m; ++i) {
                T& y = c[i + j * c_stride];
                y = alpha * column[i] + (beta == 0 ? T(0) : beta * y);  // beta 0: what is there may be NaN
            }
        }
    }
};

template <class T> struct Batch {  // count products, whose matrices lie so many elements apart
    const T *alpha, *a;
    long long a_step;
    const T* b;
    long long b_step;
    const T *beta;
    T* c;
    long long c_step;
    int count;
};

template <class T> static int multiply(Handle* h, const Product& product, const Batch<T>& x) {
    if (!product.is_valid()) return INVALID_VALUE;
    T alpha = scalar(h, x.alpha), beta = scalar(h, x.beta);
    return enqueue(h, "gemm", [=] {
        for (int i = 0; i < x.count; ++i)
            product.run(alpha, x.a + i * x.a_step, x.b + i * x.b_step, beta, x.c + i * x.c_step);
    });
}

template <class T>
static int multiply_listed(Handle* h, const Product& product, const T* alpha, const T* const* a, const T* const* b,
                           const T* beta, T* const* c, int count) {  // the lists are on the device
    if (!product.is_valid()) return INVALID_VALUE;
    T p = scalar(h, alpha), q = scalar(h, beta);
    return enqueue(h, "gemm", [=] {
        auto host_a = matrix(a, count, 1, count), host_b = matrix(b, count, 1, count);
        auto host_c = matrix(c, count, 1, count);
        for (int i = 0; i < count; ++i) product.run(p, host_a[i], host_b[i], q, host_c[i]);
    });
}

#define GEMM(LETTER, T)                                                                                              \
    API int cublas##LETTER##gemm_v2(Handle* h, int ta, int tb, int m, int n, int k, const T* alpha, const T* a,     \
                                    int lda, const T* b, int ldb, const T* beta, T* c, int ldc) {                    \
        return multiply<T>(h, {ta != 0, tb != 0, m, n, k, lda, ldb, ldc}, {alpha, a, 0, b, 0, beta, c, 0, 1});      \
    }                                                                                                                \
    API int cublas##LETTER##gemmStridedBatched(Handle* h, int ta, int tb, int m, int n, int k, const T* alpha,      \
                                               const T* a, int lda, long long a_step, const T* b, int ldb,          \
                                               long long b_step, const T* beta, T* c, int ldc, long long c_step,    \
                                               int count) {                                                          \
        return multiply<T>(h, {ta != 0, tb != 0, m, n, k, lda, ldb, ldc},                                            \
                           {alpha, a, a_step, b, b_step, beta, c, c_step, count});                                   \
    }                                                                                                                \
    API int cublas##LETTER##gemmBatched(Handle* h, int ta, int tb, int m, int n, int k, const T* alpha,             \
                                        const T* const* a, int lda, const T* const* b, int ldb, const T* beta,      \
                                        T* const* c, int ldc, int count) {                                           \
        return multiply_listed<T>(h, {ta != 0, tb != 0, m, n, k, lda, ldb, ldc}, alpha, a, b, beta, c, count);      \
    }
GEMM(S, float)
GEMM(D, double)

static void refuse_types(int a, int b, int c) {
    if (a != b || a != c || (a != FLOAT32 && a != FLOAT64)) emulator_not_emulated("cublasGemm...Ex of these types");
}

API int cublasGemmStridedBatchedEx(Handle* h, int ta, int tb, int m, int n, int k, const void* alpha, const void* a,
                                   int a_type, int lda, long long a_step, const void* b, int b_type, int ldb,
                                   long long b_step, const void* beta, void* c, int c_type, int ldc, long long c_step,
                                   int count, int, int) {
    refuse_types(a_type, b_type, c_type);
    Product product{ta != 0, tb != 0, m, n, k, lda, ldb, ldc};
    auto run = [&](auto zero) {
        typedef decltype(zero) T;
        return multiply<T>(h, product, {(const T*)alpha, (const T*)a, a_step, (const T*)b, b_step, (const T*)beta,
                                        (T*)c, c_step, count});
    };
    return a_type == FLOAT64 ? run(0.0) : run(0.0f);
}

API int cublasGemmEx(Handle* h, int ta, int tb, int m, int n, int k, const void* alpha, const void* a, int a_type,
                     int lda, const void* b, int b_type, int ldb, const void* beta, void* c, int c_type, int ldc,
                     int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, a, a_type, lda, 0, b, b_type, ldb, 0, beta, c, c_type,
                                      ldc, 0, 1, compute, algorithm);
}

API int cublasSgemmEx(Handle* h, int ta, int tb, int m, int n, int k, const float* alpha, const void* a, int a_type,
                      int lda, const void* b, int b_type, int ldb, const float* beta, void* c, int c_type, int ldc) {
    return cublasGemmEx(h, ta, tb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, 0, 0);
}

// ------------------------------------------------------------------ vectors

template <class T>
static int multiply_vector(Handle* h, bool transposed, int m, int n, const T* alpha, const T* a, int lda, const T* x,
                           int x_step, const T* beta, T* y, int y_step) {
    T p = scalar(h, alpha), q = scalar(h, beta);
    int inputs = transposed ? m : n, outputs = transposed ? n : m;
    return enqueue(h, "gemv", [=] {
        const T *host_a = matrix(a, m, n, lda), *from = matrix(x, 1, inputs, x_step);
        T* to = matrix(y, 1, outputs, y_step);
        for (int64_t i = 0; i < outputs; ++i) {
            T sum = 0;
            for (int64_t j = 0; j < inputs; ++j)
                sum += host_a[transposed ? j + i * lda : i + j * lda] * from[j * x_step];
            to[i * y_step] = p * sum + (q == 0 ? T(0) : q * to[i * y_step]);
        }
    });
}

template <class T> static int dot(Handle* h, int n, const T* x, int x_step, const T* y, int y_step, T* result) {
    if (!h->pointer_mode) emulator_not_emulated("a dot product whose result goes to the host");
    return enqueue(h, "dot", [=] {
        const T *a = matrix(x, 1, n, x_step), *b = matrix(y, 1, n, y_step);
        T sums[8] = {};
        for (int64_t i = 0; i < n; ++i) sums[i % 8] += a[i * x_step] * b[i * y_step];
        *(T*)emulator_host(result, sizeof(T)) =
            ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    });
}

#define VECTORS(LETTER, T)                                                                                           \
    API int cublas##LETTER##gemv_v2(Handle* h, int transposed, int m, int n, const T* alpha, const T* a, int lda,   \
                                    const T* x, int x_step, const T* beta, T* y, int y_step) {                       \
        return multiply_vector<T>(h, transposed != 0, m, n, alpha, a, lda, x, x_step, beta, y, y_step);              \
    }                                                                                                                \
    API int cublas##LETTER##dot_v2(Handle* h, int n, const T* x, int x_step, const T* y, int y_step, T* result) {   \
        return dot<T>(h, n, x, x_step, y, y_step, result);                                                           \
    }
VECTORS(S, float)
VECTORS(D, double)
