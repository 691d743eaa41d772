"""stages: a part of a batch by stages over buffers that are made once; CPU, engine layers, the engine's loss.

What the tape computes op by op, in arrays that are made anew each time, is computed here by a few stages: convolution,
activation and pooling together; linear layer and activation together; the loss.  The arithmetic is the ops' own, and
so are the names.  Three things make it faster: every array is made once and written into (`out=`); nothing passes
over the numbers that could be done to the weights instead; a gradient takes the place of what it is the gradient of.

Folded constants.  What lies in a buffer y is not the value itself but an affine map of it, the same for all its
numbers: value = scale * y + shift (values.py).

    sigmoid     1 / (1 + exp(-z)) is tanh(z / 2) / 2 + 1 / 2: the buffer holds the tanh, scale and shift are 1/2
    mean pool   the buffer holds the sum of a window, the scale has 1 / (KH*KW) in it
    bytes       the buffer holds 0 to 255, the scale is 1/255

The next layer's weights undo the map: w * (scale * y + shift) + b is (w * scale) * y + (b + shift * sum of w).  They
are made anew for every batch, which is cheap, because a net has far fewer weights than numbers that pass through it.
Every stage is a plain function of its buffers, so that backward gives gradients of these weights, and the chain rule
makes the parameters' of them: see `Conv.deposit`.

Read in this order: values, activations, linear, pooling, tail, conv, norm, dropout, layer, chain, head, net (all
for one part), engine.
"""

from tinycnn.execution.engines.stages.engine import StagesEngine, check_stages

__all__ = ["StagesEngine", "check_stages"]
