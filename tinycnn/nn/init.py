"""nn.init: tinycnn.init under torch's name, for `import tinycnn.nn.init as init`."""

from tinycnn.init import *  # noqa: F403
from tinycnn.init import __all__ as __all__
