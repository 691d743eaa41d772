"""tinycnn: eager on CuPy, and as fused kernels in CUDA graphs, which know no TF32."""

import os

from gpu_peers import CHANNELS, LEARNING_RATE, Stopwatch, count_kernels, orders, resident

NAMES = ("tinycnn graph", "tinycnn eager")


def make(variant, net, batch, tf32):
    os.environ["CUPY_TF32"] = "1" if tf32 else "0"  # CuPy asks once, at its first product
    return (Graph if variant == "tinycnn graph" else Eager)(net, batch)


class Trainer:
    def __init__(self, net, batch):
        watch = Stopwatch()
        with watch("import"):
            import cupy

            from tinycnn import nn, optim
            from tinycnn.execution import make_step
            from tinycnn.models import LeNet
        self.cupy, self.batch, self.done = cupy, batch, 0
        with watch("context"):
            self.images, self.labels = map(cupy.asarray, resident())
            cupy.cuda.Device().synchronize()
        self.orders = [cupy.asarray(order) for order in orders(batch)]
        wide = {"activation": "relu", "pool": "max"} if net == "wide" else {}
        self.model = LeNet(channels=CHANNELS[net], **wide)
        self.model.to("gpu")
        optimizer = optim.SGD(self.model.parameters(), LEARNING_RATE[net])
        self.step, self.losses = make_step(self.model, nn.CrossEntropyLoss(), optimizer, self.strategy), []
        with watch("compile"):
            self.run(1)
            cupy.cuda.Device().synchronize()
        self.setup = watch.times

    def run(self, epochs):
        self.losses.clear()
        for _ in range(epochs):
            self.epoch(self.orders[self.done % len(self.orders)])
            self.done += 1

    def seconds(self, epochs):
        start, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        start.record()
        self.run(epochs)
        end.record()
        end.synchronize()
        return self.cupy.cuda.get_elapsed_time(start, end) / 1e3

    def loss(self):
        return float(self.cupy.concatenate(self.losses).mean()) / self.batch


class Graph(Trainer):
    strategy = "graph"

    def epoch(self, order):
        losses, _ = self.step.run(self.images, self.labels, order.ravel(), self.batch)
        self.losses.append(losses)

    def kernels(self):
        return int(self.step.description.split()[1])


class Eager(Trainer):
    strategy = "plain"

    def epoch(self, order):
        for chosen in order:
            loss, _ = self.step(self.images.take(chosen, axis=0), self.labels.take(chosen))
            self.losses.append(loss.reshape(1))

    def kernels(self):
        return count_kernels(self)


def launch_gap():
    """Microseconds that one kernel in a chain costs even if it does nothing: the slope between 10 and 200 of them."""
    import cupy

    nothing = cupy.RawKernel('extern "C" __global__ void nothing() {}', "nothing")
    nothing((1,), (1,), ())
    stream, times = cupy.cuda.Stream(non_blocking=True), {}
    for length in (10, 200):
        with stream:
            stream.begin_capture()
            for _ in range(length):
                nothing((1,), (1,), ())
            graph = stream.end_capture()
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            graph.launch()
            start.record()
            for _ in range(20):
                graph.launch()
            end.record()
            end.synchronize()
        times[length] = cupy.cuda.get_elapsed_time(start, end) * 1e3 / 20
    return (times[200] - times[10]) / 190


def card():
    """The GPU's name and what it could do at best: float32 without tensor cores, and memory."""
    import cupy

    attributes, properties = cupy.cuda.Device().attributes, cupy.cuda.runtime.getDeviceProperties(0)
    flops = attributes["MultiProcessorCount"] * 128 * 2 * attributes["ClockRate"] * 1e3  # clock in kHz
    memory = 2 * attributes["MemoryClockRate"] * 1e3 * attributes["GlobalMemoryBusWidth"] / 8
    driver = cupy.cuda.runtime.driverGetVersion()
    name = properties["name"].decode()
    return {"name": name, "flops": flops, "bytes per second": memory, "cuda driver": driver, "launch gap": launch_gap()}
