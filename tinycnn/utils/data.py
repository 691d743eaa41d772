"""utils.data: tinycnn.data under torch's name, for `from tinycnn.utils.data import DataLoader, TensorDataset`."""

from typing import TYPE_CHECKING, NoReturn

from tinycnn.data import *  # noqa: F403
from tinycnn.data import __all__ as __all__
from tinycnn.elsewhere import advice

if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here

    def __getattr__(name: str) -> NoReturn:
        """AttributeError for a name that is not here: what to write instead."""
        raise AttributeError(advice("utils.data", name, __all__))
