"""tiles: how each layer's work is cut into threads and blocks, by a small model of where a GPU's time goes.

A good cut keeps the multiply-adds of a thread well above its loads, and yet leaves enough threads to fill the
machine.  The model counts cycles; it need not be exact to rank a few hundred cuts.  Its constants were fitted to the
times of some 800 cuts of two nets on an H200: the cuts it chooses there are within a few per cent of the best, seldom
more than a fifth above.  Any cut gives the same results but for rounding.

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
VALUES = 150  # sums and loaded numbers that a thread may keep in registers without spilling
STAGING = 32  # instructions that bring one weight to shared memory, most of them for its address
ROW = 60  # instructions with which a convolution finds its way to one more row
ENDING = 28  # instructions per result: activation, pooling, storing


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
    SLICES: int

    def launch(self, images: int, planes: int) -> tuple[Three, Three]:
        """(grid, block) for so many images and result planes."""
        along, groups = -(-images // self.LANES), -(-planes // (self.GROUPS * self.OT))
        return (self.TY * self.TX * along * groups, 1, 1), (self.LANES, self.GROUPS, self.SLICES)


class Patch(NamedTuple):
    """What a convolution's tile looks at in one channel."""

    rows: float  # that exist, on average
    columns: int
    products: float  # of a number in these rows with a tap


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
    images: int, channels: int, filters: int, kernel: Two, size: Two, unit: Two, patch: Callable[[int, int], Patch]
) -> ConvTile:
    """The cut of a convolution of `channels` into `filters` planes of `size`, or of its data gradient.

    Tiles are multiples of `unit`: the pooling's window forward, the strides backward.  patch(TH, TW) is what a thread
    looks at for a tile of TH x TW results.
    """
    return _cheapest(_conv_tiles(images, channels, filters, kernel, size, unit, patch))


def _conv_tiles(
    images: int, channels: int, filters: int, kernel: Two, size: Two, unit: Two, patch: Callable[[int, int], Patch]
) -> Iterator[tuple[float, ConvTile]]:
    width, taps = _lanes(images), math.prod(kernel)
    full = -(-size[1] // unit[1])  # a tile as wide as the image
    options = itertools.product((1, 2), {1, 2, 4, full}, range(1, 9), (1, 2), (1, 2), (1, 2, 3, 4, 6, 8))
    for down, across, OT, GROUPS, wide, SLICES in options:
        TH, TW, planes, LANES = unit[0] * down, unit[1] * across, GROUPS * OT, width * wide
        TY, TX, sums, seen = -(-size[0] // TH), -(-size[1] // TW), OT * TH * TW, patch(TH, TW)
        share = 4 * SLICES * GROUPS * sums * LANES if SLICES > 1 else 0
        CC = _chunk(channels, 4 * planes * kernel[0] * (kernel[1] + 3), 2 * SHARED - share)  # taps in rows of four
        tile = ConvTile(OT, TH, TW, TY, TX, CC, GROUPS, LANES, SLICES)
        blocks, threads = (math.prod(dimensions) for dimensions in tile.launch(images, filters))
        smallest = down == across == OT == GROUPS == wide == SLICES == 1  # always offered, so that there is an answer
        too_large = sums + 2 * seen.columns > VALUES or share > SHARED + 8192 * 2 or threads > 512 or across > full
        if not smallest and (too_large or CC == 0 or planes >= filters + OT or SLICES > CC or LANES >= images + width):
            continue
        rows = channels // CC * -(-CC // SLICES) * seen.rows  # that a thread goes through
        weights = taps * planes * channels / threads  # that it brings to shared memory
        row = OT * seen.products / seen.rows + 2 * seen.columns + OT * kernel[1] / 2 + ROW * down
        issue = rows * row + STAGING * weights + sums * (ENDING / SLICES + (3 if SLICES > 1 else 0))
        waits = rows * max(0, LATENCY - 2 * row) + LATENCY * (2 + 2 * channels // CC + weights / 8)
        traffic = blocks * threads * rows * seen.columns * 4 / GROUPS  # the groups of a block read the same
        yield _cycles(blocks, threads, issue, rows * (seen.columns + OT * kernel[1] / 2), waits, traffic), tile


def _chunk(channels: int, bytes_each: int, room: int) -> int:
    """How many channels' weights fit into shared memory at a time: a divisor of `channels`, or 0."""
    return max((c for c in range(1, channels + 1) if channels % c == 0 and c * bytes_each <= room), default=0)


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
        if not smallest and (sums + row + OT * JT > VALUES + 30 or RC > OH or CT > channels):
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

    Each of a multiprocessor's four schedulers issues an instruction in a cycle, and one warp alone keeps it busy every
    other cycle.  Warps hide each other's waits, in part, and the bytes flow meanwhile: the slowest counts, and four
    tenths of the second.
    """
    warps = math.ceil(blocks / MULTIPROCESSORS) * -(-threads // 32)  # on the multiprocessor with the most
    together, alone = -(-warps // 4) * issue, 2 * issue + waits
    return max(together, alone, warps * memory, traffic / BANDWIDTH) + 0.4 * min(together, alone)


def _cheapest(offers: Iterable[tuple[float, T]]) -> T:
    return min(offers, key=lambda offer: offer[0])[1]
