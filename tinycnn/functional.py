"""functional: the public functions of ops/, under torch.nn.functional's names.

They are found by themselves; the imports below only tell editors and type checkers what is there.
"""

from typing import TYPE_CHECKING

from tinycnn import ops

if TYPE_CHECKING:
    from tinycnn.ops.conv2d import conv2d as conv2d

globals().update(ops.PUBLIC)
__all__ = sorted(ops.PUBLIC)  # noqa: PLE0605
