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

    def in_a_row(self):
        return sum(launch.branch == 0 for launch in self.step._replay.plan.train)


class Eager(Trainer):
    strategy = "plain"

    def epoch(self, order):
        for chosen in order:
            loss, _ = self.step(self.images.take(chosen, axis=0), self.labels.take(chosen))
            self.losses.append(loss.reshape(1))

    def kernels(self):
        return count_kernels(self)

    def in_a_row(self):
        return None
