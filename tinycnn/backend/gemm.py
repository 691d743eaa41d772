"""gemm: every matrix product of the engine goes through this one function.

A convolution's products are long and thin: 6 filters times 25,088 columns.  BLAS libraries are built for square
ones.  OpenBLAS, NumPy's usual one, packs its operands first, which costs more than it saves when one side is short;
products of up to a million multiply-adds take another path that does not pack.  So a long thin product is cut into
pieces of that size, as one stacked `matmul` of views that copies nothing.

Measured on one core (AVX-512, OpenBLAS 0.3.31, float32, GFLOP/s whole and in pieces), LeNet with 32 images:
    forward   6x25 @ 25x25088:  31 -> 73      16x150 @ 150x3200:  73 -> 109
    weights   6x25088 @ 25088x25:  14 -> 69   16x3200 @ 3200x150:  41 -> 103
    columns   150x16 @ 16x3200:  83 -> 102
"""

import numpy as np

from tinycnn.backend.arrays import Array, array_module

WORK = 1_000_000  # multiply-adds that OpenBLAS does without packing (its small matrix path, 100 ** 3)
RESULT = 1_200  # numbers in the result, up to which that path also takes an operand that is transposed
THIN = 5_000  # numbers in a short operand; beyond it packing pays, and so does the whole product


def gemm(a: Array, b: Array) -> Array:
    """a @ b, for (..., M, K) and (..., K, N) -> (..., M, N), and for vectors as NumPy has it."""
    if a.ndim == b.ndim == 3 and len(a) == len(b) == 1:  # a stack of one, such as a convolution without groups
        return gemm(a[0], b[0])[None]
    if a.ndim == b.ndim == 2 and isinstance(a, np.ndarray):
        (M, K), N = a.shape, b.shape[1]
        if M * K * N > WORK:
            if N >= K and M * K <= THIN:
                return _in_columns(a, b)
            if K > N and M * N <= THIN:
                return _in_sums(a, b)
    product: Array = array_module(a).matmul(a, b)
    return product


def _in_columns(a: Array, b: Array) -> Array:
    """(M, K) @ (K, N) for long N: N is cut, and every piece of the result is computed where it belongs."""
    (M, K), N = a.shape, b.shape[1]
    P = _pieces(N, WORK // (M * K))
    y = np.empty((M, N), np.result_type(a, b))
    np.matmul(a, _cut(b, P).swapaxes(0, 1), out=_cut(y, P).swapaxes(0, 1))  # P times (M, K) @ (K, N/P)
    return y


def _in_sums(a: Array, b: Array) -> Array:
    """(M, K) @ (K, N) for long K: K is cut and the pieces' products are summed; N is cut into shorter results."""
    (M, K), N = a.shape, b.shape[1]
    Q = _pieces(N, RESULT // M)
    P = _pieces(K, WORK * Q // (M * N))
    a = _cut(a, P).swapaxes(0, 1)  # (P, M, K/P)
    b = _cut_both(b, P, Q)  # (Q, P, K/P, N/Q)
    y: Array = np.matmul(a, b).sum(axis=1)  # (Q, M, N/Q)
    return y.swapaxes(0, 1).reshape(M, N)


def _cut(x: Array, P: int) -> Array:
    """(A, B) -> (A, P, B/P), a view."""
    A, B = x.shape
    s, t = x.strides
    return np.lib.stride_tricks.as_strided(x, (A, P, B // P), (s, t * (B // P), t))


def _cut_both(x: Array, P: int, Q: int) -> Array:
    """(A, B) -> (Q, P, A/P, B/Q), a view."""
    A, B = x.shape
    s, t = x.strides
    return np.lib.stride_tricks.as_strided(x, (Q, P, A // P, B // Q), (t * (B // Q), s * (A // P), s, t))


def _pieces(length: int, most: int) -> int:
    """The smallest number of equal pieces of `length` that are at most `most` long; 1 if that makes crumbs."""
    least = -(-length // max(most, 1))
    return next((P for P in range(least, 2 * least + 1) if length % P == 0), 1)
