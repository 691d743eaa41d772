"""nn.functional: tinycnn.functional under torch's name, for `import tinycnn.nn.functional as F`."""

from typing import TYPE_CHECKING

from tinycnn.elsewhere import advising
from tinycnn.functional import *  # noqa: F403
from tinycnn.functional import __all__ as __all__

if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here
    __getattr__ = advising("nn.functional", __all__)
