import numpy as np
import pytest

from tinycnn.backend import aligned, aligned_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 8, 16, 17, 1024])
def test_rows_lie_an_odd_number_of_cache_lines_apart(columns, dtype):
    x = aligned_rows((2, 3, columns), dtype, 7)
    assert x.shape == (2, 3, columns) and x.dtype == dtype and (x == 7).all()
    assert x.strides[1] % 128 == 64 and x.strides[0] == 3 * x.strides[1] and x.ctypes.data % 64 == 0


def test_an_aligned_array_begins_where_a_line_does():
    x = aligned((3, 5), np.float32, 2)
    assert x.ctypes.data % 64 == 0 and x.flags.c_contiguous and (x == 2).all()
