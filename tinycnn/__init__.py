"""tinycnn: a CNN engine small enough to read in an afternoon and fast enough to use.

Here are, under their short names, `tinycnn.tensor.Tensor`, `tinycnn.tensor.Parameter` and `tinycnn.tensor.tensor`,
`tinycnn.tape.no_grad`, `tinycnn.random.manual_seed`, `tinycnn.exchange.from_dlpack`, `tinycnn.gradcheck.gradcheck`,
`tinycnn.grade.grade` and `tinycnn.summary.summary`.  What nets are made of is in `tinycnn.functional`, `tinycnn.nn`,
`tinycnn.init`, `tinycnn.models` and `tinycnn.optim`, how they are trained in `tinycnn.data`, `tinycnn.execution`,
`tinycnn.training` and `tinycnn.checkpoint`, how they are looked into and handed on in `tinycnn.explain` and
`tinycnn.onnx`.
"""

from tinycnn import arithmetic as arithmetic
from tinycnn import functional as functional
from tinycnn import init as init
from tinycnn import models as models
from tinycnn import nn as nn
from tinycnn import optim as optim
from tinycnn.exchange import from_dlpack as from_dlpack
from tinycnn.gradcheck import gradcheck as gradcheck
from tinycnn.grade import grade as grade
from tinycnn.random import manual_seed as manual_seed
from tinycnn.summary import summary as summary
from tinycnn.tape import no_grad as no_grad
from tinycnn.tensor import Parameter as Parameter
from tinycnn.tensor import Tensor as Tensor
from tinycnn.tensor import tensor as tensor

__version__ = "0.1.0"
