"""plan_on_cpu: runs a graph plan's launches on the CPU, and computes what they must give with the engine's own ops."""

import ctypes
import itertools
import mmap

import numpy as np
from cuda_shim import CpuKernels

import tinycnn
import tinycnn.functional as F

GUARD = 256  # bytes before and behind each array that no kernel may touch
ACTIVATE = {"IDENTITY": lambda z: z, "SIGMOID": F.sigmoid, "RELU": F.relu, "TANH": F.tanh}


def guarded(shape, dtype):
    """A zeroed array, and the memory around it, filled with ones: NaN to a kernel that reads outside the array."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    around = np.full(size + 2 * GUARD, 0xFF, np.uint8)
    inside = around[GUARD : GUARD + size]
    inside[:] = 0
    return inside.view(dtype).reshape(shape), around


def fenced(shape, dtype, at):
    """A zeroed array whose "start" or "end" lies at a page that may not be touched: one step outside ends the process.

    For use in a process of its own; Linux.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, whole + 2 * mmap.PAGESIZE)
    address, libc = ctypes.addressof(ctypes.c_char.from_buffer(memory)), ctypes.CDLL(None, use_errno=True)
    for fence in (address, address + mmap.PAGESIZE + whole):
        assert libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    start = mmap.PAGESIZE + (whole - size if at == "end" else 0)
    return np.frombuffer(memory, dtype, int(np.prod(shape)), start).reshape(shape)


class PlanOnCpu:
    """A plan's buffers and kernels on the CPU.  Parameters are copies: arrays["w0"], ...

    `backwards` runs the threads of each block in the other order; `late`, 1 or -1, runs what is on the side as late as
    the plan allows, one branch after the other from the first or from the last; `fence`, "start" or "end", puts a fence
    there at every array.
    """

    def __init__(self, plan, backwards=False, late=0, fence=None):
        self.plan, self.late = plan, late
        self.kernels = CpuKernels(plan.source, plan.kernels, backwards)
        self.arrays, self.memory = {}, {}
        shapes = {name: (buffer.shape, buffer.dtype) for name, buffer in plan.buffers.items()}
        shapes |= {name: (p.shape, "float32") for name, p in plan.parameters.items()}
        for name, (shape, dtype) in shapes.items():
            if fence:
                self.arrays[name] = fenced(shape, dtype, fence)
            else:
                self.arrays[name], self.memory[name] = guarded(shape, dtype)
        for name, p in plan.parameters.items():
            self.arrays[name][...] = p.data
        self.losses, self.corrects = np.zeros(100, np.float32), np.zeros(100, np.int32)  # the history

    def begin(self, images, labels, order=None, total=None, size=None, batch=0, lr=0.0, momentum=0.0, decay=0.0):
        """A run of steps over bytes; images None where x and labels are in place."""
        self.kept = images, labels, order  # the state holds their addresses
        total = total if total is not None else self.plan.images if images is None else len(images)
        numbers = np.int32(total), np.int32(size or self.plan.images), np.int32(batch)
        rule = np.float32(lr), np.float32(momentum), np.float32(decay)
        places = self.arrays["state"], self.arrays["rule"]
        arguments = (*places, images, labels, order, self.losses, self.corrects, *numbers, *rule)
        self.kernels("begin", (1, 1, 1), (1, 1, 1), arguments)

    def run(self, launches):
        launches = list(launches)
        if self.late:  # by branch, but nothing goes past a launch for which the branches come together
            parts = itertools.accumulate(launch.joined for launch in launches)
            order = sorted(zip(parts, launches, strict=True), key=lambda x: (x[0], x[1].branch * self.late % 5))
            launches = [launch for _, launch in order]
        for launch in launches:
            arguments = [np.int32(a) if isinstance(a, int) else a and self.arrays[a] for a in launch.arguments]
            self.kernels(launch.kernel, launch.grid, launch.block, arguments)
        for name, around in self.memory.items():
            ends = np.concatenate([around[:GUARD], around[GUARD + self.arrays[name].nbytes :]])
            assert (ends == 0xFF).all(), f"a kernel wrote outside {name}"


class Reference:
    """One training step of a plan's stages by the engine's ops in float64.

    `arrays` go by the plan's buffer names: x, y<i>, dz<i>; and a<i>, the activations before a fused pooling, dw<i> and
    db<i>, the gradients.  Of a batch of n images they have n columns.
    """

    def __init__(self, plan, x, labels, smoothing=0.0):
        self.arrays = {"x": batch_last(x, plan.image)}
        self.leaves = {
            name: tinycnn.tensor(p.data.astype(np.float64), requires_grad=True) for name, p in plan.parameters.items()
        }
        y, sums = tinycnn.Tensor(x.astype(np.float64)), []
        for i, stage in enumerate(plan.stages):
            z, y = self.stage(i, stage, y)
            sums.append(z)
        logits = y.reshape(len(labels), -1)
        self.correct = int((logits.numpy().argmax(axis=1) == labels).sum())
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        self.loss = loss.item() * len(labels)
        loss.backward()
        for i, (stage, z) in enumerate(zip(plan.stages, sums, strict=True)):
            if z.grad is not None:
                self.arrays[f"dz{i}"] = batch_last(z.grad.numpy(), stage.sums)
        self.arrays |= {f"d{name}": leaf.grad.numpy() for name, leaf in self.leaves.items()}

    def stage(self, i, stage, x):
        """(weighted sums or pooled numbers, output), each (N, C, H, W)."""
        w, b = self.leaves.get(f"w{i}"), self.leaves.get(f"b{i}")
        if stage.kind == "linear":
            z = F.linear(x.reshape(x.shape[0], -1), w, b).reshape(x.shape[0], -1, 1, 1)
        elif stage.kind == "conv":
            z = F.conv2d(x, w, b, stage.stride, stage.padding, stage.dilation)
        else:
            z = pool(x, stage, stage.kernel, stage.stride, stage.padding, stage.dilation)
        if z.requires_grad:
            z.retain_grad()
        y = ACTIVATE[stage.activation](z)
        if stage.kind == "conv" and stage.pooling != "NO_POOL":
            self.arrays[f"a{i}"] = batch_last(y.numpy(), stage.sums)
            y = pool(y, stage, stage.window, stage.window, (0, 0), (1, 1))
        self.arrays[f"y{i}"] = batch_last(y.numpy(), stage.gives)
        return z, y


def batch_last(x, shape):
    return np.ascontiguousarray(x.reshape(-1, *shape).transpose(1, 2, 3, 0))


def pool(x, stage, kernel, stride, padding, dilation):
    size = stage.gives[1:]
    for ceil_mode in (False, True):  # the stage has forgotten which, but not its size
        if stage.pooling == "AVERAGE":
            y = F.avg_pool2d(x, kernel, stride, padding, ceil_mode, stage.count_padding)
        else:
            y = F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        if y.shape[2:] == size:
            return y
    raise AssertionError(f"no pooling of {x.shape} gives {size}")
