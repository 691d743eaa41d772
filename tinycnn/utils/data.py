"""utils.data: tinycnn.data under torch's name, for `from tinycnn.utils.data import DataLoader, TensorDataset`."""

from tinycnn.data import *  # noqa: F403
from tinycnn.data import __all__ as __all__
