// conv_weight_gradient: equals ops conv2d's backward for weight and bias, still to be summed over the grid's rows.
//
//   dz (O, OH, OW, N), x (C, H, W, N)  ->  partial (SPLITS, O*C*KH*KW + O): dw, then db
//   launch: block (128), grid (SPLITS, filter groups x kernel-row groups, channel groups)
//
// The gradients of OT filters by UT x KW taps of one channel are summed in registers: a thread walks down RC rows of
// one image, JT output pixels at a time, and each number it loads meets OT or KW others.  The CT channels of a block
// share what they read of dz, from the first-level cache.  The sum over threads comes once, at the end; the sum over
// the SPLITS blocks is left to conv_update.

// Adds value[k] over the 128 threads of a block, or over each of GROUPS equal parts of it, always in the same order,
// and hands every sum to store(part, k, sum).  32 values at a time are laid out in shared memory, one row each, and
// every warp adds a stretch of each row, four numbers at a time.
template <int GROUPS, int V, class Store>
__device__ __forceinline__ void block_sum(const float (&value)[V], Store store) {
    constexpr int WARPS = 4 / GROUPS;  // per part
    __shared__ __align__(16) float part[32][128 + 4];
    __shared__ float stretch[4][32];
    const int thread = threadIdx.x, row = thread % 32, warp = thread / 32;
    #pragma unroll
    for (int v0 = 0; v0 < V; v0 += 32) {
        __syncthreads();
        #pragma unroll
        for (int k = 0; k < 32; ++k)
            if (v0 + k < V) part[k][thread] = value[v0 + k];
        __syncthreads();
        float sum = 0.0f;
        if (v0 + row < V) {
            #pragma unroll
            for (int t = 0; t < 32; ++t) sum += part[row][warp * 32 + t];
        }
        stretch[warp][row] = sum;
        __syncthreads();
        if (warp < GROUPS && v0 + row < V) {
            sum = 0.0f;
            #pragma unroll
            for (int k = 0; k < WARPS; ++k) sum += stretch[warp * WARPS + k][row];
            store(warp, v0 + row, sum);
        }
    }
}

template <class S>
__global__ void __launch_bounds__(128, 1)
conv_weight_gradient(const float* __restrict__ dz, const float* __restrict__ x, float* __restrict__ partial) {
    constexpr int N = S::N, C = S::C, H = S::H, W = S::W, O = S::O, KH = S::KH, KW = S::KW, OH = S::OH, OW = S::OW;
    using T = typename S::WeightGradient;
    constexpr int OT = T::OT, UT = T::UT, JT = T::JT, RC = T::RC, DW = S::DW, TAPS = UT * KW, THREADS = 128 / T::CT;
    constexpr int ACROSS = (OW + JT - 1) / JT, WALKS = N * ACROSS * ((OH + RC - 1) / RC);
    constexpr int ROW_GROUPS = (KH + UT - 1) / UT, RW = (JT - 1) * S::SW + (KW - 1) * DW + 1;
    constexpr bool EXACT = S::PH == 0 && S::PW == 0 && OW % JT == 0 && KH % UT == 0;  // never looks outside
    const int o0 = blockIdx.y / ROW_GROUPS * OT, u0 = blockIdx.y % ROW_GROUPS * UT;
    const int c = min(blockIdx.z * T::CT + threadIdx.x / THREADS, C - 1);

    float sum[OT * TAPS + OT] = {};  // dw (OT, UT, KW), then db (OT)
    for (int walk = blockIdx.x * THREADS + threadIdx.x % THREADS; walk < WALKS; walk += T::SPLITS * THREADS) {
        const int n = walk % N, j0 = walk / N % ACROSS * JT, i0 = walk / (N * ACROSS) * RC;
        for (int i = i0; i < min(i0 + RC, OH); ++i) {
            float dy[OT][JT];
            #pragma unroll
            for (int q = 0; q < OT * JT; ++q) {
                const int o = q / JT, j = q % JT;
                const bool inside = (O % OT == 0 || o0 + o < O) && (OW % JT == 0 || j0 + j < OW);
                dy[o][j] = inside ? dz[(((o0 + o) * OH + i) * OW + j0 + j) * N + n] : 0.0f;
                sum[OT * TAPS + o] += dy[o][j];
            }
            #pragma unroll
            for (int u = 0; u < UT; ++u) {
                const int h = i * S::SH + (u0 + u) * S::DH - S::PH;
                float row[RW];
                #pragma unroll
                for (int s = 0; s < RW; ++s) {
                    const int v = j0 * S::SW - S::PW + s;
                    const bool inside = EXACT || (u0 + u < KH && h >= 0 && h < H && v >= 0 && v < W);
                    row[s] = inside ? x[((c * H + h) * W + v) * N + n] : 0.0f;
                }
                #pragma unroll
                for (int q = 0; q < OT * JT; ++q)
                    #pragma unroll
                    for (int v = 0; v < KW; ++v)
                        sum[(q / JT * UT + u) * KW + v] += dy[q / JT][q % JT] * row[q % JT * S::SW + v * DW];
            }
        }
    }
    float* out = partial + blockIdx.x * (O * C * KH * KW + O);
    block_sum<T::CT>(sum, [=](int part, int k, float total) {
        const int channel = blockIdx.z * T::CT + part, o = o0 + (k < OT * TAPS ? k / TAPS : k - OT * TAPS);
        const int u = u0 + k % TAPS / KW;
        if (o >= O || channel >= C) return;
        if (k >= OT * TAPS && channel == 0 && u0 == 0) out[O * C * KH * KW + o] = total;
        if (k < OT * TAPS && u < KH) out[((o * C + channel) * KH + u) * KW + k % KW] = total;
    });
}

// conv_updates: adds the partial gradients up, in fixed order, and takes the parameters' step, for all convolutions at
// once.  Equals optim.SGD.
//
//   for each layer: partial (SPLITS, P) -> w (O, C, KH, KW), b (O,), and their velocities, in place;  P = O*C*KH*KW + O
//   launch: block (32 parameters, 8 shares of the splits), grid (the layers' blocks in turn: P / 32 rounded up)
template <class S> __device__ constexpr int parameters_of() { return S::O * S::C * S::KH * S::KW + S::O; }

template <class S>
__device__ __forceinline__ void conv_update(int block, const Rule* rule, const float* partial, float* w, float* b,
                                            float* w_velocity, float* b_velocity) {
    constexpr int P = parameters_of<S>(), WEIGHTS = P - S::O;
    __shared__ float share[8][32];
    const int p = block * 32 + threadIdx.x;
    float sum = 0.0f;
    if (p < P) {
        #pragma unroll 8
        for (int k = threadIdx.y; k < S::WeightGradient::SPLITS; k += 8) sum += partial[k * P + p];
    }
    share[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || p >= P) return;
    sum = 0.0f;
    for (int k = 0; k < 8; ++k) sum += share[k][threadIdx.x];
    if (p < WEIGHTS) sgd<S>(rule, sum, w, w_velocity, p);
    else if (S::BIAS) sgd<S>(rule, sum, b, b_velocity, p - WEIGHTS);
}

// The layer whose block this is; its five pointers come first.
template <class S, class... Rest, class... Pointer>
__device__ __forceinline__ void choose_conv(Layers<S, Rest...>, int block, const Rule* rule, const float* partial,
                                            float* w, float* b, float* w_velocity, float* b_velocity,
                                            Pointer... others) {
    constexpr int BLOCKS = (parameters_of<S>() + 31) / 32;
    if (block < BLOCKS) conv_update<S>(block, rule, partial, w, b, w_velocity, b_velocity);
    else if constexpr (sizeof...(Rest) > 0) choose_conv(Layers<Rest...>(), block - BLOCKS, rule, others...);
}

template <class All, class... Pointer>
__global__ void __launch_bounds__(256) conv_updates(const Rule* rule, Pointer... pointers) {
    choose_conv(All(), blockIdx.x, rule, pointers...);
}
