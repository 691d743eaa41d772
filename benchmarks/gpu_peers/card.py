"""What the GPU at hand is, and what it can do at best, measured: arithmetic, memory, and launches in a row."""

import statistics

MULTIPLY_ADDS = """
extern "C" __global__ void multiply_adds(float* out, float a, float b) {
    float sum[16];
    for (int i = 0; i < 16; ++i) sum[i] = threadIdx.x + i;
    for (int turn = 0; turn < 4096; ++turn)
        #pragma unroll
        for (int i = 0; i < 16; ++i) sum[i] = sum[i] * a + b;
    for (int i = 1; i < 16; ++i) sum[0] += sum[i];
    if (sum[0] == 12345.0f) *out = sum[0];
}
extern "C" __global__ void nothing() {}
"""


def card() -> dict:
    """Name, driver, and the best that was measured, with warm clocks."""
    import cupy

    kernels = cupy.RawModule(code=MULTIPLY_ADDS)
    multiply_adds, nothing = kernels.get_function("multiply_adds"), kernels.get_function("nothing")
    blocks, out = 16 * cupy.cuda.Device().attributes["MultiProcessorCount"], cupy.zeros(1, cupy.float32)
    numbers = out, cupy.float32(0.5), cupy.float32(1)

    def chain(length):
        nothing((1,), (1,), ())
        return [lambda: nothing((1,), (1,), ())] * length

    arithmetic = seconds(cupy, [lambda: multiply_adds((blocks,), (256,), numbers)] * 20) / 20
    a, b = cupy.zeros(2**28, cupy.uint8), cupy.zeros(2**28, cupy.uint8)
    copying = seconds(cupy, [lambda: cupy.copyto(a, b)] * 20) / 20
    return {
        "name": cupy.cuda.runtime.getDeviceProperties(0)["name"].decode(),
        "cuda driver": cupy.cuda.runtime.driverGetVersion(),
        "flops": blocks * 256 * 4096 * 16 * 2 / arithmetic,
        "bytes per second": 2 * 2**28 / copying,
        "launch gap": (seconds(cupy, chain(210)) - seconds(cupy, chain(10))) / 200 * 1e6,
    }


def seconds(cupy, launches) -> float:
    """The median of nine replays of these launches as one graph, after some to warm up."""
    stream, times = cupy.cuda.Stream(non_blocking=True), []
    for launch in launches[:1]:
        launch()
    cupy.cuda.Device().synchronize()
    with stream:
        stream.begin_capture()
        for launch in launches:
            launch()
        graph = stream.end_capture()
        for k in range(29):
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            graph.launch(stream)
            end.record()
            end.synchronize()
            if k >= 20:
                times.append(cupy.cuda.get_elapsed_time(start, end) / 1e3)
    return statistics.median(times)
