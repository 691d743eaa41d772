"""functional: the public functions of ops/, under torch.nn.functional's names.

They are found by themselves; the imports below only tell editors and type checkers what is there.
"""

from typing import TYPE_CHECKING

from tinycnn import ops

if TYPE_CHECKING:
    from tinycnn.ops.abs import abs as abs
    from tinycnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d as adaptive_avg_pool2d
    from tinycnn.ops.avg_pool2d import avg_pool2d as avg_pool2d
    from tinycnn.ops.batch_norm import batch_norm as batch_norm
    from tinycnn.ops.cat import cat as cat
    from tinycnn.ops.cat import stack as stack
    from tinycnn.ops.clamp import clamp as clamp
    from tinycnn.ops.conv2d import conv2d as conv2d
    from tinycnn.ops.cross_entropy import cross_entropy as cross_entropy
    from tinycnn.ops.dropout import dropout as dropout
    from tinycnn.ops.flatten import flatten as flatten
    from tinycnn.ops.gelu import gelu as gelu
    from tinycnn.ops.leaky_relu import leaky_relu as leaky_relu
    from tinycnn.ops.linear import linear as linear
    from tinycnn.ops.log_softmax import log_softmax as log_softmax
    from tinycnn.ops.max_pool2d import max_pool2d as max_pool2d
    from tinycnn.ops.pad import pad as pad
    from tinycnn.ops.relu import relu as relu
    from tinycnn.ops.sigmoid import sigmoid as sigmoid
    from tinycnn.ops.silu import silu as silu
    from tinycnn.ops.softmax import softmax as softmax
    from tinycnn.ops.tanh import tanh as tanh
    from tinycnn.ops.where import where as where

globals().update(ops.PUBLIC)
__all__ = sorted(ops.PUBLIC)  # noqa: PLE0605
