"""plan_on_cpu: runs a graph plan's launches on the CPU, and computes what they must give with the engine's own ops."""

import numpy as np
from cuda_shim import CpuKernels

import tinycnn
import tinycnn.functional as F

GUARD = 64  # numbers before and behind each array that no kernel may touch
ACTIVATE = {"IDENTITY": lambda z: z, "SIGMOID": F.sigmoid, "RELU": F.relu, "TANH": F.tanh}


def guarded(shape, dtype):
    """A zeroed array, and the memory around it, which is filled with a pattern: NaN where it is read as a float."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    around = np.full(size + 2 * GUARD * 4 + (-size) % 4, 0xFF, np.uint8)
    inside = around[GUARD * 4 : GUARD * 4 + size]
    inside[:] = 0
    return inside.view(dtype).reshape(shape), around


class PlanOnCpu:
    """A plan's buffers and kernels on the CPU.  Parameters are copies: arrays["w0"], ...

    `backwards` runs the threads of each block in the other order; `late` runs the launches on the side as late as
    the plan allows, at the end of the step.
    """

    def __init__(self, plan, backwards=False, late=False):
        self.plan, self.late = plan, late
        self.kernels = CpuKernels(plan.source, plan.kernels, backwards)
        self.arrays, self.memory = {}, {}
        for name, buffer in plan.buffers.items():
            self.arrays[name], self.memory[name] = guarded(buffer.shape, buffer.dtype)
        for name, p in plan.parameters.items():
            self.arrays[name], self.memory[name] = guarded(p.shape, "float32")
            self.arrays[name][...] = p.data
        self.losses, self.corrects = np.zeros(100, np.float32), np.zeros(100, np.int32)

    def begin(self, images=None, labels=None, order=None, total=0, size=None, batch=0, lr=0.0, momentum=0.0, decay=0.0):
        self.kept = images, labels, order  # the state holds their addresses
        numbers = np.int32(total), np.int32(size or self.plan.images), np.int32(batch), np.float32(lr), np.float32(momentum), np.float32(decay)
        arguments = (self.arrays["state"], images, labels, order, self.losses, self.corrects, *numbers)
        self.kernels("begin", (1, 1, 1), (1, 1, 1), arguments)

    def run(self, launches):
        if self.late:
            launches = [x for x in launches if not x.side] + [x for x in launches if x.side]
        for launch in launches:
            arguments = [np.int32(a) if isinstance(a, int) else a and self.arrays[a] for a in launch.arguments]
            self.kernels(launch.kernel, launch.grid, launch.block, arguments)
        self.check_guards()

    def check_guards(self):
        for name, around in self.memory.items():
            ends = np.concatenate([around[: GUARD * 4], around[GUARD * 4 + self.arrays[name].nbytes :]])
            assert (ends == 0xFF).all(), f"a kernel wrote outside {name}"


class Reference:
    """One training step of a plan's stages by the engine's ops in float64: arrays by the plan's buffer names.

    Beside y<i> and dz<i> it has a<i>, the activations before a fused pooling, and dw<i>, db<i>, the gradients.
    """

    def __init__(self, plan, x, labels, smoothing=0.0):
        self.arrays = {"x": x.transpose(1, 2, 3, 0), "labels": labels}
        y = tinycnn.Tensor(x.astype(np.float64))
        sums = []
        for i, stage in enumerate(plan.stages):
            z, y = self._stage(i, stage, y)
            sums.append(z)
        logits = y.reshape(y.shape[0], -1)
        self.correct = int((logits.numpy().argmax(axis=1) == labels).sum())
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        self.loss = loss.item() * len(labels)
        loss.backward()
        for i, (stage, z) in enumerate(zip(plan.stages, sums, strict=True)):
            if z.grad is not None:
                self.arrays[f"dz{i}"] = _batch_last(z.grad.numpy(), stage.sums)
            for kind in stage.parameters:
                self.arrays[f"d{kind[0]}{i}"] = self._leaves[kind[0] + str(i)].grad.numpy()

    _leaves = {}

    def _stage(self, i, stage, x):
        """(the weighted sums or the pooled numbers, the output), both with axes (N, C, H, W)."""
        self._leaves = self._leaves | {
            kind[0] + str(i): tinycnn.tensor(p.data.astype(np.float64), requires_grad=True)
            for kind, p in stage.parameters.items()
        }
        w, b = self._leaves.get(f"w{i}"), self._leaves.get(f"b{i}")
        if stage.kind == "linear":
            z = F.linear(x.reshape(x.shape[0], -1), w, b).reshape(x.shape[0], -1, 1, 1)
        elif stage.kind == "conv":
            z = F.conv2d(x, w, b, stage.stride, stage.padding, stage.dilation)
        else:
            z = _pool(x, stage, stage.kernel, stage.stride)
        if z.requires_grad:
            z.retain_grad()
        a = y = ACTIVATE[stage.activation](z)
        if stage.kind == "conv" and stage.pooling != "NO_POOL":
            self.arrays[f"a{i}"] = _batch_last(a.numpy(), stage.sums)
            y = _pool(a, stage, stage.window, stage.window)
        self.arrays[f"y{i}"] = _batch_last(y.numpy(), stage.gives)
        return z, y


def _batch_last(x, shape):
    return np.ascontiguousarray(x.reshape(-1, *shape).transpose(1, 2, 3, 0))


def _pool(x, stage, kernel, stride):
    fused = stage.kind == "conv"
    padding, dilation = ((0, 0), (1, 1)) if fused else (stage.padding, stage.dilation)
    ceil = (stage.sums if not fused else stage.gives)[1:] != tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    )
    if stage.pooling == "AVERAGE":
        return F.avg_pool2d(x, kernel, stride, padding, ceil, stage.count_padding)
    return F.max_pool2d(x, kernel, stride, padding, dilation, ceil)
