"""nn.functional: tinycnn.functional under torch's name, for `import tinycnn.nn.functional as F`."""

from typing import TYPE_CHECKING, NoReturn

from tinycnn.elsewhere import advice
from tinycnn.functional import *  # noqa: F403
from tinycnn.functional import __all__ as __all__

if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here

    def __getattr__(name: str) -> NoReturn:
        """AttributeError for a name that is not here: what to write instead."""
        raise AttributeError(advice("nn.functional", name, __all__))
