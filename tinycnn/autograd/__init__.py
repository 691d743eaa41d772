"""autograd: arrays that remember how they were made, and the gradients that follow from it.

Read in this order: tape (what an operation leaves behind, and how backward plays it in reverse), tensor (an array with
a gradient, and Op, one differentiable operation), operators (the arithmetic behind + and sum), places (what is behind
[...] and reshape), gradcheck (is a backward right?).  arguments says what arguments mean, or why they mean nothing;
dlpack shares memory with others.
"""
