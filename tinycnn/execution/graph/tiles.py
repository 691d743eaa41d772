"""tiles: how each layer's work is cut into threads and blocks, by a small model of where a GPU's time goes.

A good cut keeps the multiply-adds of a thread well above its loads, and yet leaves enough threads to fill the
machine.  The model counts cycles; it need not be exact to rank a few hundred cuts.  Of a particular card it knows only
the constants below.  Any cut gives the same results but for rounding, so these are the numbers to turn when tuning.

The fields of a tile have the names by which the kernels know them, and are explained there.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

Two = tuple[int, int]
Three = tuple[int, int, int]
T = TypeVar("T")

MULTIPROCESSORS = 132  # of an H100; each issues four instructions of a warp in a cycle, one of them to memory
LATENCY = 300  # cycles until a load from the second-level cache answers
BANDWIDTH = 2500  # bytes that it gives to all multiprocessors together in a cycle
SHARED = 24 * 1024  # bytes of weights that a block holds at a time; 48 KiB are to be had without asking
VALUES = 120  # sums and loaded numbers that a thread may keep in registers without spilling
STAGING = 24  # instructions that bring one weight to shared memory, most of them for its address


class ConvTile(NamedTuple):
    """The cut of a convolution or of its data gradient."""

    OT: int
    TH: int
    TW: int
    TY: int
    TX: int
    CC: int
    GROUPS: int
    LANES: int
    DEPTH: int  # tiles per block

    def launch(self, images: int, planes: int) -> tuple[Three, Three]:
        """(grid, block) for so many images and result planes."""
        grid = -(-self.TY * self.TX // self.DEPTH), -(-images // self.LANES), -(-planes // (self.GROUPS * self.OT))
        return grid, (self.LANES, self.GROUPS, self.DEPTH)


class WeightTile(NamedTuple):
    """The cut of a convolution's weight gradient."""

    OT: int
    UT: int
    JT: int
    RC: int
    CT: int
    SPLITS: int

    def launch(self, filters: int, channels: int, kernel_rows: int) -> tuple[Three, Three]:
        """(grid, block) for a weight of so many filters, channels and rows."""
        groups = -(-filters // self.OT) * -(-kernel_rows // self.UT)
        return (self.SPLITS, groups, -(-channels // self.CT)), (128, 1, 1)


class LinearTile(NamedTuple):
    """The cut of a linear layer or of its data gradient."""

    M: int
    R: int
    TRANSPOSED: int
    MT: int
    NT: int
    SLICES: int
    GROUPS: int
    CHUNK: int
    LANES: int

    def launch(self, images: int) -> tuple[Three, Three]:
        """(grid, block) for so many images."""
        grid = -(-self.M // (self.GROUPS * self.MT)), -(-images // (self.LANES * self.NT)), 1
        return grid, (self.LANES, self.SLICES, self.GROUPS)


def conv_tile(
    images: int, channels: int, filters: int, taps: int, size: Two, unit: Two, patch: Callable[[int, int], int]
) -> ConvTile:
    """The cut of a convolution of `channels` into `filters` planes of `size`, or of its data gradient.

    Tiles are multiples of `unit`: the pooling's window forward, the strides backward.  patch(TH, TW) is how many
    pixels a thread loads for a tile of TH x TW results.
    """
    return _cheapest(_conv_tiles(images, channels, filters, taps, size, unit, patch))


def _conv_tiles(
    images: int, channels: int, filters: int, taps: int, size: Two, unit: Two, patch: Callable[[int, int], int]
) -> Iterator[tuple[float, ConvTile]]:
    width = _lanes(images)
    options = itertools.product((1, 2), (1, 2, 4), range(1, 9), (1, 2, 4), (64, 128, 256))
    for down, across, OT, GROUPS, about in options:
        TH, TW, planes = unit[0] * down, unit[1] * across, GROUPS * OT
        TY, TX = -(-size[0] // TH), -(-size[1] // TW)
        sums, loads = OT * TH * TW, patch(TH, TW)
        smallest = down == across == OT == GROUPS == 1  # is always offered, so that there is an answer
        if not smallest and (sums + loads > VALUES or 4 * taps * planes > SHARED or planes >= filters + OT):
            continue
        DEPTH = max(1, min(about // (width * GROUPS), TY * TX, 64))
        CC = max(c for c in range(1, channels + 1) if channels % c == 0 and (c == 1 or 4 * c * taps * planes <= SHARED))
        tile = ConvTile(OT, TH, TW, TY, TX, CC, GROUPS, width, DEPTH)
        blocks, threads = (math.prod(dimensions) for dimensions in tile.launch(images, filters))
        weights = taps * OT / math.gcd(OT, 4)  # loads of up to four at once
        issue = sums * taps + 3 * loads + weights + STAGING * taps * planes / threads  # for one channel
        waits = LATENCY * (1 + taps * planes / threads / 8)  # for the patch, and weights, of which eight come at a time
        traffic = blocks * threads * loads * 4 / GROUPS  # for one channel; the groups of a block read the same
        yield channels * _cycles(blocks, threads, issue, loads + weights, waits, traffic), tile


def conv_weight_tile(
    images: int, channels: int, filters: int, kernel: Two, stride: Two, span: int, size: Two
) -> WeightTile:
    """The cut of a convolution's weight gradient; a kernel row covers `span` pixels, the output is of `size`."""
    return _cheapest(_weight_tiles(images, channels, filters, kernel, stride, span, size))


def _weight_tiles(
    images: int, channels: int, filters: int, kernel: Two, stride: Two, span: int, size: Two
) -> Iterator[tuple[float, WeightTile]]:
    (KH, KW), (OH, OW) = kernel, size
    filters_each, columns, rows = range(1, min(filters, 8) + 1), range(1, min(OW, 8) + 1), {1, 2, 4, 5, 7, OH}
    for OT, UT, JT, RC, CT in itertools.product(filters_each, {1, -(-KH // 2), KH}, columns, rows, (1, 2, 4)):
        sums, row = OT * (UT * KW + 1), (JT - 1) * stride[1] + span
        smallest = OT == UT == JT == RC == CT == 1
        if not smallest and (sums + row + OT * JT > VALUES + 60 or RC > OH or CT > channels):
            continue
        groups, threads = -(-filters // OT) * -(-KH // UT) * -(-channels // CT), 128 // CT
        walks = images * -(-OW // JT) * -(-OH // RC)
        SPLITS = max(1, min(-(-walks // threads), 2 * MULTIPROCESSORS // groups))
        turns = math.ceil(walks / (SPLITS * threads)) * RC
        loads = UT * row + OT * JT  # for one row of JT output pixels
        issue = turns * (sums * JT + 3 * loads) + 5 * sums
        rows_read = UT + (RC - 1) * min(stride[0], UT)  # what a walk has read before is in the nearest cache
        traffic = walks * groups * 4 * (CT * rows_read * row + RC * OT * JT)
        cycles = _cycles(SPLITS * groups, 128, issue, turns * loads + 2 * sums, turns * LATENCY, traffic)
        yield cycles, WeightTile(OT, UT, JT, RC, CT, SPLITS)


def linear_tile(images: int, rows: int, terms: int, transposed: bool) -> LinearTile:
    """The cut of (rows, terms) weights times (terms, images) activations."""
    return _cheapest(_linear_tiles(images, rows, terms, transposed))


def _linear_tiles(images: int, rows: int, terms: int, transposed: bool) -> Iterator[tuple[float, LinearTile]]:
    width = _lanes(images)
    for MT, NT, SLICES, GROUPS in itertools.product((1, 2, 4, 8), (1, 2), (1, 2, 4, 8), (1, 2, 4)):
        block_rows, columns = GROUPS * MT, width * NT
        CHUNK = min(terms, 16 * 1024 // (4 * block_rows))
        tile = LinearTile(rows, terms, int(transposed), MT, NT, SLICES, GROUPS, CHUNK, width)
        blocks, threads = (math.prod(dimensions) for dimensions in tile.launch(images))
        too_large = threads > 512 or 4 * (CHUNK * block_rows + SLICES * block_rows * columns) > 44 * 1024
        if too_large or block_rows >= rows + MT or columns >= images + width or SLICES > terms:
            continue
        loads, weights = NT, MT / math.gcd(MT, 4)  # for one term
        issue = terms / SLICES * (MT * NT + 3 * loads + weights)
        issue += (STAGING * terms + 4 * SLICES * columns) * block_rows / threads
        memory = terms / SLICES * (loads + weights) + (terms + SLICES * columns) * block_rows / threads
        waits = LATENCY * (1 + terms / SLICES / 8 + terms * block_rows / threads / 8)  # eight loads come at a time
        yield _cycles(blocks, threads, issue, memory, waits, blocks * columns * terms * 4), tile


def _lanes(images: int) -> int:
    """How many neighbouring images one warp works on: at most 32, and as evenly as the batch divides."""
    return -(-images // -(-images // 32))


def _cycles(blocks: int, threads: int, issue: float, memory: float, waits: float, traffic: float) -> float:
    """How long `blocks` take whose warps each issue `issue` instructions, `memory` of them loads and stores, and wait
    for `waits` cycles, while `traffic` bytes move in all.

    Warps on one multiprocessor hide each other's waits, and the bytes flow meanwhile: the slowest counts.
    """
    warps = math.ceil(blocks / MULTIPROCESSORS) * -(-threads // 32)  # on the multiprocessor with the most
    return max(warps * issue / 4, warps * memory, issue + waits, traffic / BANDWIDTH)


def _cheapest(offers: Iterable[tuple[float, T]]) -> T:
    return min(offers, key=lambda offer: offer[0])[1]
