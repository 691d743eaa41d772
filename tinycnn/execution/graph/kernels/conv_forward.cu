// conv_forward: convolution, bias, activation and pooling in one kernel.
// Equals ops conv2d, then sigmoid | relu | tanh, then avg_pool2d | max_pool2d (windows that do not overlap).
//
//   x (C, H, W, N), w (O, C, KH, KW), b (O,)  ->  y (O, YH, YW, N)
//   and for backward: a (O, OH, OW, N), the activations (average pooling), or arg, the winners (maximum pooling)
//   launch: block (LANES images, GROUPS of OT filters, SLICES of the channels), grid (tiles x images x filters)
//
// Each thread computes a tile of TH x TW output pixels for OT filters of one image, in registers.  It goes down the
// rows of its patch of the input, channel by channel: each number that it loads meets every tap and filter there, so
// about ten multiply-adds are done per load, and the next row is on its way meanwhile.  The loop's body is one row,
// small enough for the instruction cache.  The tile covers whole pooling windows, so pooling costs nothing and the
// convolution's result is never written (maximum) or never read back (average) by this kernel.  SLICES threads share
// a tile's channels and add up at the end, in fixed order: that fills the machine where there are few tiles.  Weights
// go through shared memory CC channels at a time.

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
__global__ void __launch_bounds__(S::Forward::LANES * S::Forward::GROUPS * S::Forward::SLICES, 1)
conv_forward(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
             float* __restrict__ y, float* __restrict__ a, unsigned char* __restrict__ arg) {
    constexpr int N = S::N, C = S::C, H = S::H, W = S::W, O = S::O, KH = S::KH, KW = S::KW, TAPS = KH * KW;
    constexpr int SH = S::SH, SW = S::SW, DH = S::DH, DW = S::DW, PH = S::PH, PW = S::PW;
    using T = typename S::Forward;
    constexpr int OT = T::OT, TH = T::TH, TW = T::TW, TX = T::TX, CC = T::CC, FILTERS = T::GROUPS * OT;
    constexpr int THREADS = T::LANES * T::GROUPS * T::SLICES, PIXELS = OT * TH * TW;
    constexpr int ALONG = (N + T::LANES - 1) / T::LANES, PLANES = (O + FILTERS - 1) / FILTERS;  // of the grid
    constexpr int RH = (TH - 1) * SH + (KH - 1) * DH + 1, RW = (TW - 1) * SW + (KW - 1) * DW + 1;  // the patch
    constexpr int WIDTH = THREADS % 32 ? THREADS : 32;  // neighbouring threads that fetch neighbouring weights
    constexpr int EACH = (FILTERS + THREADS / WIDTH - 1) / (THREADS / WIDTH);  // filters from which a thread fetches
    constexpr bool EXACT = PW == 0 && (TX * TW - 1) * SW + (KW - 1) * DW < W;  // no column of a patch lies outside
    __shared__ __align__(16) float weight[CC * TAPS][FILTERS];
    __shared__ float share[T::SLICES > 1 ? T::SLICES : 1][T::SLICES > 1 ? T::GROUPS * PIXELS : 1][T::LANES];

    const int thread = (threadIdx.z * T::GROUPS + threadIdx.y) * T::LANES + threadIdx.x;
    const int tile = blockIdx.x / (ALONG * PLANES), n = blockIdx.x / PLANES % ALONG * T::LANES + threadIdx.x;
    const int i0 = tile / TX * TH, j0 = TX == 1 ? 0 : tile % TX * TW, h0 = i0 * SH - PH, w0 = j0 * SW - PW;
    const bool there = N % T::LANES == 0 || n < N;  // the last lanes of a batch may be beyond its end
    const int first = blockIdx.x % PLANES * FILTERS, mine = threadIdx.y * OT, o0 = first + mine;

    float z[OT][TH][TW];
    #pragma unroll
    for (int q = 0; q < PIXELS; ++q) z[q / (TH * TW)][q / TW % TH][q % TW] = 0.0f;

    const int top = max(h0, 0), bottom = min(h0 + RH, H);  // the rows of the patch that are there
    const auto load = [&](float(&row)[RW], int c, int h) {
        #pragma unroll
        for (int q = 0; q < RW; ++q) {
            const bool inside = there && (EXACT || (w0 + q >= 0 && w0 + q < W));
            row[q] = inside ? x[((c * H + h) * W + w0 + q) * N + n] : 0.0f;
        }
    };
    for (int c0 = 0; c0 < C; c0 += CC) {
        int c = top < bottom ? threadIdx.z : CC, h = top;
        float next[RW];
        if (c < CC) load(next, c0 + c, h);
        __syncthreads();
        #pragma unroll 8
        for (int k = 0; k < (CC * TAPS + WIDTH - 1) / WIDTH * EACH; ++k) {
            const int t = k / EACH * WIDTH + thread % WIDTH, o = k % EACH * (THREADS / WIDTH) + thread / WIDTH;
            const float value = w[(min(first + o, O - 1) * C + c0) * TAPS + min(t, CC * TAPS - 1)];
            if (t < CC * TAPS && o < FILTERS) weight[t][o] = value;
        }
        __syncthreads();
        #pragma unroll 1
        while (c < CC) {
            const int here = c, r = h - h0;
            if (++h == bottom) h = top, c += T::SLICES;
            float row[RW];
            #pragma unroll
            for (int q = 0; q < RW; ++q) row[q] = next[q];
            if (c < CC) load(next, c0 + c, h);  // arrives while this row is at work
            #pragma unroll
            for (int p = 0; p < TH; ++p) {
                const int u = (r - p * SH) / DH;  // the tap through which result row p looks at this row, if any
                if (u * DH != r - p * SH || u < 0 || u >= KH) continue;
                #pragma unroll
                for (int v = 0; v < KW; ++v)
                    #pragma unroll
                    for (int o = 0; o < OT; ++o) {
                        const float k = weight[here * TAPS + u * KW + v][mine + o];
                        #pragma unroll
                        for (int s = 0; s < TW; ++s) {
                            const int from = s * SW + v * DW;
                            if (TX == 1 && (from < PW || from >= W + PW)) continue;
                            z[o][p][s] += k * row[from];
                        }
                    }
            }
        }
    }
    if constexpr (T::SLICES > 1) {
        #pragma unroll
        for (int q = 0; q < PIXELS; ++q)
            share[threadIdx.z][threadIdx.y * PIXELS + q][threadIdx.x] = z[q / (TH * TW)][q / TW % TH][q % TW];
        __syncthreads();
    }
    #pragma unroll
    for (int k = 0; k < (OT + T::SLICES - 1) / T::SLICES; ++k) {
        const int o = k * T::SLICES + (T::SLICES > 1 ? threadIdx.z : 0);
        if (!there || o >= OT || o0 + o >= O) continue;
        const float bias = S::BIAS ? b[o0 + o] : 0.0f;
        float sum[TH][TW];
        #pragma unroll
        for (int q = 0; q < TH * TW; ++q) {
            float& here = sum[q / TW][q % TW] = bias;
            if constexpr (T::SLICES == 1) here += z[k][q / TW][q % TW];
            else
                #pragma unroll
                for (int s = 0; s < T::SLICES; ++s)
                    here += share[s][threadIdx.y * PIXELS + o * TH * TW + q][threadIdx.x];
        }
        pool_and_store<S>(sum, o0 + o, i0, j0, n, y, a, arg);
    }
}
