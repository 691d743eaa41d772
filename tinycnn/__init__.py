"""tinycnn: a CNN engine small enough to read in an afternoon and fast enough to use.

Here are, under their short names, Tensor, Parameter and tensor of `tinycnn.autograd.tensor`, no_grad, from_dlpack and
gradcheck of `tinycnn.autograd`, manual_seed of `tinycnn.random`, summary of `tinycnn.nn.summary` and grade of
`tinycnn.grading`.  What nets are made of is in `tinycnn.functional`, `tinycnn.nn`, `tinycnn.init`, `tinycnn.models`
and `tinycnn.optim`, how they are trained in `tinycnn.data`, `tinycnn.execution`, `tinycnn.training` and
`tinycnn.checkpoint`, how they are looked into and handed on in `tinycnn.explain` and `tinycnn.onnx`.
"""

import tinycnn.autograd.operators  # noqa: F401  what Tensor's operators and methods look up by name
from tinycnn import functional as functional
from tinycnn import init as init
from tinycnn import models as models
from tinycnn import nn as nn
from tinycnn import optim as optim
from tinycnn.autograd.dlpack import from_dlpack as from_dlpack
from tinycnn.autograd.gradcheck import gradcheck as gradcheck
from tinycnn.autograd.tape import no_grad as no_grad
from tinycnn.autograd.tensor import Parameter as Parameter
from tinycnn.autograd.tensor import Tensor as Tensor
from tinycnn.autograd.tensor import tensor as tensor
from tinycnn.grading import grade as grade
from tinycnn.nn.summary import summary as summary
from tinycnn.random import manual_seed as manual_seed

__version__ = "0.1.0"
