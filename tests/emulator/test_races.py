"""Races between threads, and reads of memory that nobody wrote."""

import pytest
from emulator.programs import message, result

PREPARE = "x, y = cp.arange(64, dtype=np.float32), cp.zeros(64, np.float32); "

TURN = "__shared__ float s[64]; int i = threadIdx.x; s[i] = x[i]; {0} y[i] = s[i ? i - 1 : 0];"
SHARED = f"turn(const float* x, float* y) {{{{ {TURN} }}}}"

RACES = {
    "a barrier is missing": (SHARED.format(""), "race with thread", "at shared address"),
    "two threads write": (
        "two(const float* x, float* y) { y[threadIdx.x / 2] = x[0]; }",
        "which writes there too",
        "global",
    ),
    "two blocks write": (
        "two(const float* x, float* y) { __syncthreads(); if (threadIdx.x == 0) y[0] = x[0]; }",
        "thread 0 of block 0, which writes there too",
        "global",
    ),
    "a thread writes what another reads": (
        "move(float* x, float* y) { int i = threadIdx.x; float z = x[i]; y[i] = z; if (i) x[i - 1] = z; }",
        "which reads there",
        "global",
    ),
}


@pytest.mark.parametrize("name", RACES)
def test_races(name):
    code, kind, where = RACES[name]
    text = message(f'{PREPARE} kernel("{code}")((2,), (64,), (x, y))', races=1)
    assert kind in text and where in text


@pytest.mark.parametrize(
    "code",
    [
        SHARED.format("__syncthreads();"),
        "add(const float* x, float* y) { atomicAdd(y, x[0]); __syncthreads(); atomicAdd(y, 1.0f); }",
        "own(const float* x, float* y) { int i = threadIdx.x; y[i] = x[i]; y[i] += y[i]; }",
    ],
)
def test_what_is_no_race(code):
    assert result(f'{PREPARE} kernel("{code}")((1,), (64,), (x, y)); print("ended")', races=1) == "ended"


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("copy(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }", "global"),
        ("copy(float* x, float* y) { __shared__ volatile float s[64]; y[threadIdx.x] = s[threadIdx.x]; }", "shared"),
    ],
)
def test_reads_of_what_nobody_wrote(code, where):
    text = message(f'y = cp.zeros(64, np.float32); kernel("{code}")((1,), (64,), (cp.empty_like(y), y))', races=1)
    assert "read of memory that nobody wrote: ld" in text and f"at {where} address" in text
