"""What several tests need: tensors from a generator, and comparisons that name what differs."""

import ast
import inspect

import numpy as np
import pytest

import tinycnn


def leaf(rng, *shape, device="cpu", dtype=np.float64, low=-1.0, high=1.0):
    """A leaf tensor of random numbers that wants a gradient."""
    return tinycnn.tensor(rng.uniform(low, high, shape), dtype, device, requires_grad=True)


def batch_last(x):
    """The same (N, C, H, W) array, stored with N as the fastest axis: how the engine keeps its activations."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)


def assert_close(actual, expected, rtol=1e-12, atol=1e-12):
    """Same shape, and equal to rounding; takes tensors and arrays from any device."""
    a, b = (
        t.detach().cpu().numpy() if hasattr(t, "cpu") else getattr(t, "numpy", lambda t=t: t)()
        for t in (actual, expected)
    )
    assert a.shape == b.shape, f"shape {a.shape} is not {b.shape}"
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def assert_agrees_with_torch(ours, theirs, inputs, rng, rtol=1e-12, atol=1e-12):
    """ours(*inputs) equals theirs(*inputs as torch tensors), and so do all gradients for a random upstream one."""
    torch = pytest.importorskip("torch")
    twins = [torch.tensor(t.numpy(), requires_grad=t.requires_grad) for t in inputs]
    y, expected = ours(*inputs), theirs(*twins)
    assert_close(y, expected, rtol, atol)
    dy = rng.standard_normal(y.shape)
    for t in inputs:
        t.grad = None
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    for t, twin in zip(inputs, twins, strict=True):
        if t.requires_grad:
            assert_close(t.grad, twin.grad, rtol, atol)


def long_texts(module, least=30):
    """The texts of a module's code, in words for people; docstrings do not count, nor what arguments are called."""
    tree = ast.parse(inspect.getsource(module))
    scopes = (ast.Module, ast.FunctionDef, ast.ClassDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, scopes)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found = sorted(text for text in texts - docstrings if len(text) >= least and not text.startswith("of ("))
    assert found, f"{module.__name__} says nothing"
    return found
