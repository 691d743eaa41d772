// common: what all kernels share: where training stands, activations, un-pooling, and SGD.
//
// Layout.  Every activation is a (C, H, W, N) array: the image index n is the fastest axis, as in the engine's ops.
// A warp is 32 neighbouring images, so every load and store of an activation is one full 128-byte line whatever the
// kernel size, stride, padding or pooling; no lane ever idles at a border, nothing is gathered through shared
// memory, and there are no bank conflicts.  All lanes need the same weight at the same time: one broadcast from
// shared memory.  (The usual choice, one image per block in NCHW, has none of these for images of 28x28.)
//
// Sizes are compile-time constants: each layer is a struct of `static constexpr int` (N, C, H, W, O, KH, KW, SH, SW,
// PH, PW, DH, DW, OH, OW as in ops/conv2d.py, and how its work is cut), and a kernel is a template over it.
//
// The convolutions ask for __launch_bounds__(threads, 1): a thread's sums must stay in registers, however many.
//
// Nothing here uses atomics: every sum over threads or blocks runs in a fixed order, so training gives the same
// bits every time.  The price is small: per-block partial sums are written once and read once, from cache.

// The layers that one launch takes care of together, each with blocks of its own.
template <class... Layer> struct Layers {};

enum Activation { IDENTITY, SIGMOID, RELU, TANH };
enum Pooling { NO_POOL, AVERAGE, MAXIMUM };

// What changes while a graph stays is in device memory, for scalar arguments would be frozen into the graph.  `begin`
// writes both; `finish` moves the state on from step to step.
struct State {
    const unsigned char* images;  // (total, C, H, W) all images of the epoch, on the device
    const long long* labels;      // (total,)
    const long long* order;       // (total,) which image comes when; null: as they lie
    float* losses;                // (steps,) the history: loss summed over the batch
    int* corrects;                // (steps,) and right answers
    int total;                    // images in the epoch
    int size;                     // of a batch, at most N
    int batch;                    // number of the batch that the next step takes
    int step;                     // steps since `begin`
};
struct Rule {
    float lr, momentum, decay;  // of SGD
};

// Images in this step's batch: fewer in the last batch of an epoch.  The lanes up to N carry zeros.
__device__ __forceinline__ int images_in_batch(const State* state) {
    return min(state->size, max(0, state->total - state->batch * state->size));
}

// Equals ops sigmoid, relu, tanh.  NaN stays NaN, so that a diverged run is noticed.
__device__ __forceinline__ float activate(int activation, float z) {
    if (activation == SIGMOID) return __fdividef(1.0f, 1.0f + __expf(-z));
    if (activation == RELU) return z < 0.0f ? 0.0f : z;
    if (activation == TANH) return tanhf(z);
    return z;
}

// The derivative of the activation, from its output y; so the input need not be kept.
__device__ __forceinline__ float slope(int activation, float y) {
    if (activation == SIGMOID) return y * (1.0f - y);
    if (activation == RELU) return y > 0.0f ? 1.0f : 0.0f;
    if (activation == TANH) return 1.0f - y * y;
    return 1.0f;
}

// What a layer gives back to the layer below it, B: the gradient dy of B's output at feature f = (c, h, w) of
// image n.  Equals the backward of B's pooling and then of its activation, and leaves dz, the gradient of B's
// weighted sum, ready for B's own gradients.  Every kernel that computes a data gradient ends with this call,
// so un-pooling and the activation's derivative cost neither a kernel nor a trip to memory.
//
//   y    (C, YH, YW, N) B's output          arg  the winner of each pooling window (maximum only)
//   dz   (C, OH, OW, N) out; for average pooling it holds B's activations until they are replaced here
template <class B>
__device__ __forceinline__ void give_back(float dy, int f, int n, const float* y, const unsigned char* arg, float* dz) {
    constexpr int N = B::N, YH = B::YH, YW = B::YW, OH = B::OH, OW = B::OW, QH = B::QH, QW = B::QW;
    const int at = f * N + n;
    if constexpr (B::POOL == NO_POOL) {
        dz[at] = dy * slope(B::ACTIVATION, y[at]);
        return;
    }
    const int c = f / (YH * YW), h = f / YW % YH, w = f % YW;
    float* window = dz + ((c * OH + h * QH) * OW + w * QW) * N + n;  // (QH, QW), its pixels N apart
    if constexpr (B::POOL == MAXIMUM) dy *= slope(B::ACTIVATION, y[at]);
    for (int u = 0; u < QH; ++u) {
        for (int v = 0; v < QW; ++v) {
            float* pixel = window + (u * OW + v) * N;
            if constexpr (B::POOL == AVERAGE) *pixel = dy / (QH * QW) * slope(B::ACTIVATION, *pixel);
            if constexpr (B::POOL == MAXIMUM) *pixel = arg[at] == u * QW + v ? dy : 0.0f;
        }
    }
}

// One parameter's step; equals optim.SGD.  S::MOMENTUM and S::NESTEROV say what is compiled, the numbers come from the
// rule.  With lr 0, momentum 1 and a gradient of zero nothing changes: that is how a graph is warmed up.
template <class S> __device__ __forceinline__ void sgd(const Rule* rule, float g, float* w, float* velocity, int i) {
    g += rule->decay * w[i];
    if constexpr (S::MOMENTUM) {
        const float v = rule->momentum * velocity[i] + g;
        velocity[i] = v;
        g = S::NESTEROV ? g + rule->momentum * v : v;
    }
    w[i] -= rule->lr * g;
}
