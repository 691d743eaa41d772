"""utils.data: tinycnn.data under torch's name, for `from tinycnn.utils.data import DataLoader, TensorDataset`."""

from typing import TYPE_CHECKING

from tinycnn.data import *  # noqa: F403
from tinycnn.data import __all__ as __all__
from tinycnn.elsewhere import advising

if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("utils.data", __all__)
