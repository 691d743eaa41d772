// product: (M, R) weights times (R, N) activations, the heart of a linear layer both ways up; finish(m, n, sum)
// receives every number of the result.  Weights are stored (M, R), or (R, M) where T::TRANSPOSED.
//
//   launch: block (LANES images, SLICES of the sum, GROUPS of MT rows), grid (rows, images) / block
//
// With a batch of a few hundred there are too few results to fill a GPU, and each is a long sum: so SLICES threads
// share one sum and add up at the end, in fixed order.  A thread keeps MT x NT results in registers: each activation
// it loads meets MT weights, read from shared memory by all lanes at once; while it works on a batch of terms, the next
// is on its way.
template <class T, int N, class Finish>
__device__ __forceinline__ void product(const float* __restrict__ w, const float* __restrict__ x, Finish finish) {
    constexpr int M = T::M, R = T::R, MT = T::MT, NT = T::NT, ROWS = T::GROUPS * MT, COLUMNS = T::LANES * NT;
    constexpr int THREADS = T::LANES * T::SLICES * T::GROUPS;
    __shared__ __align__(16) float weight[T::CHUNK][ROWS];
    __shared__ float share[T::SLICES][ROWS][COLUMNS];
    const int thread = (threadIdx.z * T::SLICES + threadIdx.y) * T::LANES + threadIdx.x, mine = threadIdx.z * MT;
    const int m0 = blockIdx.x * ROWS, n0 = blockIdx.y * COLUMNS;

    constexpr int TERMS = (T::CHUNK + T::SLICES - 1) / T::SLICES, BATCH = TERMS < 16 ? TERMS : 16;  // of one thread
    const auto load = [&](float(&v)[BATCH][NT], int r0, int t0) {
        #pragma unroll
        for (int t = 0; t < BATCH; ++t) {
            const int r = r0 + (t0 + t) * T::SLICES + threadIdx.y;
            #pragma unroll
            for (int i = 0; i < NT; ++i) {
                const int n = n0 + i * T::LANES + threadIdx.x;
                v[t][i] = r < R && (N % COLUMNS == 0 || n < N) ? x[r * N + n] : 0.0f;
            }
        }
    };
    float z[MT][NT] = {};
    for (int r0 = 0; r0 < R; r0 += T::CHUNK) {
        float next[BATCH][NT];
        load(next, r0, 0);
        __syncthreads();
        #pragma unroll 8
        for (int e = thread; e < T::CHUNK * ROWS; e += THREADS) {  // neighbouring threads, neighbouring weights
            const int m = T::TRANSPOSED ? e % ROWS : e / T::CHUNK, r = T::TRANSPOSED ? e / ROWS : e % T::CHUNK;
            const int at = T::TRANSPOSED ? (r0 + r) * M + m0 + m : (m0 + m) * R + r0 + r;
            weight[r][m] = m0 + m < M && r0 + r < R ? w[at] : 0.0f;
        }
        __syncthreads();
        for (int t0 = 0; t0 < TERMS; t0 += BATCH) {
            float v[BATCH][NT];
            #pragma unroll
            for (int t = 0; t < BATCH * NT; ++t) v[t / NT][t % NT] = next[t / NT][t % NT];
            if (t0 + BATCH < TERMS) load(next, r0, t0 + BATCH);  // arrives while this batch is at work
            #pragma unroll
            for (int t = 0; t < BATCH; ++t) {
                const int r = (t0 + t) * T::SLICES + threadIdx.y;
                if (r >= T::CHUNK) break;
                #pragma unroll
                for (int q = 0; q < MT * NT; ++q) z[q / NT][q % NT] += weight[r][mine + q / NT] * v[t][q % NT];
            }
        }
    }
    #pragma unroll
    for (int q = 0; q < MT * NT; ++q)
        share[threadIdx.y][mine + q / NT][q % NT * T::LANES + threadIdx.x] = z[q / NT][q % NT];
    __syncthreads();
    for (int e = thread; e < ROWS * COLUMNS; e += THREADS) {
        const int m = e / COLUMNS, n = e % COLUMNS;
        float sum = 0.0f;
        for (int k = 0; k < T::SLICES; ++k) sum += share[k][m][n];
        if (m0 + m < M && n0 + n < N) finish(m0 + m, n0 + n, sum);
    }
}

// linear_forward: equals ops linear, then sigmoid | relu | tanh.
// x (K, N), w (O, K), b (O,)  ->  y (O, N)
template <class S>
__global__ void __launch_bounds__(S::Forward::LANES * S::Forward::SLICES * S::Forward::GROUPS)
linear_forward(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
               float* __restrict__ y) {
    product<typename S::Forward, S::N>(w, x, [=](int o, int n, float sum) {
        y[o * S::N + n] = activate(S::ACTIVATION, S::BIAS ? sum + b[o] : sum);
    });
}

// linear_data_gradient: equals ops linear's backward for x, then the backward of B's pooling and activation.
// dz (O, N), w (O, K)  ->  dz of the layer B below, whose K features these were (see give_back)
template <class S, class B>
__global__ void __launch_bounds__(S::DataGradient::LANES * S::DataGradient::SLICES * S::DataGradient::GROUPS)
linear_data_gradient(const float* __restrict__ dz, const float* __restrict__ w, const float* __restrict__ y_below,
                     const unsigned char* __restrict__ arg_below, float* __restrict__ dz_below) {
    product<typename S::DataGradient, S::N>(w, dz, [=](int k, int n, float sum) {
        give_back<B>(sum, k, n, y_below, arg_below, dz_below);
    });
}

// linear_weight_gradients: equals ops linear's backward for weight and bias, and optim.SGD on the spot, for all the
// linear layers at once.
//
//   for each layer: dz (O, N), x (K, N)  ->  w (O, K), b (O,), and their velocities, in place
//   launch: block (32, 8), grid (the layers' blocks in turn: O / 16 times (K + 1) / 32, each rounded up)
//
// The gradient never reaches memory: each block holds 16 x 32 of its numbers and updates those weights itself.  Bias
// is one more weight, in column K, whose input is always 1.  Each of the eight warps takes 32 of every 256 images and
// adds up all of the block's numbers over them, 4 x 4 in a thread; then the eight add up in fixed order.  A warp reads
// along the images and wants four images of a row at once: so lines of 32 images lie in shared memory, in groups of
// four that are swapped from line to line, lest lanes meet in one bank.
constexpr int GRADIENT_ROWS = 16, GRADIENT_COLUMNS = 32, GRADIENT_WARPS = 8;

// For each warp, 32 images of the rows of dz and then of the columns of x.
using Lines = float[GRADIENT_WARPS][GRADIENT_ROWS + GRADIENT_COLUMNS][32];

__device__ __forceinline__ int place_in_line(int line, int image) {
    return (image / 4 ^ line / 4 % 8) * 4 + image % 4;
}

template <class S>
__device__ __forceinline__ void linear_weight_gradient(Lines& lines, int block, const Rule* rule, const float* dz,
                                                       const float* x, float* w, float* b, float* w_velocity,
                                                       float* b_velocity) {
    constexpr int N = S::N, K = S::K, O = S::O, ROWS = GRADIENT_ROWS, COLUMNS = GRADIENT_COLUMNS;
    constexpr int WARPS = GRADIENT_WARPS, ACROSS = K / COLUMNS + 1;
    const int lane = threadIdx.x, warp = threadIdx.y, o0 = block / ACROSS * ROWS, k0 = block % ACROSS * COLUMNS;
    const int row = lane / 8 * 4, column = lane % 8 * 4;
    float(&mine)[ROWS + COLUMNS][32] = lines[warp];

    float sum[4][4] = {};
    for (int n0 = 0; n0 < N; n0 += WARPS * 32) {
        const int n = n0 + warp * 32 + lane;
        float next[ROWS + COLUMNS];
        #pragma unroll
        for (int q = 0; q < ROWS; ++q) next[q] = o0 + q < O && n < N ? dz[(o0 + q) * N + n] : 0.0f;
        #pragma unroll
        for (int q = 0; q < COLUMNS; ++q)
            next[ROWS + q] = n >= N || k0 + q > K ? 0.0f : k0 + q == K ? 1.0f : x[(k0 + q) * N + n];
        __syncthreads();
        #pragma unroll
        for (int q = 0; q < ROWS + COLUMNS; ++q) mine[q][place_in_line(q, lane)] = next[q];
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < 32; i += 4) {
            float left[4][4], right[4][4];  // row or column, image
            #pragma unroll
            for (int q = 0; q < 16; ++q) {
                left[q / 4][q % 4] = mine[row + q / 4][place_in_line(row, i) + q % 4];
                right[q / 4][q % 4] = mine[ROWS + column + q / 4][place_in_line(ROWS + column, i) + q % 4];
            }
            #pragma unroll
            for (int q = 0; q < 64; ++q) sum[q / 4 % 4][q % 4] += left[q / 4 % 4][q / 16] * right[q % 4][q / 16];
        }
    }
    __syncthreads();
    #pragma unroll
    for (int q = 0; q < 16; ++q) mine[row + q / 4][column + q % 4] = sum[q / 4][q % 4];
    __syncthreads();
    #pragma unroll
    for (int e = warp * 32 + lane; e < ROWS * COLUMNS; e += WARPS * 32) {
        const int o = o0 + e / COLUMNS, k = k0 + e % COLUMNS;
        float g = 0.0f;
        #pragma unroll
        for (int s = 0; s < WARPS; ++s) g += lines[s][e / COLUMNS][e % COLUMNS];
        if (o < O && k < K) sgd<S>(rule, g, w, w_velocity, o * K + k);
        if (S::BIAS && o < O && k == K) sgd<S>(rule, g, b, b_velocity, o);
    }
}

// The layer whose block this is; its six pointers come first.
template <class S, class... Rest, class... Pointer>
__device__ __forceinline__ void choose_linear(Layers<S, Rest...>, Lines& lines, int block, const Rule* rule,
                                             const float* dz, const float* x, float* w, float* b, float* w_velocity,
                                             float* b_velocity, Pointer... others) {
    constexpr int BLOCKS = ((S::O + GRADIENT_ROWS - 1) / GRADIENT_ROWS) * (S::K / GRADIENT_COLUMNS + 1);
    if (block < BLOCKS) linear_weight_gradient<S>(lines, block, rule, dz, x, w, b, w_velocity, b_velocity);
    else if constexpr (sizeof...(Rest) > 0) choose_linear(Layers<Rest...>(), lines, block - BLOCKS, rule, others...);
}

template <class All, class... Pointer>
__global__ void __launch_bounds__(32 * GRADIENT_WARPS) linear_weight_gradients(const Rule* rule, Pointer... pointers) {
    __shared__ __align__(16) float lines[GRADIENT_WARPS][GRADIENT_ROWS + GRADIENT_COLUMNS][32];
    choose_linear(All(), lines, blockIdx.x, rule, pointers...);
}
