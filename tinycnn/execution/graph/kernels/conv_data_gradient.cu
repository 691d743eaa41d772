// conv_data_gradient: what the convolution gives back to the layer B below it.
// Equals ops conv2d's backward for x, then the backward of B's pooling and activation (see give_back).
//
//   dz (O, OH, OW, N), w (O, C, KH, KW)  ->  dz of B
//   launch: block (LANES images, GROUPS of OT channels, DEPTH tiles), grid (tiles, images, channels) / block
//
// The mirror of conv_forward: a thread owns a tile of TH x TW input pixels for OT channels of one image and gathers
// what every output has to give it, so nothing is scattered and no atomics are needed.  The tile's sides are
// multiples of the strides; then which taps meet which pixel is known at compile time, whatever the stride.

// floor(a / b) for b > 0, at compile time
__host__ __device__ constexpr int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

template <class S, class B>
__global__ void __launch_bounds__(S::DataGradient::LANES * S::DataGradient::GROUPS * S::DataGradient::DEPTH, 1)
conv_data_gradient(const float* __restrict__ dz, const float* __restrict__ w, const float* __restrict__ y_below,
                   const unsigned char* __restrict__ arg_below, float* __restrict__ dz_below) {
    constexpr int N = S::N, C = S::C, H = S::H, W = S::W, O = S::O, KH = S::KH, KW = S::KW, TAPS = KH * KW;
    constexpr int SH = S::SH, SW = S::SW, PH = S::PH, PW = S::PW, DH = S::DH, DW = S::DW, OH = S::OH, OW = S::OW;
    using T = typename S::DataGradient;
    constexpr int OT = T::OT, TH = T::TH, TW = T::TW, TX = T::TX, CC = T::CC, CHANNELS = T::GROUPS * OT;
    constexpr int THREADS = T::LANES * T::GROUPS * T::DEPTH;
    // Pixel h0 + i hears from output row (h0 + i + PH - u*DH) / SH through tap u, where that divides.
    constexpr int ROW0 = floor_div(PH - (KH - 1) * DH, SH), COL0 = floor_div(PW - (KW - 1) * DW, SW);
    constexpr int RH = floor_div(TH - 1 + PH, SH) - ROW0 + 1, RW = floor_div(TW - 1 + PW, SW) - COL0 + 1;
    __shared__ __align__(16) float weight[CC * TAPS][CHANNELS];

    const int thread = (threadIdx.z * T::GROUPS + threadIdx.y) * T::LANES + threadIdx.x;
    const int tile = blockIdx.x * T::DEPTH + threadIdx.z, n = blockIdx.y * T::LANES + threadIdx.x;
    const bool idle = tile >= T::TY * TX || n >= N;
    const int h0 = idle ? 0 : tile / TX * TH, w0 = idle ? 0 : tile % TX * TW, image = idle ? 0 : n;
    const int first = blockIdx.z * CHANNELS, mine = threadIdx.y * OT, c0 = first + mine;

    float dx[OT][TH][TW];
    #pragma unroll
    for (int c = 0; c < OT; ++c)
        #pragma unroll
        for (int p = 0; p < TH * TW; ++p) dx[c][p / TW][p % TW] = 0.0f;

    for (int o0 = 0; o0 < O; o0 += CC) {
        __syncthreads();
        #pragma unroll 8
        for (int e = thread; e < CC * CHANNELS * TAPS; e += THREADS) {
            const int o = e / (CHANNELS * TAPS), c = e / TAPS % CHANNELS, tap = e % TAPS;
            weight[o * TAPS + tap][c] = first + c < C ? w[((o0 + o) * C + first + c) * TAPS + tap] : 0.0f;
        }
        __syncthreads();
        for (int o = 0; o < CC; ++o) {
            const float* source = dz + ((o0 + o) * OH * OW) * N + image;
            float patch[RH][RW];
            #pragma unroll
            for (int p = 0; p < RH * RW; ++p) {
                const int i = h0 / SH + ROW0 + p / RW, j = w0 / SW + COL0 + p % RW;
                const bool inside = i >= 0 && i < OH && j >= 0 && j < OW;
                patch[p / RW][p % RW] = inside ? source[(i * OW + j) * N] : 0.0f;
            }
            #pragma unroll
            for (int tap = 0; tap < TAPS; ++tap)
                #pragma unroll
                for (int c = 0; c < OT; ++c) {
                    const float k = weight[o * TAPS + tap][mine + c];
                    #pragma unroll
                    for (int p = 0; p < TH * TW; ++p) {
                        const int i = p / TW + PH - tap / KW * DH, j = p % TW + PW - tap % KW * DW;
                        if (i % SH != 0 || j % SW != 0) continue;
                        dx[c][p / TW][p % TW] += k * patch[i / SH - ROW0][j / SW - COL0];
                    }
                }
        }
    }
    if (idle) return;
    #pragma unroll
    for (int c = 0; c < OT; ++c)
        #pragma unroll
        for (int p = 0; p < TH * TW; ++p) {
            const int h = h0 + p / TW, v = w0 + p % TW;
            if (c0 + c < C && h < H && v < W)
                give_back<B>(dx[c][p / TW][p % TW], ((c0 + c) * H + h) * W + v, n, y_below, arg_below, dz_below);
        }
}
