// conv_data_gradient: what the convolution gives back to the layer B below it.
// Equals ops conv2d's backward for x, then the backward of B's pooling and activation (see give_back).
//
//   dz (O, OH, OW, N), w (O, C, KH, KW)  ->  dz of B
//   launch: block (LANES images, GROUPS of OT channels, SLICES of the filters), grid (tiles x images x channels)
//
// The mirror of conv_forward, row by row: a thread owns a tile of TH x TW input pixels for OT channels of one image
// and gathers what every output has to give it, so nothing is scattered and no atomics are needed.  The tile's sides
// are multiples of the strides; then which taps meet which pixel is known at compile time, whatever the stride.
//
// Near the edge there are fewer outputs to hear from.  Rows of outputs that are not there are skipped, by whole warps,
// for all lanes look at the same tile; columns too where a tile is as wide as the image.  So tiles differ in work, and
// the blocks with most of it, in the middle of the image, come first.  SLICES threads share a tile's filters and add
// up at the end, in fixed order.

// floor(a / b) for b > 0, at compile time
__host__ __device__ constexpr int floor_div(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// Number k of 0..count-1, counted from the middle outwards.
__device__ __forceinline__ int from_the_middle(int k, int count) {
    return count / 2 + (k % 2 ? -(k + 1) / 2 : k / 2);
}

template <class S, class B>
__global__ void __launch_bounds__(S::DataGradient::LANES * S::DataGradient::GROUPS * S::DataGradient::SLICES, 1)
conv_data_gradient(const float* __restrict__ dz, const float* __restrict__ w, const float* __restrict__ y_below,
                   const unsigned char* __restrict__ arg_below, float* __restrict__ dz_below) {
    constexpr int N = S::N, C = S::C, H = S::H, W = S::W, O = S::O, KH = S::KH, KW = S::KW, TAPS = KH * KW;
    constexpr int SH = S::SH, SW = S::SW, PH = S::PH, PW = S::PW, DH = S::DH, DW = S::DW, OH = S::OH, OW = S::OW;
    using T = typename S::DataGradient;
    constexpr int OT = T::OT, TH = T::TH, TW = T::TW, TX = T::TX, CC = T::CC, CHANNELS = T::GROUPS * OT;
    constexpr int THREADS = T::LANES * T::GROUPS * T::SLICES, PIXELS = OT * TH * TW;
    constexpr int ALONG = (N + T::LANES - 1) / T::LANES, PLANES = (C + CHANNELS - 1) / CHANNELS;  // of the grid
    // Pixel h0 + i hears from output row (h0 + i + PH - u*DH) / SH through tap u, where that divides.
    constexpr int ROW0 = floor_div(PH - (KH - 1) * DH, SH), COL0 = floor_div(PW - (KW - 1) * DW, SW);
    constexpr int RH = floor_div(TH - 1 + PH, SH) - ROW0 + 1, RW = floor_div(TW - 1 + PW, SW) - COL0 + 1;
    constexpr int WIDTH = THREADS % 32 ? THREADS : 32;  // neighbouring threads that fetch neighbouring weights
    constexpr int EACH = (CC + THREADS / WIDTH - 1) / (THREADS / WIDTH);  // filters from which a thread fetches
    constexpr int PITCH = KW < 3 ? KW : (KW + 3) / 4 * 4;  // of a row of taps, so that four are read at once
    __shared__ __align__(16) float weight[CC][CHANNELS][KH][PITCH];
    __shared__ float share[T::SLICES > 1 ? T::SLICES : 1][T::SLICES > 1 ? T::GROUPS * PIXELS : 1][T::LANES];

    const int thread = (threadIdx.z * T::GROUPS + threadIdx.y) * T::LANES + threadIdx.x;
    const int tile = blockIdx.x / (ALONG * PLANES), n = blockIdx.x / PLANES % ALONG * T::LANES + threadIdx.x;
    const int h0 = from_the_middle(tile / TX, T::TY) * TH, w0 = TX == 1 ? 0 : tile % TX * TW;
    const int j0 = w0 / SW + COL0;
    const bool there = N % T::LANES == 0 || n < N;  // the last lanes of a batch may be beyond its end
    const int first = blockIdx.x % PLANES * CHANNELS, mine = threadIdx.y * OT, c0 = first + mine;

    float dx[OT][TH][TW];
    #pragma unroll
    for (int q = 0; q < PIXELS; ++q) dx[q / (TH * TW)][q / TW % TH][q % TW] = 0.0f;

    const int i0 = h0 / SH + ROW0, top = max(i0, 0), bottom = min(i0 + RH, OH);  // the rows of outputs that are there
    const auto load = [&](float(&row)[RW], int o, int i) {
        #pragma unroll
        for (int q = 0; q < RW; ++q)
            row[q] = there && j0 + q >= 0 && j0 + q < OW ? dz[((o * OH + i) * OW + j0 + q) * N + n] : 0.0f;
    };
    for (int o0 = 0; o0 < O; o0 += CC) {
        int o = top < bottom ? threadIdx.z : CC, i = top;
        float next[RW];
        if (o < CC) load(next, o0 + o, i);
        __syncthreads();
        #pragma unroll 8
        for (int k = 0; k < (CHANNELS * TAPS + WIDTH - 1) / WIDTH * EACH; ++k) {
            const int t = k / EACH * WIDTH + thread % WIDTH, f = k % EACH * (THREADS / WIDTH) + thread / WIDTH;
            const float value = w[(min(o0 + f, O - 1) * C + first) * TAPS + min(t, (C - first) * TAPS - 1)];
            if (t < CHANNELS * TAPS && f < CC) weight[f][t / TAPS][t / KW % KH][t % KW] = value;
        }
        __syncthreads();
        #pragma unroll 1
        while (o < CC) {
            const int here = o, rel = i - h0 / SH;
            if (++i == bottom) i = top, o += T::SLICES;
            float row[RW];
            #pragma unroll
            for (int q = 0; q < RW; ++q) row[q] = next[q];
            if (o < CC) load(next, o0 + o, i);  // arrives while this row is at work
            #pragma unroll
            for (int p = 0; p < TH; ++p) {
                const int u = (p + PH - rel * SH) / DH;  // the tap through which pixel row p hears from it, if any
                if (u * DH != p + PH - rel * SH || u < 0 || u >= KH) continue;
                #pragma unroll
                for (int c = 0; c < OT; ++c)
                    #pragma unroll
                    for (int v = 0; v < KW; ++v) {
                        const float k = weight[here][mine + c][u][v];
                        #pragma unroll
                        for (int s = 0; s < TW; ++s) {
                            const int j = s + PW - v * DW;
                            if (j % SW != 0 || (TX == 1 && (j < 0 || j / SW >= OW))) continue;
                            dx[c][p][s] += k * row[j / SW - COL0];
                        }
                    }
            }
        }
    }
    const auto give = [&](int q, float sum) {
        const int c = c0 + q / (TH * TW), h = h0 + q / TW % TH, v = w0 + q % TW;
        if (there && c < C && h < H && v < W) give_back<B>(sum, (c * H + h) * W + v, n, y_below, arg_below, dz_below);
    };
    if constexpr (T::SLICES == 1) {
        #pragma unroll
        for (int q = 0; q < PIXELS; ++q) give(q, dx[q / (TH * TW)][q / TW % TH][q % TW]);
    } else {
        #pragma unroll
        for (int q = 0; q < PIXELS; ++q)
            share[threadIdx.z][threadIdx.y * PIXELS + q][threadIdx.x] = dx[q / (TH * TW)][q / TW % TH][q % TW];
        __syncthreads();
        for (int q = threadIdx.z; q < PIXELS; q += T::SLICES) {
            float sum = 0.0f;
            #pragma unroll
            for (int z = 0; z < T::SLICES; ++z) sum += share[z][threadIdx.y * PIXELS + q][threadIdx.x];
            give(q, sum);
        }
    }
}
