"""Captures: CUDA's own errors for what a capture does not allow, and graphs in any order that they allow."""

import re

import numpy as np
import pytest
from emulator.programs import result


@pytest.fixture
def streams():
    import cupy

    cupy.cuda.Device().synchronize()
    return [cupy.cuda.Stream(non_blocking=True) for _ in range(2)]


def add(x, amount):
    """x += amount, without an allocation."""
    import cupy

    cupy.add(x, amount, out=x)


def events(n):
    import cupy

    return [cupy.cuda.Event(disable_timing=True) for _ in range(n)]


def capture(stream, body, mode="Relaxed"):
    """The graph of what `body` does; CUDA's error where there is one."""
    import cupy

    with stream:
        stream.begin_capture(getattr(cupy.cuda.runtime, f"streamCaptureMode{mode}"))
        try:
            body()
        finally:
            graph = stream.end_capture()
    return graph


def refused(stream, body, mode="Relaxed"):
    """The name of CUDA's error."""
    import cupy

    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError) as caught:
        capture(stream, body, mode)
    return str(caught.value).split(":")[0]


def test_capturing_runs_nothing_and_launching_does_as_often_as_one_likes(streams):
    import cupy

    x = cupy.zeros(3)
    add(x, 0)
    cupy.cuda.Device().synchronize()
    graph = capture(streams[0], lambda: add(x, 1))
    assert x.get().tolist() == [0, 0, 0]
    for _ in range(3):
        graph.launch(streams[0])
    streams[0].synchronize()
    assert x.get().tolist() == [3, 3, 3]


def fork(streams, x, y, join=True):
    """x on the first stream, y beside it on the second."""
    one, other = events(2)
    add(x, 1)
    one.record(streams[0])
    streams[1].wait_event(one)
    with streams[1]:
        add(y, 1)
        other.record(streams[1])
    add(x, 1)
    if join:
        streams[0].wait_event(other)


def test_branches_have_the_dependencies_that_were_captured(streams):
    import cupy

    x, y = cupy.zeros(3), cupy.zeros(3)
    graph = capture(streams[0], lambda: fork(streams, x, y))
    text = graph.debug_dot_str()
    assert sorted(re.findall(r"node_(\d)\" -> \"graph_1_node_(\d)", text)) == [("0", "1"), ("0", "2")]
    graph.launch(streams[0])
    streams[0].synchronize()
    assert (x.get()[0], y.get()[0]) == (2, 1)


def test_a_branch_that_is_not_joined(streams):
    import cupy

    x, y = cupy.zeros(3), cupy.zeros(3)
    add(x, 0)
    assert refused(streams[0], lambda: fork(streams, x, y, join=False)) == "cudaErrorStreamCaptureUnjoined"


def test_waiting_in_a_capture(streams):
    from cupy.cuda import runtime

    assert refused(streams[0], lambda: runtime.streamSynchronize(streams[0].ptr)) == "cudaErrorStreamCaptureInvalidated"
    assert refused(streams[0], runtime.deviceSynchronize) == "cudaErrorStreamCaptureInvalidated"


def test_allocating_in_a_capture(streams):
    from cupy.cuda import runtime

    assert refused(streams[0], lambda: runtime.malloc(100), "Global") == "cudaErrorStreamCaptureInvalidated"


def test_an_event_from_outside(streams):
    (event,) = events(1)
    event.record(streams[1])
    assert refused(streams[0], lambda: streams[0].wait_event(event)) == "cudaErrorStreamCaptureInvalidated"


def test_a_blocking_stream_cannot_be_captured_beside_the_default_one():
    import cupy

    stream, x = cupy.cuda.Stream(), cupy.zeros(3)

    def body():
        with cupy.cuda.Stream.null:
            cupy.cuda.runtime.memsetAsync(x.data.ptr, 0, 8, 0)

    assert refused(stream, body) == "cudaErrorStreamCaptureInvalidated"


def test_copies_from_pageable_memory(streams):
    import cupy
    from cupy.cuda import runtime

    x, source = cupy.zeros(3), np.zeros(3)
    cupy.cuda.Device().synchronize()

    def body():
        runtime.memcpyAsync(x.data.ptr, source.ctypes.data, 24, runtime.memcpyHostToDevice, streams[0].ptr)

    assert refused(streams[0], body) == "cudaErrorStreamCaptureInvalidated"


def test_after_a_spoilt_capture_the_next_one_works(streams):
    import cupy
    from cupy.cuda import runtime

    x = cupy.zeros(3)
    add(x, 0)
    refused(streams[0], lambda: runtime.malloc(100), "Global")
    capture(streams[0], lambda: add(x, 1)).launch(streams[0])
    streams[0].synchronize()
    assert x.get()[0] == 1


ORDER = """
    from emulator.test_graphs import capture, events, fork
    streams = [cp.cuda.Stream(non_blocking=True) for _ in range(2)]
    x = cp.ones(3)
    cp.cuda.Device().synchronize()
    one, other = events(2)

    def body():  # the second stream doubles, the first adds one, and nobody says which comes first
        one.record(streams[0])
        cp.add(x, 0, out=x)
        one.record(streams[0])
        streams[1].wait_event(one)
        with streams[1]:
            cp.add(x, x, out=x)
            other.record(streams[1])
        cp.add(x, 1, out=x)
        streams[0].wait_event(other)

    cp.add(x, 0, out=x), cp.add(x, x, out=cp.zeros(3))
    capture(streams[0], body).launch(streams[0])
    streams[0].synchronize()
    print(x.get()[0])
"""


@pytest.mark.parametrize(("latest", "seen"), [(0, 3.0), (1, 4.0)])
def test_an_order_that_nobody_asked_for_may_be_another_one(latest, seen, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{__file__.rpartition('/emulator')[0]}:" + __import__("os").environ["PYTHONPATH"])
    assert result(ORDER, latest=latest) == str(seen)
