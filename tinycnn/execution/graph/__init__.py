"""graph: the whole training step as a few fused CUDA kernels, captured in CUDA graphs and replayed.

Read in this order: ../stages (which layers make which kernels), plan (the launches of a step), the kernels themselves
in kernels/, replay (the plan on the GPU), and step, the strategy that a training loop sees.  compile writes the sizes
of a model under the kernels' text; tiles is about speed alone.
"""
