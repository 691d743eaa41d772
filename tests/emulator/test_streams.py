"""Streams that lag: nothing is done before somebody waits for it, so that a wait that is missing shows."""

import pytest
from emulator.programs import result

TWO_STREAMS = """
    import sys
    first, second, event = cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True), cp.cuda.Event()
    x, y = cp.zeros(4), cp.zeros(4)
    cp.cuda.Device().synchronize()
    with first:
        x += 1
        event.record()
    with second:
        if "wait" in sys.argv:
            second.wait_event(event)
        y += x
    second.synchronize()
    print(y.get(stream=second)[0])
"""


@pytest.mark.parametrize(("lagging", "wait", "seen"), [(0, "", 1.0), (1, "wait", 1.0), (1, "", 0.0)])
def test_a_wait_that_is_missing_shows_where_streams_lag(lagging, wait, seen):
    assert result(TWO_STREAMS, wait, lagging=lagging) == str(seen)


def test_the_default_stream_waits_for_blocking_streams_and_they_for_it():
    assert result("""
        stream, x = cp.cuda.Stream(), cp.zeros(4)
        with stream:
            x += 1
        x *= 5
        with stream:
            x -= 2
        print(x.get()[0])
    """, lagging=1) == "3.0"  # fmt: skip


def test_waiting_for_an_event_runs_what_was_before_it():
    assert result("""
        stream, x = cp.cuda.Stream(non_blocking=True), cp.zeros(4)
        cp.cuda.Device().synchronize()
        events = [cp.cuda.Event() for _ in range(2)]
        pinned = np.frombuffer(cp.cuda.alloc_pinned_memory(32), float, 4)
        pinned[:] = 7
        with stream:
            for event in events:
                x += 1
                x.get(out=pinned, blocking=False)
                event.record()
            seen = [pinned[0]]
            for event in events:
                event.synchronize()
                seen.append(pinned[0])
        print(*seen)
    """, lagging=1) == "7.0 1.0 2.0"  # fmt: skip


def test_pageable_memory_is_read_when_the_copy_is_asked_for():
    assert result("""
        stream, source = cp.cuda.Stream(non_blocking=True), np.ones(4)
        x = cp.zeros(4)
        cp.cuda.Device().synchronize()
        with stream:
            x.set(source)
        source[:] = 2
        stream.synchronize()
        print(x.get()[0])
    """, lagging=1) == "1.0"  # fmt: skip


def test_elapsed_time_needs_both_events_to_have_happened():
    assert result("""
        a, b = cp.cuda.Event(), cp.cuda.Event()
        a.record()
        cp.arange(3)
        b.record()
        try:
            cp.cuda.get_elapsed_time(a, b)
        except cp.cuda.runtime.CUDARuntimeError as error:
            print(str(error).split(":")[0])
        b.synchronize()
        print(cp.cuda.get_elapsed_time(a, b) >= 0)
    """, lagging=1).split() == ["cudaErrorNotReady", "True"]  # fmt: skip


def test_host_functions_run_in_their_place():
    assert result("""
        stream, seen = cp.cuda.Stream(non_blocking=True), []
        stream.launch_host_func(seen.append, 1)
        print(seen)
        stream.synchronize()
        print(seen)
    """, lagging=1).split("\n") == ["[]", "[1]"]  # fmt: skip
