"""gemm: every matrix product of the engine goes through this one function."""

from tinycnn.backend.arrays import Array, array_module


def gemm(a: Array, b: Array, out: Array | None = None) -> Array:
    """a @ b for (..., M, K) and (..., K, N) -> (..., M, N), written into `out` where it is given."""
    product: Array = array_module(a).matmul(a, b, out=out)
    return product
