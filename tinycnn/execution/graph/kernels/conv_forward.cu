// conv_forward: convolution, bias, activation and pooling in one kernel.
// Equals ops conv2d, then sigmoid | relu | tanh, then avg_pool2d | max_pool2d (windows that do not overlap).
//
//   x (C, H, W, N), w (O, C, KH, KW), b (O,)  ->  y (O, YH, YW, N)
//   and for backward: a (O, OH, OW, N), the activations (average pooling), or arg, the winners (maximum pooling)
//   launch: block (LANES images, GROUPS of OT filters, DEPTH tiles), grid (tiles, images, filters) / block
//
// Each thread computes a tile of TH x TW output pixels for OT filters of one image, in registers: its patch of the
// input is loaded once per channel and meets every tap and filter there, so about nine multiply-adds are done per
// load.  The tile covers whole pooling windows, so pooling costs nothing and the convolution's result is never
// written (maximum) or never read back (average) by this kernel.  The GROUPS of a block read the same patch at about
// the same time, from the first-level cache.  Weights go through shared memory CC channels at a time.

// The tile's sums of one filter, activated, pooled and stored.  Without pooling, windows are single pixels.
template <class S, int TH, int TW>
__device__ __forceinline__ void pool_and_store(const float (&z)[TH][TW], int o, int i0, int j0, int n, float* y,
                                               float* a, unsigned char* arg) {
    constexpr int N = S::N, OH = S::OH, OW = S::OW, YH = S::YH, YW = S::YW, QH = S::QH, QW = S::QW;
    constexpr int ACROSS = TW / QW, WINDOWS = TH / QH * ACROSS;
    #pragma unroll
    for (int q = 0; q < WINDOWS; ++q) {
        const int r = q / ACROSS * QH, s = q % ACROSS * QW, yh = i0 / QH + q / ACROSS, yw = j0 / QW + q % ACROSS;
        if (yh >= YH || yw >= YW) continue;
        float sum = 0.0f, best = 0.0f;
        int winner = 0;
        #pragma unroll
        for (int k = 0; k < QH * QW; ++k) {
            const float value = activate(S::ACTIVATION, z[r + k / QW][s + k % QW]);
            if constexpr (S::POOL == AVERAGE) a[((o * OH + i0 + r + k / QW) * OW + j0 + s + k % QW) * N + n] = value;
            sum += value;
            if (k == 0 || value > best || value != value) best = value, winner = k;  // the first maximum; NaN wins
        }
        const int at = ((o * YH + yh) * YW + yw) * N + n;
        y[at] = S::POOL == MAXIMUM ? best : sum / (QH * QW);
        if constexpr (S::POOL == MAXIMUM) arg[at] = static_cast<unsigned char>(winner);
    }
}

template <class S>
__global__ void __launch_bounds__(S::Forward::LANES * S::Forward::GROUPS * S::Forward::DEPTH, 1)
conv_forward(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
             float* __restrict__ y, float* __restrict__ a, unsigned char* __restrict__ arg) {
    constexpr int N = S::N, C = S::C, H = S::H, W = S::W, O = S::O, KH = S::KH, KW = S::KW, TAPS = KH * KW;
    constexpr int SH = S::SH, SW = S::SW, DH = S::DH, DW = S::DW, OH = S::OH, OW = S::OW, YH = S::YH, YW = S::YW;
    using T = typename S::Forward;
    constexpr int OT = T::OT, TH = T::TH, TW = T::TW, TX = T::TX, CC = T::CC, FILTERS = T::GROUPS * OT;
    constexpr int THREADS = T::LANES * T::GROUPS * T::DEPTH;
    constexpr int RH = (TH - 1) * SH + (KH - 1) * DH + 1, RW = (TW - 1) * SW + (KW - 1) * DW + 1;  // the patch
    constexpr bool EXACT = S::PH == 0 && S::PW == 0 && T::TY * TH <= OH && TX * TW <= OW;  // never looks outside
    __shared__ __align__(16) float weight[CC * TAPS][FILTERS];

    const int thread = (threadIdx.z * T::GROUPS + threadIdx.y) * T::LANES + threadIdx.x;
    const int tile = blockIdx.x * T::DEPTH + threadIdx.z, n = blockIdx.y * T::LANES + threadIdx.x;
    const bool idle = tile >= T::TY * TX || n >= N;  // still helps to load the weights
    const int i0 = idle ? 0 : tile / TX * TH, j0 = idle ? 0 : tile % TX * TW, image = idle ? 0 : n;
    const int h0 = i0 * SH - S::PH, w0 = j0 * SW - S::PW;
    const int first = blockIdx.z * FILTERS, mine = threadIdx.y * OT, o0 = first + mine;

    float z[OT][TH][TW];
    #pragma unroll
    for (int o = 0; o < OT; ++o)
        #pragma unroll
        for (int p = 0; p < TH * TW; ++p) z[o][p / TW][p % TW] = S::BIAS && o0 + o < O ? b[o0 + o] : 0.0f;

    for (int c0 = 0; c0 < C; c0 += CC) {
        __syncthreads();
        #pragma unroll 8
        for (int e = thread; e < CC * TAPS * FILTERS; e += THREADS) {
            const int o = e / (CC * TAPS), tap = e % (CC * TAPS);
            weight[tap][o] = first + o < O ? w[((first + o) * C + c0) * TAPS + tap] : 0.0f;
        }
        __syncthreads();
        for (int c = 0; c < CC; ++c) {
            const float* source = x + ((c0 + c) * H * W) * N + image;
            float patch[RH][RW];
            #pragma unroll
            for (int p = 0; p < RH * RW; ++p) {
                const int h = h0 + p / RW, v = w0 + p % RW;
                const bool inside = EXACT || (h >= 0 && h < H && v >= 0 && v < W);
                patch[p / RW][p % RW] = inside ? source[(h * W + v) * N] : 0.0f;
            }
            #pragma unroll
            for (int tap = 0; tap < TAPS; ++tap)
                #pragma unroll
                for (int o = 0; o < OT; ++o) {
                    const float k = weight[c * TAPS + tap][mine + o];
                    #pragma unroll
                    for (int p = 0; p < TH * TW; ++p)
                        z[o][p / TW][p % TW] += k * patch[p / TW * SH + tap / KW * DH][p % TW * SW + tap % KW * DW];
                }
        }
    }
    if (idle) return;
    #pragma unroll
    for (int o = 0; o < OT; ++o)
        if (o0 + o < O) pool_and_store<S>(z[o], o0 + o, i0, j0, n, y, a, arg);
}
