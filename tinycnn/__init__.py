"""tinycnn: a CNN engine small enough to read in an afternoon and fast enough to use.

Here are, under their short names, `tinycnn.autograd.tensor.Tensor`, `tinycnn.autograd.tensor.Parameter` and
`tinycnn.autograd.tensor.tensor`, no_grad, from_dlpack and gradcheck of `tinycnn.autograd`, manual_seed of
`tinycnn.random`, summary of `tinycnn.nn.summary`, grade of `tinycnn.grading`, and what `tinycnn.spelling` has so that
`import tinycnn as torch` reads like PyTorch.  What nets are made of is in `tinycnn.functional`, `tinycnn.nn`,
`tinycnn.init`, `tinycnn.models` and `tinycnn.optim`, how they are trained in `tinycnn.data`, `tinycnn.execution`,
`tinycnn.training` and `tinycnn.checkpoint`, how they are looked into and handed on in `tinycnn.explain` and
`tinycnn.onnx`; `tinycnn.check` knows the lessons' exercises, `tinycnn.d2l` has the functions of Dive into Deep
Learning.
"""

import pkgutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

# ruff: noqa: E402, F401
_command = ("-m", "tinycnn") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
if _command and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during imports is quiet; __main__ undoes it

import tinycnn.autograd.operators  # what Tensor's operators and methods look up by name
import tinycnn.autograd.places
from tinycnn import cuda as cuda
from tinycnn import elsewhere, random, spelling
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
from tinycnn.functional import abs, cat, clamp, log_softmax, relu, sigmoid, softmax, stack, tanh, where
from tinycnn.grading import grade as grade
from tinycnn.nn.summary import summary as summary
from tinycnn.random import manual_seed as manual_seed
from tinycnn.serialization import load as load
from tinycnn.serialization import save as save
from tinycnn.spelling import *  # noqa: F403
from tinycnn.spelling import boolean as bool
from tinycnn.spelling import float32 as float
from tinycnn.spelling import float64 as double
from tinycnn.spelling import int64 as long
from tinycnn.spelling import max, pow, sum, t

__version__ = "0.1.0"

# What `import *` brings: no name of Python's own, and none of one letter
__all__ = [
    "Parameter", "Tensor", "cat", "clamp", "cuda", "double", "from_dlpack", "functional", "gradcheck", "grade", "init",
    "load", "log_softmax", "long", "manual_seed", "models", "nn", "no_grad", "optim", "relu", "save", "sigmoid",
    "softmax", "stack", "summary", "tanh", "tensor", "where",
]  # fmt: skip
__all__ += spelling.__all__


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is here

    def __getattr__(name: str) -> NoReturn:
        """Names that are not here, many of them torch's: AttributeError says what to write instead."""
        if name in {module.name for module in pkgutil.iter_modules(globals()["__path__"])}:
            raise AttributeError(f"tinycnn.{name} is loaded when it is asked for; write import tinycnn.{name}")
        raise AttributeError(elsewhere.advice("tinycnn", name, [*globals(), *__all__]))
