"""tinycnn: a CNN engine small enough to read in an afternoon and fast enough to use."""

from tinycnn import arithmetic as arithmetic
from tinycnn import functional as functional
from tinycnn.tape import no_grad as no_grad
from tinycnn.tensor import Tensor as Tensor
from tinycnn.tensor import tensor as tensor

__version__ = "0.1.0"
