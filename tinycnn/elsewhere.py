"""elsewhere: torch's names that are not here, by where torch has them, and what to write instead."""

import difflib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

_FASTEST = "nothing: tinycnn.execution.make_step takes the fastest way by itself"
_OWN_LOSS = "and strategy='plain' where it goes to make_step"
_DEVIATION = "((x - x.mean(dim, keepdim=True)) ** 2).mean(dim)"

INSTEAD: dict[str, dict[str, str]] = {
    "tinycnn": {
        "FloatTensor": "tinycnn.tensor(numbers, dtype=tinycnn.float32)",
        "Size": "a tuple: shapes are tuples",
        "amin": "-amax(-x, dim)",
        "any": "(x > 0).any()",
        "backends": "nothing: what is fastest is chosen by tinycnn.execution.make_step",
        "bfloat16": "tinycnn.float32",
        "bmm": "x @ y",
        "chunk": "x[:, :n], x[:, n:], ...: slices",
        "compile": _FASTEST,
        "cumsum": "tinycnn.tensor(x.numpy().cumsum(axis)), which passes no gradient",
        "dot": "x @ y",
        "einsum": "matmul of reshaped tensors",
        "empty": "tinycnn.zeros",
        "gather": "x[range(len(x)), index]",
        "inference_mode": "tinycnn.no_grad()",
        "is_grad_enabled": "(x * 1).requires_grad, of an x that requires one",
        "isfinite": "tinycnn.tensor(numpy.isfinite(x.numpy()))",
        "isnan": "x != x",
        "jit": _FASTEST,
        "min": "-max(-x)",
        "outer": "x.unsqueeze(1) * y",
        "randint": "tinycnn.tensor(numpy.random.default_rng(seed).integers(low, high, size))",
        "randperm": "tinycnn.tensor(numpy.random.default_rng(seed).permutation(n))",
        "set_default_device": "device= of each function, or .to(device)",
        "set_default_dtype": "dtype= of each function, or .double()",
        "set_grad_enabled": "with tinycnn.no_grad(): around what wants no gradients",
        "split": "x[:n], x[n:], ...: slices",
        "std": f"{_DEVIATION}.sqrt()",
        "triu": "tinycnn.tensor(numpy.triu(x.numpy()))",
        "var": _DEVIATION,
    },
    "Tensor": {
        "amin": "-(-x).amax(dim)",
        "bool": "x != 0",
        "byte": "x.type(tinycnn.uint8)",
        "clamp": "tinycnn.clamp(x, min, max)",
        "clamp_": "x[...] = tinycnn.clamp(x.detach(), min, max)",
        "copy_": "x[...] = other",
        "cumsum": "tinycnn.tensor(x.numpy().cumsum(axis)), which passes no gradient",
        "expand": "x + tinycnn.zeros(shape); operators expand by themselves",
        "half": "x.type(tinycnn.float16)",
        "int": "x.type(tinycnn.int32)",
        "is_cuda": 'x.device == "gpu"',
        "min": "-(-x).max()",
        "new_zeros": "tinycnn.zeros(shape, dtype=x.dtype, device=x.device)",
        "norm": "(x ** 2).sum().sqrt()",
        "register_hook": "x.retain_grad(), and x.grad after backward()",
        "repeat": "tinycnn.cat([x] * times, dim)",
        "round": "tinycnn.tensor(x.numpy().round())",
        "sort": "tinycnn.tensor(numpy.sort(x.numpy())), which passes no gradient",
        "std": f"{_DEVIATION}.sqrt()",
        "topk": "x[range(len(x)), index], with index = numpy.argsort(-x.numpy(), axis=1)[:, i] for place i",
        "var": _DEVIATION,
    },
    "Module": {
        "add_module": "setattr(net, name, layer), or net.append(layer)",
        "half": "net.float(); parameters are float32 or float64",
        "register_buffer": "self.name = nn.Buffer(array)",
        "register_forward_hook": "with net.watching(see): around the call",
        "register_parameter": "self.name = nn.Parameter(array)",
        "requires_grad_": "for p in net.parameters(): p.requires_grad = False",
        "share_memory": "nothing: workers share the parameters by themselves",
    },
    "nn": {
        "BCELoss": f"a function: -(y * log(p) + (1 - y) * log(1 - p)).mean(), {_OWN_LOSS}",
        "BCEWithLogitsLoss": "CrossEntropyLoss() on two logits a row, of which one is 0",
        "ConvTranspose2d": "the gradient of conv2d by its input, as lesson 7 draws it; there is no such layer",
        "Dropout2d": "Dropout, which drops single numbers",
        "ELU": "an Activation of your own, a line: see nn/activations.py",
        "Embedding": "Linear(words, width, bias=False) of one-hot rows",
        "GroupNorm": "BatchNorm2d",
        "L1Loss": f"a function: abs(x - y).mean(), {_OWN_LOSS}",
        "LayerNorm": "a Module of your own: (x - mean) / (var + eps).sqrt() of each row",
        "LazyConv2d": "Conv2d(in_channels, filters, size); tinycnn.summary says how many channels come in",
        "LazyLinear": "Linear(in_features, out_features); tinycnn.summary says how many features come in",
        "LogSoftmax": "functional.log_softmax in forward",
        "MSELoss": f"a function: ((x - y) ** 2).mean(), {_OWN_LOSS}",
        "NLLLoss": "CrossEntropyLoss() on the logits, without log_softmax",
        "ParameterList": "a ModuleList of modules with one Parameter each, or attributes",
        "RNN": "a Module of your own, whose forward has the loop",
        "Softmax": "functional.softmax in forward; CrossEntropyLoss takes logits",
        "Upsample": "x.unsqueeze(3).unsqueeze(5) + zeros((N, C, H, 2, W, 2)), reshaped",
    },
    "nn.functional": {
        "binary_cross_entropy": f"-(y * log(p) + (1 - y) * log(1 - p)).mean(), {_OWN_LOSS}",
        "interpolate": "x.unsqueeze(3).unsqueeze(5) + zeros((N, C, H, 2, W, 2)), reshaped",
        "l1_loss": f"abs(x - y).mean(), {_OWN_LOSS}",
        "mse_loss": f"((x - y) ** 2).mean(), {_OWN_LOSS}",
        "nll_loss": "cross_entropy(logits, y), without log_softmax",
        "normalize": "x / (x ** 2).sum(1, keepdim=True).sqrt()",
        "one_hot": "tinycnn.eye(classes)[y]",
        "unfold": "tinycnn.ops.im2col, whose columns lie as the engine wants them",
    },
    "nn.utils": {
        "clip_grad_value_": "for p in net.parameters(): p.grad = tinycnn.clamp(p.grad, -value, value)",
        "parameters_to_vector": "tinycnn.cat([p.flatten() for p in net.parameters()])",
    },
    "optim": {
        "Adagrad": "Adam(params), the nearest of its kind",
        "RMSprop": "Adam(params, lr, betas=(0, 0.99)), which is RMSprop but for the correction of its first steps",
    },
    "optim.lr_scheduler": {
        "ExponentialLR": "StepLR(optimizer, 1, gamma)",
        "LambdaLR": 'for group in optimizer.param_groups: group["lr"] = ..., after each epoch',
        "MultiStepLR": "SequentialLR of several, or StepLR",
        "ReduceLROnPlateau": 'for group in optimizer.param_groups: group["lr"] *= 0.1, where the loss stands still',
    },
    "utils.data": {
        "Subset": "TensorDataset(x[index], y[index])",
        "random_split": "Dataset.split(share), or TensorDataset of slices",
    },
}


def advice(place: str, name: str, known: Iterable[str], asked: str = "") -> str:
    """What to say to somebody who asks `place` for a name that it has not: what to write instead, or the nearest.

    `asked` is what they call the place, if not by its name: tinycnn.nn, say, or Sequential for a Module.
    """
    title = asked or (place if place == "tinycnn" else f"tinycnn.{place}")
    if (instead := INSTEAD[place].get(name)) is not None:
        return f"{title} has no {name!r}; write instead: {instead}"
    near = difflib.get_close_matches(name, sorted(set(known)), 3)
    return f"{title} has no {name!r}" + (f"; the nearest are {', '.join(near)}" if near else "")


def advising(place: str, known: Iterable[str]) -> Callable[[str], NoReturn]:
    """A module's __getattr__: AttributeError for a name that it has not, with the advice of its place."""

    def refuse(name: str) -> NoReturn:
        raise AttributeError(advice(place, name, known))

    return refuse


class Advising:
    """A class whose objects say what to write instead of a method of torch's that they have not: INSTEAD[place]."""

    __slots__ = ()
    place: ClassVar[str]

    def __init_subclass__(cls, place: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if place:
            cls.place = place

    if not TYPE_CHECKING:  # a type checker would take it for a promise that every name is there

        def __getattr__(self, name: str) -> NoReturn:
            """AttributeError; Python asks for names with two underscores often, and gets a short answer."""
            kind = type(self).__name__
            if name.startswith("_"):
                raise AttributeError(f"{kind} has no {name!r}")
            raise AttributeError(advice(self.place, name, dir(self), kind))
