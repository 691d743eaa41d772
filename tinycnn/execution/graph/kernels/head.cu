// head: the last linear layers, the loss, and the way back down through them, in one kernel.
// Equals ops linear and activations, cross_entropy (mean over the batch), and their backward for the data.
//
//   x (K, N) what the head takes in, y (N,) labels, and four pointers per layer: w (O, K), b (O,) or null in,
//   its output (O, N) and dz (O, N) out  ->  losses, corrects (blocks,), dz of the layer B below (see give_back)
//   where H::GIVES_BACK, that is, B is there and has or leads to parameters
//   launch: block (THREADS), grid (N / IMAGES) rounded up
//
// These layers are so small that six kernels would cost more in launches than in arithmetic.  Their weights fit in
// shared memory, and the images of a block meet nobody else's: so a block takes IMAGES images all the way up and down
// without leaving the chip.  H::LAYERS may be 0, then x are the logits.  A thread works for all the images of the
// block at once, so every weight it reads is used IMAGES times.  What counts here is how long a block takes, not how
// much it does: so threads share sums, and all that comes from memory is asked for at the start.
//
// A label that names no class makes the loss NaN.  Lanes beyond the end of a short batch lose nothing and give
// nothing back; `train` is 0 for evaluation, which stops at the loss.

// In shared memory a row of a layer's weights is followed by its bias, and takes an odd number of places, so that a
// column lies in different banks.
__device__ constexpr int pitch(int K) { return (K + 1) | 1; }
template <class H> __device__ constexpr int weight_start(int layer) {
    int start = 0;
    for (int l = 0; l < layer; ++l) start += H::width(l + 1) * pitch(H::width(l));
    return start;
}
template <class H> __device__ constexpr int value_start(int layer) {  // of the layer's input, in units of IMAGES
    int start = 0;
    for (int l = 0; l < layer; ++l) start += H::width(l);
    return start;
}

// Softmax, loss and dlogits of the block's images: z (CLASSES, IMAGES) becomes the gradient.  Eight threads share
// an image and know its label; what they find is combined in a fixed order.
template <class H>
__device__ __forceinline__ void cross_entropy(float* z, int label, int n0, int count, float* losses, int* corrects) {
    constexpr int I = H::IMAGES, CLASSES = H::width(H::LAYERS);
    __shared__ float top[I][8], total[I][8], spread[I][8], loss[I];
    __shared__ int guess[I][8], right[I];
    const int i = threadIdx.x / 8, r = threadIdx.x % 8, n = n0 + i;
    const bool working = i < I && n < count;
    float best = 0.0f, sum = 0.0f, logits = 0.0f;
    int winner = CLASSES;
    if (working) {
        for (int k = r; k < CLASSES; k += 8)
            if (winner == CLASSES || z[k * I + i] > best) best = z[k * I + i], winner = k;
        top[i][r] = best, guess[i][r] = winner;
    }
    __syncthreads();
    if (working) {
        for (int q = 0; q < min(8, CLASSES); ++q)  // the largest logit; the first of equals, as argmax has it
            if (winner == CLASSES || top[i][q] > best || (top[i][q] == best && guess[i][q] < winner))
                best = top[i][q], winner = guess[i][q];
        for (int k = r; k < CLASSES; k += 8) sum += expf(z[k * I + i] - best), logits += z[k * I + i] - best;
        total[i][r] = sum, spread[i][r] = logits;
    }
    __syncthreads();
    const bool known = label >= 0 && label < CLASSES;
    if (working) {
        sum = logits = 0.0f;
        for (int q = 0; q < 8; ++q) sum += total[i][q], logits += spread[i][q];
        if (r == 0) {  // -log p[label], or its mixture with the mean over all classes
            const float own = known ? z[label * I + i] - best : nanf("");
            loss[i] = logf(sum) - (1.0f - H::SMOOTHING) * own - H::SMOOTHING / CLASSES * logits;
            right[i] = winner == label;
        }
    } else if (i < I && r == 0) {
        loss[i] = 0.0f, right[i] = 0;
    }
    __syncthreads();
    for (int k = r; i < I && k < CLASSES; k += 8) {
        const float target = H::SMOOTHING / CLASSES + (k == label ? 1.0f - H::SMOOTHING : 0.0f);
        const float p = working ? expf(z[k * I + i] - best) / sum : 0.0f;
        z[k * I + i] = !working ? 0.0f : known ? (p - target) / count : nanf("");
    }
    if (threadIdx.x == 0) {
        float losses_here = 0.0f;
        int corrects_here = 0;
        for (int k = 0; k < I; ++k) losses_here += loss[k], corrects_here += right[k];
        losses[blockIdx.x] = losses_here, corrects[blockIdx.x] = corrects_here;
    }
    __syncthreads();
}

// Brings the weights of layer l and of all above it to shared memory, and the head's input.  A warp takes whole rows,
// so that no number has to be divided to find its place; up to 48 numbers of a thread are on their way before the
// first is put down.
template <class H, int l>
__device__ __forceinline__ void fetch(float* const* pointer, float* weight, const float* x, float* value, int n0) {
    if constexpr (l == H::LAYERS) {
        for (int e = threadIdx.x; e < H::width(0) * H::IMAGES; e += H::THREADS) {
            const int n = n0 + e % H::IMAGES;
            value[e] = n < H::N ? x[e / H::IMAGES * H::N + n] : 0.0f;
        }
    } else {
        constexpr int K = H::width(l), O = H::width(l + 1), WARPS = H::THREADS / 32, STEPS = (K + 31) / 32, BATCH = 48;
        constexpr int ALL = (O + WARPS - 1) / WARPS * STEPS;
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        const float* from = pointer[4 * l] + warp * K + lane;
        float* to = weight + weight_start<H>(l) + warp * pitch(K) + lane;
        const auto there = [=](int o, int k) {  // most of it is known at compile time
            return (o + WARPS <= O || o + warp < O) && (k + 32 <= K || k + lane < K);
        };
        #pragma unroll 1
        for (int t0 = 0; t0 < ALL; t0 += BATCH) {
            float held[BATCH < ALL ? BATCH : ALL];
            #pragma unroll
            for (int t = 0; t < BATCH && t < ALL; ++t) {
                const int o = (t0 + t) / STEPS * WARPS, k = (t0 + t) % STEPS * 32;
                held[t] = there(o, k) ? from[o * K + k] : 0.0f;
            }
            if (t0 == 0) fetch<H, l + 1>(pointer, weight, x, value, n0);
            #pragma unroll
            for (int t = 0; t < BATCH && t < ALL; ++t) {
                const int o = (t0 + t) / STEPS * WARPS, k = (t0 + t) % STEPS * 32;
                if (there(o, k)) to[o * pitch(K) + k] = held[t];
            }
        }
        for (int o = threadIdx.x; o < O; o += H::THREADS)
            weight[weight_start<H>(l) + o * pitch(K) + K] = H::bias(l) ? pointer[4 * l + 1][o] : 0.0f;
    }
}

// J sums of R terms weight(j, r) * in[r], each for all images of the block; finish(j, sums) receives them.  Few sums
// would leave most threads idle: so SLICES of them share each sum, and add up in fixed order.
template <class H, int J, int R, class Weight, class Finish>
__device__ __forceinline__ void small_product(const float* in, float* partial, Weight weight, Finish finish) {
    constexpr int I = H::IMAGES, EACH = H::THREADS / J, SLICES = EACH < 1 ? 1 : EACH < R ? EACH : R;
    for (int e = threadIdx.x; e < J * SLICES; e += H::THREADS) {
        float z[I] = {};
        #pragma unroll 4
        for (int r = e / J; r < R; r += SLICES)
            #pragma unroll
            for (int i = 0; i < I; ++i) z[i] += weight(e % J, r) * in[r * I + i];
        if (SLICES == 1) finish(e, z);
        else
            #pragma unroll
            for (int i = 0; i < I; ++i) partial[e * I + i] = z[i];
    }
    __syncthreads();
    if (SLICES == 1) return;
    for (int j = threadIdx.x; j < J; j += H::THREADS) {
        float z[I] = {};
        #pragma unroll 4
        for (int s = 0; s < SLICES; ++s)
            #pragma unroll
            for (int i = 0; i < I; ++i) z[i] += partial[(s * J + j) * I + i];
        finish(j, z);
    }
    __syncthreads();
}

// Up: the values of layer l -> those of layer l + 1, and so on to the logits.
template <class H, int l>
__device__ __forceinline__ void up(float* const* pointer, const float* weight, float* value, float* partial, int n0) {
    if constexpr (l < H::LAYERS) {
        constexpr int I = H::IMAGES, N = H::N, K = H::width(l), O = H::width(l + 1);
        const auto weight_at = [=](int o, int k) { return weight[weight_start<H>(l) + o * pitch(K) + k]; };
        small_product<H, O, K>(value + value_start<H>(l) * I, partial, weight_at, [=](int o, const float* z) {
            const float bias = weight_at(o, K);
            #pragma unroll
            for (int i = 0; i < I; ++i) {
                const float out = activate(H::activation(l), z[i] + bias);
                value[(value_start<H>(l + 1) + o) * I + i] = out;
                if (n0 + i < N) pointer[4 * l + 2][o * N + n0 + i] = out;
            }
        });
        up<H, l + 1>(pointer, weight, value, partial, n0);
    }
}

// Down: dz of layer l (what follows its weighted sums is behind us) -> dz of layer l - 1, and so on to B's.
template <class H, class B, int l>
__device__ __forceinline__ void down(float* const* pointer, const float* weight, float* value, float* partial, int n0,
                                     const float* y_below, const unsigned char* arg_below, float* dz_below) {
    if constexpr (l >= 1 || (l == 0 && H::GIVES_BACK)) {
        constexpr int I = H::IMAGES, N = H::N, K = H::width(l), O = H::width(l + 1);
        const auto weight_at = [=](int k, int o) { return weight[weight_start<H>(l) + o * pitch(K) + k]; };
        small_product<H, K, O>(value + value_start<H>(l + 1) * I, partial, weight_at, [=](int k, const float* d) {
            #pragma unroll
            for (int i = 0; i < I; ++i) {
                if (n0 + i >= N) continue;
                if constexpr (l == 0) {
                    give_back<B>(d[i], k, n0 + i, y_below, arg_below, dz_below);
                } else {
                    float& here = value[(value_start<H>(l) + k) * I + i];
                    here = d[i] * slope(H::activation(l - 1), here);
                    pointer[4 * l - 1][k * N + n0 + i] = here;
                }
            }
        });
        down<H, B, l - 1>(pointer, weight, value, partial, n0, y_below, arg_below, dz_below);
    }
}

template <class H, class B, class... Pointer>
__global__ void __launch_bounds__(H::THREADS)
head(const State* state, int train, const float* x, const int* y, const unsigned char* arg_below, float* dz_below,
     float* losses, int* corrects, Pointer... pointers) {
    constexpr int N = H::N, I = H::IMAGES, L = H::LAYERS, CLASSES = H::width(L);
    __shared__ __align__(16) float value[value_start<H>(L + 1) * I];  // (feature, image) of each layer in turn
    __shared__ __align__(16) float partial[H::THREADS * I];
    __shared__ float weight[weight_start<H>(L) + 1];
    float* const pointer[] = {pointers..., nullptr};
    const int n0 = blockIdx.x * I, count = images_in_batch(state), mine = n0 + threadIdx.x / 8;
    const int label = threadIdx.x < 8 * I && mine < count ? y[mine] : 0;  // asked for early: it is needed later

    fetch<H, 0>(pointer, weight, x, value, n0);
    __syncthreads();
    up<H, 0>(pointer, weight, value, partial, n0);

    float* logits = value + value_start<H>(L) * I;
    cross_entropy<H>(logits, label, n0, count, losses, corrects);
    if (!train) return;
    for (int e = threadIdx.x; e < CLASSES * I; e += H::THREADS) {  // dlogits; with no layers here they are B's dy
        const int k = e / I, n = n0 + e % I;
        if (n >= N) continue;
        if constexpr (L == 0 && H::GIVES_BACK) give_back<B>(logits[e], k, n, x, arg_below, dz_below);
        if constexpr (L > 0) {
            logits[e] *= slope(H::activation(L - 1), pointer[4 * L - 2][k * N + n]);
            pointer[4 * L - 1][k * N + n] = logits[e];
        }
    }
    __syncthreads();
    down<H, B, L - 1>(pointer, weight, value, partial, n0, x, arg_below, dz_below);
}
