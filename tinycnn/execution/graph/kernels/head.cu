// head: the last linear layers, the loss, and the way back down through them, in one kernel.
// Equals ops linear and activations, cross_entropy (mean over the batch), and their backward for the data.
//
//   x (K, N) what the head takes in, y (N,) labels, and four pointers per layer: w (O, K), b (O,) in,
//   its output (O, N) and dz (O, N) out  ->  losses, corrects (blocks,), dz of the layer B below (see give_back)
//   where H::GIVES_BACK, that is, B is there and has or leads to parameters
//   launch: block (THREADS), grid (N / IMAGES) rounded up
//
// These layers are so small that six kernels would cost more in launches than in arithmetic.  Their weights fit in
// shared memory, and the images of a block meet nobody else's: so a block takes IMAGES images all the way up and
// down without leaving the chip.  H::LAYERS may be 0, then x are the logits.  A thread works for all the images of
// the block at once, so every weight it reads is used IMAGES times.
//
// A label that names no class makes the loss NaN.  Lanes beyond the end of a short batch lose nothing and give
// nothing back; `train` is 0 for evaluation, which stops at the loss.

// The rows of one layer's weights lie K | 1 apart: an odd pitch, so that a column lies in different banks.
template <class H> __device__ constexpr int weight_start(int layer) {
    int start = 0;
    for (int l = 0; l < layer; ++l) start += H::width(l + 1) * (H::width(l) | 1);
    return start;
}
template <class H> __device__ constexpr int value_start(int layer) {  // of the layer's input, in units of IMAGES
    int start = 0;
    for (int l = 0; l < layer; ++l) start += H::width(l);
    return start;
}

// Softmax, loss and dlogits of the block's images: z (CLASSES, IMAGES) becomes the gradient.  Eight threads share
// an image; what they find is combined in a fixed order.
template <class H>
__device__ __forceinline__ void cross_entropy(float* z, const int* y, int n0, int count, float* losses, int* corrects) {
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
    const int label = working ? y[n] : 0;
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

template <class H, class B, class... Pointer>
__global__ void __launch_bounds__(H::THREADS)
head(const State* state, int train, const float* x, const int* y, const unsigned char* arg_below, float* dz_below,
     float* losses, int* corrects, Pointer... pointers) {
    constexpr int N = H::N, I = H::IMAGES, L = H::LAYERS;
    __shared__ __align__(16) float value[value_start<H>(L + 1) * I];  // (feature, image) of each layer in turn
    __shared__ float weight[weight_start<H>(L) + 1];
    float* const pointer[] = {pointers..., nullptr};
    const int n0 = blockIdx.x * I, thread = threadIdx.x, count = images_in_batch(state);

    for (int e = thread; e < H::width(0) * I; e += H::THREADS)
        value[e] = n0 + e % I < N ? x[e / I * N + n0 + e % I] : 0.0f;
    #pragma unroll
    for (int l = 0; l < L; ++l) {
        const int K = H::width(l);
        #pragma unroll 16
        for (int e = thread; e < H::width(l + 1) * K; e += H::THREADS)
            weight[weight_start<H>(l) + e / K * (K | 1) + e % K] = pointer[4 * l][e];
    }
    __syncthreads();

    #pragma unroll
    for (int l = 0; l < L; ++l) {  // up: value of layer l -> value of layer l + 1
        const float* in = value + value_start<H>(l) * I;
        for (int o = thread; o < H::width(l + 1); o += H::THREADS) {
            const float* row = weight + weight_start<H>(l) + o * (H::width(l) | 1);
            float z[I];
            for (int i = 0; i < I; ++i) z[i] = H::bias(l) ? pointer[4 * l + 1][o] : 0.0f;
            #pragma unroll 8
            for (int k = 0; k < H::width(l); ++k)
                #pragma unroll
                for (int i = 0; i < I; ++i) z[i] += row[k] * in[k * I + i];
            #pragma unroll
            for (int i = 0; i < I; ++i) {
                const float out = activate(H::activation(l), z[i]);
                value[(value_start<H>(l + 1) + o) * I + i] = out;
                if (n0 + i < N) pointer[4 * l + 2][o * N + n0 + i] = out;
            }
        }
        __syncthreads();
    }
    cross_entropy<H>(value + value_start<H>(L) * I, y, n0, count, losses, corrects);
    if (!train) return;

    #pragma unroll
    for (int l = L; l >= 1 - H::GIVES_BACK; --l) {  // down: the gradient of layer l's value, from dz of layer l
        for (int k = thread; k < H::width(l); k += H::THREADS) {
            float d[I] = {};
            float* here = value + (value_start<H>(l) + k) * I;
            if (l == L) {
                for (int i = 0; i < I; ++i) d[i] = here[i];  // the logits' gradient is there already
            } else {
                const float* dz = value + value_start<H>(l + 1) * I;
                #pragma unroll 8
                for (int o = 0; o < H::width(l + 1); ++o)
                    #pragma unroll
                    for (int i = 0; i < I; ++i)
                        d[i] += weight[weight_start<H>(l) + o * (H::width(l) | 1) + k] * dz[o * I + i];
            }
            for (int i = 0; i < I && n0 + i < N; ++i) {
                if (l == 0) {
                    if constexpr (H::GIVES_BACK) give_back<B>(d[i], k, n0 + i, x, arg_below, dz_below);
                } else {
                    const float y = l == L ? pointer[4 * l - 2][k * N + n0 + i] : here[i];
                    here[i] = d[i] * slope(H::activation(l - 1), y);
                    pointer[4 * l - 1][k * N + n0 + i] = here[i];
                }
            }
        }
        __syncthreads();
    }
}
