// begin and finish: the bookkeeping of a run of steps, on the device so that the host need not be asked.

// begin: sets what the following steps read.  Scalars travel as arguments of this launch, which no graph contains,
// so nothing is copied from the host and nothing waits.  launch: block (1), grid (1)
__global__ void begin(State* state, Rule* rule, const unsigned char* images, const long long* labels,
                      const long long* order, float* losses, int* corrects, int total, int size, int batch, float lr,
                      float momentum, float decay) {
    *state = State{images, labels, order, losses, corrects, total, size, batch, 0};
    *rule = Rule{lr, momentum, decay};
}

// finish: adds up the blocks' losses (BLOCKS,) and corrects (BLOCKS,), in fixed order, into the history, and moves on
// to the next batch.  launch: block (32), grid (1); beside the backward pass, so its time is not seen
template <class S>
__global__ void __launch_bounds__(32) finish(State* state, const float* losses, const int* corrects) {
    __shared__ float loss[32];
    __shared__ int correct[32];
    loss[threadIdx.x] = 0.0f, correct[threadIdx.x] = 0;
    for (int k = threadIdx.x; k < S::BLOCKS; k += 32) {
        loss[threadIdx.x] += losses[k], correct[threadIdx.x] += corrects[k];
    }
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int k = 1; k < 32; ++k) loss[0] += loss[k], correct[0] += correct[k];
    state->losses[state->step] = loss[0], state->corrects[state->step] = correct[0];
    state->step += 1, state->batch += 1;
}
