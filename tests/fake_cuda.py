"""fake_cuda: what the stand-in for CuPy lacks for kernels and graphs: RawModule, streams, events, capture, replay.

Kernels run on the CPU from their own text (see cuda_shim).  A capture records launches with their dependencies, as
CUDA does, and runs nothing; a replay runs them in an order that the dependencies allow, by choice (`order`) the
earliest or the latest captured first.  As in CUDA, and refused here in its words where it is an error:

- a graph keeps no array alive: a replay over memory that has been freed is an error here, not a surprise
- only a non-blocking stream can be captured; another stream joins by waiting for an event of the capture, and all
  must have come together again when the capture ends
- during a capture nothing waits, nothing is copied from the host, and an allocator set by using_allocator is asked
"""

import contextlib
import weakref

import fakecupy
import numpy as np
from cuda_shim import CpuKernels

order = "earliest"
launches = []  # the names of all kernels run, in order; clear it at will


class Capture:
    def __init__(self, origin):
        self.origin, self.nodes, self.streams = origin, [], {origin: set()}  # the nodes a stream's next one follows

    def ancestors(self, nodes):
        found, waiting = set(), list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.nodes[node].after
        return found


class Node:
    def __init__(self, run, name, arguments, after):
        self.run, self.name, self.after = run, name, after
        self.arguments = [memory(a) if isinstance(a, fakecupy.ndarray) else a for a in arguments]


def memory(array):
    """A way back to an array that does not keep it alive."""
    owner = array._x
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    address, shape, dtype, alive = array._x.ctypes.data, array.shape, array.dtype, weakref.ref(owner)

    def find():
        owner = alive()
        if owner is None:
            raise RuntimeError(f"replay: an array {shape} at {address:#x} has been freed since the capture")
        offset = address - owner.ctypes.data
        return np.frombuffer(owner.data, np.uint8)[offset:][: int(np.prod(shape)) * dtype.itemsize].view(dtype)

    return find


class Graph:
    def __init__(self, nodes):
        self.nodes = nodes

    def launch(self, stream=None):
        if fakecupy.state.capturing:
            raise RuntimeError("a graph cannot be launched within a capture by this code")
        done, waiting = set(), list(range(len(self.nodes)))
        while waiting:
            ready = [i for i in waiting if self.nodes[i].after <= done]
            node = ready[0 if order == "earliest" else -1]
            arguments = [a() if callable(a) else a for a in self.nodes[node].arguments]
            launches.append(self.nodes[node].name)
            self.nodes[node].run(arguments)
            waiting.remove(node)
            done.add(node)


class Stream:
    current, capture = [], None  # of all streams

    def __init__(self, null=False, non_blocking=False):
        self.non_blocking = non_blocking

    def __enter__(self):
        Stream.current.append(self)
        return self

    def __exit__(self, *exc):
        Stream.current.pop()

    def synchronize(self):
        fakecupy.wait()

    def wait_event(self, event):
        if Stream.capture is not None and event.capture is Stream.capture:
            Stream.capture.streams.setdefault(self, set()).update(event.nodes)

    def begin_capture(self, mode=None):
        if not self.non_blocking:
            raise RuntimeError("cudaErrorStreamCaptureImplicit: capture on a blocking stream")
        Stream.capture, fakecupy.state.capturing = Capture(self), True

    def end_capture(self):
        capture, Stream.capture, fakecupy.state.capturing = Stream.capture, None, False
        if len(capture.ancestors(capture.streams[self])) < len(capture.nodes):
            raise RuntimeError("cudaErrorStreamCaptureUnjoined: a stream of the capture was not joined")
        return Graph(capture.nodes)


NULL = Stream()


def current_stream():
    return Stream.current[-1] if Stream.current else NULL


class Event:
    def __init__(self, block=False, disable_timing=False):
        self.capture, self.nodes = None, set()

    def record(self, stream=None):
        self.capture = Stream.capture
        if Stream.capture is not None:
            self.nodes = set(Stream.capture.streams[stream or current_stream()])

    def synchronize(self):
        fakecupy.wait()


class RawModule:
    def __init__(self, *, code, options=(), name_expressions=()):
        self.kernels = CpuKernels(code, name_expressions)

    def get_function(self, name):
        def kernel(grid, block, args):
            for a in args:
                if not (a is None or isinstance(a, (fakecupy.ndarray, np.int32, np.float32))):
                    raise TypeError(f"{name}: a kernel takes arrays of the device and NumPy scalars, got {a!r}")

            def run(arguments):
                self.kernels(name, grid, block, arguments)

            capture, stream = Stream.capture, current_stream()
            if capture is None:
                launches.append(name)
                run([a._x if isinstance(a, fakecupy.ndarray) else a for a in args])
            elif stream not in capture.streams:
                raise RuntimeError(f"{name}: launched during a capture on a stream that is not part of it")
            else:
                capture.nodes.append(Node(run, name, args, frozenset(capture.streams[stream])))
                capture.streams[stream] = {len(capture.nodes) - 1}

        return kernel


allocator = None


@contextlib.contextmanager
def using_allocator(function):
    global allocator
    allocator = function
    try:
        yield
    finally:
        allocator = None


def allocating(function):
    """Ask the allocator before an array is made."""

    def make(*args, **options):
        if allocator is not None and options.get("out") is None:
            allocator(0)
        return function(*args, **options)

    return make


def install(monkeypatch):
    """Complete the stand-in for one test."""
    cupy = fakecupy.cupy
    for name, thing in dict(Stream=Stream, Event=Event, using_allocator=using_allocator).items():
        monkeypatch.setattr(cupy.cuda, name, thing, raising=False)
    monkeypatch.setattr(cupy.cuda, "get_current_stream", current_stream)
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda start, end: 1.0, raising=False)  # a millisecond
    monkeypatch.setattr(cupy, "RawModule", RawModule, raising=False)
    for name in "empty zeros ones full array asarray empty_like zeros_like add multiply sum".split():
        monkeypatch.setattr(cupy, name, allocating(getattr(cupy, name)))
    Stream.capture, Stream.current[:] = None, []
    launches.clear()
