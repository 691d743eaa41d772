"""utils: the place where torch has its `data`, for `from tinycnn.utils import data`."""

from tinycnn.utils import data as data
