"""products: every matrix product of the engine goes through this file.

A convolution's products are long and thin: 6 filters times 25,088 columns.  BLAS libraries are built for square
ones.  OpenBLAS, NumPy's usual one, packs its operands first, which costs more than it saves where one side is short;
products of up to a million multiply-adds take another path that does not pack.  So a long thin product is cut into
pieces of that size, as one stacked `matmul` of views that copies nothing.

Measured on one core (AVX-512, OpenBLAS 0.3.31, float32; GFLOP/s whole and in pieces), LeNet with 32 images:
    forward   6x25 @ 25x25088:  31 -> 73      16x150 @ 150x3200:  73 -> 109
    weights   6x25088 @ 25088x25:  14 -> 69   16x3200 @ 3200x150:  41 -> 103
    columns   150x16 @ 16x3200:  83 -> 102
and of wider nets, an output row of 1,024 columns at a time:
    forward   32x144:  92 -> 117    64x144:  96 -> 124    32x288:  61 -> 93     64x288:  73 -> 62    64x576:  71 -> 59
    weights   32x144:  59 -> 113    64x144:  75 -> 120    32x288:  58 -> 106    64x576:  81 -> 92    128x576: 97 -> 66
    columns   144x32:  95 -> 126    144x64: 105 -> 132    288x32:  88 -> 127    400x32:  83 -> 123   576x64: 109 -> 42
So pieces win as long as they do not become too narrow: from about 64 columns on, and 16 in a sum.
"""

from collections.abc import Callable

import numpy as np

from tinycnn.backend.arrays import Array, array_module

WORK = 1_000_000  # multiply-adds that OpenBLAS does without packing (its small matrix path: up to 100 ** 3)
RESULT = 1_200  # numbers in the result up to which that path also takes a transposed operand
THIN = 15_000  # numbers in the short operand; beyond it pieces have less than 64 columns, and packing pays
SMALL = 2_500  # numbers in a result that is best computed in one piece, as long as the sum is short
LONG = 200  # numbers in each sum from which larger results are best computed a few columns at a time
NARROW = 16  # columns of a sum's result; fewer at a time are slower than all at once


class Product:
    """a @ b into `out`, as often as it is called: (..., M, K) and (..., K, N) -> (..., M, N), arrays of NumPy.

    Each call multiplies what the arrays hold by then.  How to cut them is decided once: of small products, that would
    take longer than the arithmetic.
    """

    def __init__(self, a: Array, b: Array, out: Array) -> None:
        (M, K), N = a.shape[-2:], b.shape[-1]
        self.calls = [(a, b, out)]
        if _is_cut(M, K, N):
            width = _width(N, WORK // (M * K))
            P, whole = N // width, N // width * width
            pieces = _cut(b[..., :whole], P), _cut(out[..., :whole], P)  # N in P pieces, each computed where it belongs
            self.calls = [(a[..., None, :, :], pieces[0].swapaxes(-2, -3), pieces[1].swapaxes(-2, -3))]
            if whole < N:
                self.calls.append((a, b[..., whole:], out[..., whole:]))

    @property
    def multiply_adds(self) -> int:
        """Of one call."""
        return sum(out.size * a.shape[-1] for a, _, out in self.calls)

    def __call__(self) -> None:
        for a, b, out in self.calls:
            np.matmul(a, b, out=out)


class SumOfProducts:
    """The sum over the stack of its products into `out`: (..., P, M, K) and (..., P, K, N) -> (..., M, N); see Product.

    `room(*shape)` gives an array of that shape for the products before they are added up.
    """

    def __init__(self, a: Array, b: Array, out: Array, room: Callable[..., Array]) -> None:
        (M, K), N = a.shape[-2:], b.shape[-1]
        self.calls: list[tuple[Array, Array, Array, Array]] = []  # (a, b, their products, the sum)
        self.product: Product | None = None
        if not ((K >= LONG or M * N <= SMALL) and min(RESULT // M, N) >= min(NARROW, N)):
            shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), M, N)
            self.products, self.out = room(*shape), out
            self.product = Product(a, b, self.products)
            return
        pieces = -(-N // (RESULT // M))  # of so many columns that the result is small, and what is left over
        width = -(-N // pieces)
        whole = N // width * width
        for columns, wide in ((slice(whole), width), (slice(whole, N), N - whole)):
            if wide:
                self._add_pieces(a, b[..., columns], out[..., columns], wide, room)

    def _add_pieces(self, a: Array, b: Array, out: Array, width: int, room: Callable[..., Array]) -> None:
        """The result in pieces of `width` columns, and sums of at most WORK multiply-adds for each."""
        (M, K), N = a.shape[-2:], b.shape[-1]
        Q, S = N // width, _pieces(K, WORK // (M * width))
        a = _cut(a, S).swapaxes(-2, -3)[..., None, :, :]  # (..., P, S, 1, M, K/S)
        b = _cut(_cut_rows(b, S), Q).swapaxes(-2, -3)  # (..., P, S, Q, K/S, N/Q)   a view
        products = room(*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), M, width)
        self.calls.append((a, b, products, _cut(out, Q).swapaxes(-2, -3)))  # out (..., Q, M, N/Q)

    @property
    def multiply_adds(self) -> int:
        """Of one call."""
        whole = self.product.multiply_adds if self.product is not None else 0
        return whole + sum(products.size * a.shape[-1] for a, _, products, _ in self.calls)

    def __call__(self) -> None:
        if self.product is not None:
            self.product()
            np.add.reduce(self.products, axis=-3, out=self.out)
        for a, b, products, out in self.calls:
            np.matmul(a, b, out=products)
            np.add.reduce(products, axis=(-5, -4), out=out)


def gemm(a: Array, b: Array, out: Array | None = None) -> Array:
    """a @ b for (..., M, K) and (..., K, N) -> (..., M, N), into `out` where it is given; vectors as NumPy has it."""
    small = a.ndim < 2 or b.ndim < 2 or not _is_cut(a.shape[-2], a.shape[-1], b.shape[-1])
    if small or not isinstance(a, np.ndarray):
        return array_module(a).matmul(a, b, out=out)
    if out is None:
        front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty((*front, a.shape[-2], b.shape[-1]), np.result_type(a, b))
    Product(a, b, out)()
    return out


def gemm_sum(a: Array, b: Array) -> Array:
    """The sum over the stack of its products: (..., P, M, K) and (..., P, K, N) -> (..., M, N)."""
    (M, K), N = a.shape[-2:], b.shape[-1]
    if not isinstance(a, np.ndarray) or M * N == 0 or K == 0:
        return gemm(a, b).sum(axis=-3)
    kind = np.result_type(a, b)
    front = np.broadcast_shapes(a.shape[:-3], b.shape[:-3])
    y: Array = np.empty((*front, M, N), kind)
    SumOfProducts(a, b, y, lambda *shape: np.empty(shape, kind))()
    return y


def _is_cut(M: int, K: int, N: int) -> bool:
    """Whether a product of these sizes is computed in pieces."""
    return N >= K and M * K <= THIN and M * K * N > WORK


def _cut_rows(x: Array, P: int) -> Array:
    """(..., A, B) -> (..., P, A/P, B), a view."""
    return x.reshape(*x.shape[:-2], P, x.shape[-2] // P, x.shape[-1])


def _cut(x: Array, P: int) -> Array:
    """(..., A, B) -> (..., A, P, B/P), a view."""
    return x.reshape(*x.shape[:-1], P, x.shape[-1] // P)


def _width(length: int, most: int) -> int:
    """How wide about equal pieces of `length` are, `most` at most, and whole vectors of 16 numbers where that fits."""
    even = -(-length // -(-length // most))
    return min(-(-even // 16) * 16, most // 16 * 16 or most, length)


def _pieces(length: int, most: int) -> int:
    """The smallest number of equal pieces of `length` that are at most `most` long; 1 where it does not divide so."""
    least = max(1, -(-length // max(most, 1)))
    return next((P for P in range(least, 2 * least + 1) if length % P == 0), 1)
