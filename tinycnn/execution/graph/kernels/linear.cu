// product: (M, R) weights times (R, N) activations, the heart of a linear layer both ways up; finish(m, n, sum)
// receives every number of the result.  Weights are stored (M, R), or (R, M) where T::TRANSPOSED.
//
//   launch: block (LANES images, SLICES of the sum, GROUPS of MT rows), grid (rows, images) / block
//
// With a batch of a few hundred there are too few results to fill a GPU, and each is a long sum: so SLICES threads
// share one sum and add up at the end, in fixed order.  A thread keeps MT x NT results in registers: each activation
// it loads meets MT weights, read from shared memory by all lanes at once.
template <class T, int N, class Finish>
__device__ __forceinline__ void product(const float* __restrict__ w, const float* __restrict__ x, Finish finish) {
    constexpr int M = T::M, R = T::R, MT = T::MT, NT = T::NT, ROWS = T::GROUPS * MT, COLUMNS = T::LANES * NT;
    constexpr int THREADS = T::LANES * T::SLICES * T::GROUPS;
    __shared__ __align__(16) float weight[T::CHUNK][ROWS];
    __shared__ float share[T::SLICES][ROWS][COLUMNS];
    const int thread = (threadIdx.z * T::SLICES + threadIdx.y) * T::LANES + threadIdx.x, mine = threadIdx.z * MT;
    const int m0 = blockIdx.x * ROWS, n0 = blockIdx.y * COLUMNS;

    float z[MT][NT] = {};
    for (int r0 = 0; r0 < R; r0 += T::CHUNK) {
        __syncthreads();
        #pragma unroll 8
        for (int e = thread; e < T::CHUNK * ROWS; e += THREADS) {  // neighbouring threads, neighbouring weights
            const int m = T::TRANSPOSED ? e % ROWS : e / T::CHUNK, r = T::TRANSPOSED ? e / ROWS : e % T::CHUNK;
            const int at = T::TRANSPOSED ? (r0 + r) * M + m0 + m : (m0 + m) * R + r0 + r;
            weight[r][m] = m0 + m < M && r0 + r < R ? w[at] : 0.0f;
        }
        __syncthreads();
        #pragma unroll 8
        for (int r = threadIdx.y; r < min(T::CHUNK, R - r0); r += T::SLICES) {
            float v[NT];
            #pragma unroll
            for (int i = 0; i < NT; ++i) {
                const int n = n0 + i * T::LANES + threadIdx.x;
                v[i] = N % COLUMNS == 0 || n < N ? x[(r0 + r) * N + n] : 0.0f;
            }
            #pragma unroll
            for (int q = 0; q < MT * NT; ++q) z[q / NT][q % NT] += weight[r][mine + q / NT] * v[q % NT];
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

// linear_weight_gradient: equals ops linear's backward for weight and bias, and optim.SGD on the spot.
//
//   dz (O, N), x (K, N)  ->  w (O, K), b (O,), and their velocities, in place
//   launch: block (64, 4), grid (O / 32, (K + 1) / 32) rounded up
//
// The gradient never reaches memory: each block holds 32 x 32 of its numbers and updates those weights itself.  Bias
// is one more weight, in column K, whose input is always 1.  A thread owns 4 x 4 numbers, read as two float4 per
// image; four groups of threads take every fourth image and add up in fixed order.
template <class S>
__global__ void __launch_bounds__(256)
linear_weight_gradient(const Rule* rule, const float* __restrict__ dz, const float* __restrict__ x, float* w,
                       float* b, float* w_velocity, float* b_velocity) {
    constexpr int N = S::N, K = S::K, O = S::O, IMAGES = 64, PITCH = 36;  // float4 aligned, banks spread by 4
    __shared__ __align__(16) float left[IMAGES][PITCH], right[IMAGES][PITCH];
    __shared__ float share[4][32][33];
    const int thread = threadIdx.y * 64 + threadIdx.x, o0 = blockIdx.x * 32, k0 = blockIdx.y * 32;
    const int row = threadIdx.x / 8 * 4, column = threadIdx.x % 8 * 4;

    float sum[4][4] = {};
    for (int n0 = 0; n0 < N; n0 += IMAGES) {
        __syncthreads();
        #pragma unroll
        for (int e = thread; e < 32 * IMAGES; e += 256) {
            const int q = e / IMAGES, i = e % IMAGES, n = n0 + i;
            left[i][q] = o0 + q < O && n < N ? dz[(o0 + q) * N + n] : 0.0f;
            right[i][q] = n >= N || k0 + q > K ? 0.0f : k0 + q == K ? 1.0f : x[(k0 + q) * N + n];
        }
        __syncthreads();
        #pragma unroll 4
        for (int i = threadIdx.y; i < min(IMAGES, N - n0); i += 4) {
            #pragma unroll
            for (int q = 0; q < 16; ++q) sum[q / 4][q % 4] += left[i][row + q / 4] * right[i][column + q % 4];
        }
    }
    #pragma unroll
    for (int q = 0; q < 16; ++q) share[threadIdx.y][row + q / 4][column + q % 4] = sum[q / 4][q % 4];
    __syncthreads();
    for (int e = thread; e < 32 * 32; e += 256) {
        const int o = o0 + e / 32, k = k0 + e % 32;
        float g = 0.0f;
        for (int s = 0; s < 4; ++s) g += share[s][e / 32][e % 32];
        if (o < O && k < K) sgd<S>(rule, g, w, w_velocity, o * K + k);
        if (S::BIAS && o < O && k == K) sgd<S>(rule, g, b, b_velocity, o);
    }
}
