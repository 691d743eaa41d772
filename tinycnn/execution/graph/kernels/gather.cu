// gather: the batch of this step, from bytes in shuffled order.
// Equals data.scale(images[chosen]), labels[chosen] with chosen = order[batch*size : (batch + 1)*size].
//
//   images (total, C, H, W) uint8  ->  x (C, H, W, N) float32 in [0, 1];  labels (total,)  ->  y (N,) int32
//   launch: block (32, 8), grid (F / 32, N / 32) rounded up, where F = C*H*W
//
// Images lie one after the other and the batch is wanted batch-last: a transposition.  Each block turns a tile of
// 32 images by 32 pixels in shared memory, so that bytes are read along an image and floats written along the
// batch, both in whole memory sectors.  Data stay bytes until here: a quarter of the traffic.
template <class S> __global__ void __launch_bounds__(256) gather(const State* state, float* x, int* y) {
    constexpr int N = S::N, F = S::C * S::H * S::W;
    __shared__ unsigned char tile[32][36];  // rows of 9 words: 9 is odd, so a column lies in 32 different banks
    const int f0 = blockIdx.x * 32, n0 = blockIdx.y * 32;
    const int start = state->batch * state->size, count = images_in_batch(state);
    for (int i = threadIdx.y; i < 32; i += 8) {
        const int n = n0 + i, f = f0 + threadIdx.x;
        if (n < count && f < F) {
            const long long image = state->order ? state->order[start + n] : start + n;
            tile[i][threadIdx.x] = state->images[image * F + f];
        }
    }
    __syncthreads();
    const int n = n0 + threadIdx.x;
    if (n >= N) return;
    for (int i = threadIdx.y; i < 32 && f0 + i < F; i += 8) {
        x[(f0 + i) * N + n] = n < count ? tile[threadIdx.x][i] / 255.0f : 0.0f;
    }
    if (blockIdx.x == 0 && threadIdx.y == 0) {
        const long long image = n < count ? (state->order ? state->order[start + n] : start + n) : 0;
        y[n] = n < count ? static_cast<int>(state->labels[image]) : 0;
    }
}
