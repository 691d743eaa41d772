// Pooling that does not ride on a convolution: windows that overlap, are padded or dilated, or an activation alone
// (a pooling over single pixels).  Equals ops avg_pool2d | max_pool2d, then sigmoid | relu | tanh.
//
// One thread per number, gathered on both ways: the backward asks each pixel which windows it lies in, so windows
// may overlap without atomics.

// Where window (yh, yw) starts, and what an average divides by (the padding counts where COUNT_PADDING says so).
template <class S> struct Window {
    int h0, w0;
    __device__ __forceinline__ Window(int yh, int yw) : h0(yh * S::SH - S::PH), w0(yw * S::SW - S::PW) {}
    __device__ __forceinline__ static int span(int first, int kernel, int size, int padding) {
        const int low = S::COUNT_PADDING ? first : max(first, 0);
        return min(first + kernel, S::COUNT_PADDING ? size + padding : size) - low;
    }
    __device__ __forceinline__ float divisor() const {
        return float(span(h0, S::KH, S::H, S::PH) * span(w0, S::KW, S::W, S::PW));
    }
};

// x (C, H, W, N)  ->  y (C, YH, YW, N), and arg, the winning tap of each window (maximum only)
// launch: block (128), grid (C*YH*YW*N / 128) rounded up
template <class S>
__global__ void __launch_bounds__(128)
pool_forward(const float* __restrict__ x, float* __restrict__ y, unsigned short* __restrict__ arg) {
    constexpr int N = S::N, H = S::H, W = S::W, YH = S::YH, YW = S::YW;
    const int at = blockIdx.x * 128 + threadIdx.x;
    if (at >= S::C * YH * YW * N) return;
    const int n = at % N, yw = at / N % YW, yh = at / (N * YW) % YH, c = at / (N * YW * YH);
    const Window<S> window(yh, yw);
    float sum = 0.0f, best = 0.0f;
    int winner = -1;
    for (int tap = 0; tap < S::KH * S::KW; ++tap) {
        const int h = window.h0 + tap / S::KW * S::DH, w = window.w0 + tap % S::KW * S::DW;
        if (h < 0 || h >= H || w < 0 || w >= W) continue;
        const float value = x[((c * H + h) * W + w) * N + n];
        sum += value;
        if (winner < 0 || value > best || value != value) best = value, winner = tap;  // the first maximum; NaN wins
    }
    y[at] = activate(S::ACTIVATION, S::KIND == MAXIMUM ? best : sum / window.divisor());
    if constexpr (S::KIND == MAXIMUM) arg[at] = static_cast<unsigned short>(winner);
}

// dz (C, YH, YW, N), the gradient of what was pooled  ->  dz of the layer B below (see give_back)
// launch: block (128), grid (C*H*W*N / 128) rounded up
template <class S, class B>
__global__ void __launch_bounds__(128)
pool_backward(const float* __restrict__ dz, const unsigned short* __restrict__ arg, const float* __restrict__ y_below,
              const unsigned char* __restrict__ arg_below, float* __restrict__ dz_below) {
    constexpr int N = S::N, H = S::H, W = S::W, YH = S::YH, YW = S::YW;
    const int at = blockIdx.x * 128 + threadIdx.x;
    if (at >= S::C * H * W * N) return;
    const int n = at % N, w = at / N % W, h = at / (N * W) % H, c = at / (N * W * H);
    float dx = 0.0f;
    for (int tap = 0; tap < S::KH * S::KW; ++tap) {  // the window in which this pixel lies under this tap, if any
        const int i = h + S::PH - tap / S::KW * S::DH, j = w + S::PW - tap % S::KW * S::DW;
        if (i < 0 || j < 0 || i % S::SH != 0 || j % S::SW != 0 || i / S::SH >= YH || j / S::SW >= YW) continue;
        const int yh = i / S::SH, yw = j / S::SW, from = ((c * YH + yh) * YW + yw) * N + n;
        if (S::KIND != MAXIMUM) dx += dz[from] / Window<S>(yh, yw).divisor();
        else if (arg[from] == tap) dx += dz[from];
    }
    give_back<B>(dx, at / N, n, y_below, arg_below, dz_below);
}
