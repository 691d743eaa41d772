"""nn.functional: tinycnn.functional under torch's name, for `import tinycnn.nn.functional as F`."""

from tinycnn.functional import *  # noqa: F403
from tinycnn.functional import __all__ as __all__
