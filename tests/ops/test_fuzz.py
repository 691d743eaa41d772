"""Each operation against its definition, in loops or in a line of NumPy, on configurations drawn at random: odd sizes,
strides and paddings, empty axes, views that are broadcast or not contiguous, both dtypes, NaN and infinities.

The gradient is held to the slope of the definition along a random direction, by finite differences in float64, and
where PyTorch is installed to PyTorch's, which also says where it goes at NaN and infinities.
"""

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

import tinycnn
import tinycnn.functional as F
from tinycnn.geometry import windows
from tinycnn.ops.adaptive_avg_pool2d import adaptive_avg_pool2d_loops
from tinycnn.ops.avg_pool2d import avg_pool2d_loops
from tinycnn.ops.conv2d import conv2d_loops
from tinycnn.ops.linear import linear_loops
from tinycnn.ops.max_pool2d import max_pool2d_loops

CONFIGURATIONS = 2_000


@dataclass
class Case:
    """ours(*tensors) is to equal definition(*arrays); theirs, given torch and its tensors, has to agree with both."""

    inputs: list
    ours: object
    definition: object
    theirs: object = None
    smooth: bool = field(default=True)  # no kink at the inputs


def drawn(rng, *shape):
    """Numbers of a shape, in memory as they come: contiguous, turned, strided, or broadcast."""
    match rng.integers(4) if shape else 0:
        case 0:
            return rng.normal(size=shape)
        case 1:
            return rng.normal(size=shape[::-1]).T
        case 2:
            return rng.normal(size=(*shape[:-1], 2 * shape[-1]))[..., ::2]
        case _:
            return np.broadcast_to(rng.normal(size=(1, *shape[1:])), shape)


def spoilt(rng, x):
    """One time in five with an infinity or a NaN somewhere."""
    if not x.size or rng.random() > 0.2:
        return x
    x = np.array(x)
    x[tuple(rng.integers(0, n) for n in x.shape)] = rng.choice([np.inf, -np.inf, np.nan])
    return x


def pair(rng, low, high):
    return tuple(int(n) for n in rng.integers(low, high, 2))


def shape(rng, least=0, axes=4):
    """Up to three axes, some of them empty."""
    return tuple(int(n) for n in rng.integers(least, 5, rng.integers(0, axes)))


def axis(rng, shape):
    return int(rng.integers(-len(shape), len(shape)))


def conv2d(rng):
    groups = int(rng.integers(1, 4))
    N, C, O = int(rng.integers(0, 4)), groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel, stride, padding, dilation = pair(rng, 1, 4), pair(rng, 1, 4), pair(rng, 0, 3), pair(rng, 1, 3)
    size = [d * (k - 1) + 1 + int(rng.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True)]
    inputs = [spoilt(rng, drawn(rng, N, C, *size)), drawn(rng, O, C // groups, *kernel), drawn(rng, O)]
    how = stride, padding, dilation, groups
    return Case(
        inputs,
        lambda x, w, b: F.conv2d(x, w, b, *how),
        lambda x, w, b: conv2d_loops(x, w, b, *how),
        lambda torch, x, w, b: torch.nn.functional.conv2d(x, w, b, *how),
    )


def pool(rng, name, loops):
    dilated = name == "max_pool2d"
    kernel, stride, dilation = pair(rng, 1, 5), pair(rng, 1, 4), pair(rng, 1, 3) if dilated else (1, 1)
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    size = tuple(d * (k - 1) + 1 + int(rng.integers(0, 6)) for k, d in zip(kernel, dilation, strict=True))
    x, ceil = spoilt(rng, drawn(rng, int(rng.integers(0, 4)), int(rng.integers(1, 4)), *size)), bool(rng.integers(2))
    options = {"dilation": dilation} if dilated else {"count_include_pad": bool(rng.integers(2))}
    where, options["ceil_mode"] = windows("fuzz", size, kernel, stride, padding, dilation, ceil), ceil
    return Case(
        [x],
        lambda x: getattr(F, name)(x, kernel, stride, padding, **options),
        lambda x: loops(x, where, *([] if dilated else [options["count_include_pad"]])),
        lambda torch, x: getattr(torch.nn.functional, name)(x, kernel, stride, padding, **options),
    )


def adaptive(rng):
    x, (OH, OW) = drawn(rng, *(int(n) for n in rng.integers(1, 7, 4))), pair(rng, 1, 7)

    return Case(
        [spoilt(rng, x)],
        lambda x: F.adaptive_avg_pool2d(x, (OH, OW)),
        lambda x: adaptive_avg_pool2d_loops(x, OH, OW),
        lambda torch, x: torch.nn.functional.adaptive_avg_pool2d(x, (OH, OW)),
    )


def linear(rng):
    N, I, O = (int(n) for n in rng.integers((0, 0, 1), (6, 6, 6)))
    inputs = [spoilt(rng, drawn(rng, N, I)), drawn(rng, O, I), drawn(rng, O)]
    return Case(inputs, F.linear, linear_loops, lambda torch, *inputs: torch.nn.functional.linear(*inputs))


def elementwise(rng, function, definition, theirs=None, low=-np.inf, kinks=()):
    """A function of each number; `theirs` is a name in torch.nn.functional or torch, or a function of torch and x."""
    x = spoilt(rng, np.maximum(drawn(rng, *shape(rng)), low) * rng.choice([1, 30]))
    if isinstance(theirs, str):
        name = theirs

        def theirs(torch, x):
            return (getattr(torch, name, None) or getattr(torch.nn.functional, name))(x)

    near = any((np.abs(x - kink) < 1e-3).any() for kink in kinks)
    return Case([x], function, np.vectorize(definition, otypes=[float]), theirs, smooth=not near)


def logistic(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0 if x < 0 else x


def gelu(torch, x):
    """In float64, since PyTorch's infinity comes out as NaN in float32, where there are many numbers."""
    return torch.nn.functional.gelu(x.double()).to(x.dtype)


def clamp(rng):
    low, high = (None if rng.random() < 0.3 else float(n) for n in rng.normal(size=2))
    low = 0.5 if low is high is None else low

    def definition(x):
        x = x if low is None or not x < low else low
        return x if high is None or not x > high else high

    kinks = [n for n in (low, high) if n is not None]
    return elementwise(
        rng, lambda x: F.clamp(x, low, high), definition, lambda torch, x: torch.clamp(x, low, high), kinks=kinks
    )


def broadcast(rng):
    """Two arrays whose shapes go together, with axes of length 1 or missing on either side."""
    whole = shape(rng)
    shapes = ([1 if rng.random() < 0.3 else n for n in whole][int(rng.integers(0, len(whole) + 1)) :] for _ in "ab")
    a, b = (spoilt(rng, drawn(rng, *s)) for s in shapes)
    return (a, b) if rng.integers(2) else (b, a)


def two(rng, function, away=False):
    """The same expression for tensors, arrays and PyTorch; `away` from 0, where b is divided by."""
    a, b = broadcast(rng)
    return Case(
        [a, np.where(np.abs(b) < 0.1, 1, b) if away else b], function, function, lambda torch, a, b: function(a, b)
    )


def power(rng):
    a, b = broadcast(rng)
    return Case([np.abs(a) + 0.1, b], lambda a, b: a**b, lambda a, b: a**b, lambda torch, a, b: torch.pow(a, b))


def where(rng):
    a, b = broadcast(rng)
    holds = rng.random(np.broadcast_shapes(a.shape, b.shape)) < 0.5
    return Case(
        [a, b],
        lambda a, b: F.where(holds, a, b),
        lambda a, b: np.where(holds, a, b),
        lambda torch, a, b: torch.where(torch.tensor(holds), a, b),
    )


def matmul(rng):
    M, K, N, B = (int(n) for n in rng.integers(0, 5, 4))
    left, right = [
        ((M, K), (K, N)),
        ((K,), (K, N)),
        ((M, K), (K,)),
        ((K,), (K,)),
        ((B, M, K), (K, N)),
        ((B, 1, M, K), (2, K, N)),
    ][rng.integers(6)]
    inputs = [spoilt(rng, drawn(rng, *left)), drawn(rng, *right)]
    return Case(inputs, lambda a, b: a @ b, lambda a, b: a @ b, lambda torch, a, b: a @ b)


def reduced(rng, name):
    x = drawn(rng, *shape(rng, least=1 if name == "amax" else 0))
    axes = tuple(int(a) for a in rng.permutation(x.ndim)[: rng.integers(1, x.ndim + 1)]) if x.ndim else ()
    axes, keep = axes or None, bool(rng.integers(2)) and bool(axes)
    numpys = {"amax": np.max}.get(name) or getattr(np, name)
    ties = name == "amax" and np.unique(x).size < x.size
    x = spoilt(rng, x)
    return Case(
        [x],
        lambda x: getattr(x, name)(axes, keep),
        lambda x: numpys(x, axis=axes, keepdims=keep),
        lambda torch, x: getattr(torch, name)(x, axes or (), keep),
        smooth=not ties,
    )


def soft(rng, name):
    x = spoilt(rng, drawn(rng, *(shape(rng) or (3,))) * rng.choice([1, 50]))
    along = axis(rng, x.shape)

    def definition(x):
        s = x - x.max(along, keepdims=True) if x.size else x
        p = np.exp(s) / np.exp(s).sum(along, keepdims=True)
        return p if name == "softmax" else s - np.log(np.exp(s).sum(along, keepdims=True))

    return Case(
        [x],
        lambda x: getattr(F, name)(x, along),
        definition,
        lambda torch, x: getattr(torch, name)(x, along),
    )


def cross_entropy(rng):
    N, C, more = int(rng.integers(0, 5)), int(rng.integers(1, 5)), shape(rng, 1, 3)
    z, t = spoilt(rng, drawn(rng, N, C, *more)), rng.integers(0, C, (N, *more))
    t[rng.random(t.shape) < 0.2] = -100
    w = rng.uniform(0.1, 2, C) if rng.integers(2) else None
    reduction, e = str(rng.choice(["mean", "sum", "none"])), float(rng.choice([0, 0.1]))

    def definition(z):
        used, weights = t != -100, np.ones(C) if w is None else w
        s = np.moveaxis(z, 1, -1)
        s = s - s.max(-1, keepdims=True)
        logs = s - np.log(np.exp(s).sum(-1, keepdims=True))
        q = weights * ((1 - e) * (np.arange(C) == t[..., None]) + e / C)
        losses = np.where(used, -np.where(q != 0, q * logs, 0).sum(-1), 0)
        total = (weights[t * used] * used).sum()
        return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / total}[reduction]

    options = {"reduction": reduction, "label_smoothing": e}
    return Case(
        [z],
        lambda z: F.cross_entropy(z, t, None if w is None else tinycnn.tensor(w, z.dtype), **options),
        definition,
        lambda torch, z: torch.nn.functional.cross_entropy(
            z, torch.tensor(t), None if w is None else torch.tensor(w, dtype=z.dtype), **options
        ),
    )


def batch_norm(rng):
    N, C, more, training = int(rng.integers(2, 5)), int(rng.integers(1, 4)), shape(rng, 1, 3), bool(rng.integers(2))
    mean, var = rng.normal(size=C), rng.uniform(0.5, 2, C)
    x = rng.normal(size=(N, C, *more)) + 0 * drawn(rng, N, C, *more)
    one = (1, C, *[1] * len(more))

    def definition(x, w, b):
        over = (0, *range(2, x.ndim))
        m, v = (x.mean(over), x.var(over)) if training else (mean, var)
        return (x - m.reshape(one)) / np.sqrt(v.reshape(one) + 1e-5) * w.reshape(one) + b.reshape(one)

    def ours(x, w, b):
        return F.batch_norm(x, tinycnn.tensor(mean, x.dtype), tinycnn.tensor(var, x.dtype), w, b, training)

    def theirs(torch, x, w, b):
        m, v = (torch.tensor(a, dtype=x.dtype) for a in (mean, var))
        return torch.nn.functional.batch_norm(x, m, v, w, b, training)

    return Case([spoilt(rng, x), drawn(rng, C), drawn(rng, C)], ours, definition, theirs)


def pad(rng):
    x = drawn(rng, *(shape(rng, 1) or (2,)))
    frame = [int(n) for n in rng.integers(0, 3, 2 * int(rng.integers(1, x.ndim + 1)))]
    if rng.integers(2) and x.shape[-1] > 1:
        frame[0] = -1
    value = float(rng.normal())

    def definition(x):
        y = np.full(
            [n + sum(frame[2 * k : 2 * k + 2]) for n, k in zip(x.shape, range(x.ndim)[::-1], strict=True)], value
        )
        for at in np.ndindex(*x.shape):
            to = [i + (frame[2 * k] if 2 * k < len(frame) else 0) for i, k in zip(at, range(x.ndim)[::-1], strict=True)]
            if all(0 <= i < n for i, n in zip(to, y.shape, strict=True)):
                y[tuple(to)] = x[at]
        return y

    return Case(
        [spoilt(rng, x)],
        lambda x: F.pad(x, frame, value=value),
        definition,
        lambda torch, x: torch.nn.functional.pad(x, frame, value=value),
    )


def joined(rng, name):
    sizes = shape(rng) or (2,)
    along, several = axis(rng, sizes), []
    for _ in range(rng.integers(1, 4)):
        size = list(sizes)
        if name == "cat":
            size[along] = int(rng.integers(0, 4))
        several.append(spoilt(rng, drawn(rng, *size)))
    numpys = np.concatenate if name == "cat" else np.stack
    return Case(
        several,
        lambda *t: getattr(F, name)(list(t), along),
        lambda *t: numpys(t, along),
        lambda torch, *t: getattr(torch, name)(t, along),
    )


def turned(rng):
    """The same numbers under other indices."""
    x = spoilt(rng, drawn(rng, *(shape(rng, 1) or (2,))))
    i, j, order = axis(rng, x.shape), axis(rng, x.shape), [int(a) for a in rng.permutation(x.ndim)]
    start, step = int(rng.integers(0, x.shape[0])), int(rng.integers(1, 3))
    rows = rng.integers(-x.shape[0], x.shape[0], rng.integers(0, 6))
    return [
        lambda: Case([x], lambda x: x.transpose(i, j), lambda x: x.swapaxes(i, j), lambda torch, x: x.transpose(i, j)),
        lambda: Case(
            [x], lambda x: x.permute(*order), lambda x: x.transpose(order), lambda torch, x: x.permute(*order)
        ),
        lambda: Case([x], lambda x: x.reshape(-1, 1), lambda x: x.reshape(-1, 1), lambda torch, x: x.reshape(-1, 1)),
        lambda: Case(
            [x],
            lambda x: F.flatten(x, i),
            lambda x: x.reshape(*x.shape[: i % x.ndim], -1),
            lambda torch, x: x.flatten(i),
        ),
        lambda: Case([x], lambda x: x[start::step], lambda x: x[start::step], lambda torch, x: x[start::step]),
        lambda: Case([x], lambda x: x[rows], lambda x: x[rows], lambda torch, x: x[torch.tensor(rows)]),
        lambda: Case([x], lambda x: x.unsqueeze(i).squeeze(i), lambda x: x, lambda torch, x: x),
    ][rng.integers(7)]()


def dropout(rng):
    """Which numbers it keeps is read from a tensor of ones that saw the same random numbers."""
    x, p, seed = drawn(rng, *(shape(rng) or (2,))), float(rng.choice([0, 0.25, 0.5, 1])), int(rng.integers(1000))

    def seeded(x):
        tinycnn.manual_seed(seed)
        return F.dropout(x, p)

    kept = seeded(tinycnn.Tensor(np.ones(x.shape))).numpy()
    assert set(np.unique(kept)) <= {0.0, 1 / (1 - p) if p < 1 else 0.0}
    return Case([x], seeded, lambda x: x * kept)


OPERATIONS = {
    "conv2d": conv2d,
    "max_pool2d": partial(pool, name="max_pool2d", loops=max_pool2d_loops),
    "avg_pool2d": partial(pool, name="avg_pool2d", loops=avg_pool2d_loops),
    "adaptive_avg_pool2d": adaptive,
    "linear": linear,
    "matmul": matmul,
    "relu": partial(elementwise, function=F.relu, definition=lambda x: 0.0 if x <= 0 else x, theirs="relu", kinks=[0]),
    "leaky_relu": partial(
        elementwise,
        function=F.leaky_relu,
        definition=lambda x: x if x > 0 else 0.01 * x,
        theirs="leaky_relu",
        kinks=[0],
    ),
    "abs": partial(elementwise, function=F.abs, definition=abs, theirs="abs", kinks=[0]),
    "sigmoid": partial(elementwise, function=F.sigmoid, definition=logistic, theirs="sigmoid"),
    "tanh": partial(elementwise, function=F.tanh, definition=math.tanh, theirs="tanh"),
    "silu": partial(elementwise, function=F.silu, definition=lambda x: x * logistic(x), theirs="silu"),
    "gelu": partial(
        elementwise, function=F.gelu, definition=lambda x: x * (math.erfc(-x / math.sqrt(2)) / 2), theirs=gelu
    ),
    "exp": partial(elementwise, function=lambda x: x.exp(), definition=np.exp, theirs="exp"),
    "log": partial(elementwise, function=lambda x: x.log(), definition=np.log, theirs="log", low=0.1),
    "sqrt": partial(elementwise, function=lambda x: x.sqrt(), definition=np.sqrt, theirs="sqrt", low=0.1),
    "clamp": clamp,
    "where": where,
    "add": partial(two, function=lambda a, b: a + b),
    "sub": partial(two, function=lambda a, b: a - b),
    "mul": partial(two, function=lambda a, b: a * b),
    "div": partial(two, function=lambda a, b: a / b, away=True),
    "pow": power,
    "sum": partial(reduced, name="sum"),
    "mean": partial(reduced, name="mean"),
    "amax": partial(reduced, name="amax"),
    "softmax": partial(soft, name="softmax"),
    "log_softmax": partial(soft, name="log_softmax"),
    "cross_entropy": cross_entropy,
    "batch_norm": batch_norm,
    "pad": pad,
    "cat": partial(joined, name="cat"),
    "stack": partial(joined, name="stack"),
    "shapes": turned,
    "dropout": dropout,
}


def slope(case, inputs, dy, directions, h=1e-6):
    """How fast sum(dy * y) of the definition rises along the directions."""
    ahead, behind = (
        case.definition(*(x + sign * h * v for x, v in zip(inputs, directions, strict=True))) for sign in (1, -1)
    )
    return (dy * (ahead - behind)).sum() / (2 * h)


def check(case, rng, torch):
    dtype, tolerance = ((np.float64, 1e-9), (np.float32, 1e-4))[rng.integers(2)]
    arrays = [
        tinycnn.Tensor(x.astype(dtype, order="K") if x.flags.writeable else x).to(dtype).numpy() for x in case.inputs
    ]
    before = [x.copy() for x in arrays]
    tensors = [tinycnn.Tensor(x, requires_grad=True) for x in arrays]
    y, expected = case.ours(*tensors), np.asarray(case.definition(*(x.astype(float) for x in arrays)))
    assert (y.shape, y.dtype) == (expected.shape, dtype)
    np.testing.assert_allclose(y.numpy(), expected, tolerance, tolerance)
    dy = rng.normal(size=y.shape).astype(dtype)
    y.backward(dy)
    if case.smooth and all(np.isfinite(x).all() for x in (*arrays, expected)):
        directions = [rng.normal(size=x.shape) for x in arrays]
        rise = sum((t.grad.numpy() * v).sum() for t, v in zip(tensors, directions, strict=True))
        near = max(tolerance, 1e-6)
        np.testing.assert_allclose(
            rise, slope(case, [x.astype(float) for x in arrays], dy, directions), 10 * near, 30 * near
        )
    if torch and case.theirs:
        twins = [torch.tensor(x, requires_grad=True) for x in before]
        theirs = case.theirs(torch, *twins)
        np.testing.assert_allclose(y.numpy(), theirs.detach(), tolerance, tolerance, err_msg="torch")
        theirs.backward(torch.tensor(dy))
        for t, twin in zip(tensors, twins, strict=True):
            np.testing.assert_allclose(t.grad.numpy(), twin.grad, tolerance, tolerance, err_msg="torch's gradient")
    assert all(np.array_equal(x, was, equal_nan=True) for x, was in zip(arrays, before, strict=True))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("configurations", [20, pytest.param(CONFIGURATIONS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_equals_its_definition_whatever_the_configuration(name, configurations):
    try:
        import torch
    except ImportError:
        torch = None
    for seed in range(configurations):
        rng = np.random.default_rng(seed)
        try:
            check(OPERATIONS[name](rng), rng, torch)
        except Exception as error:
            error.add_note(f"{name}, seed {seed}")
            raise
