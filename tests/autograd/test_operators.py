import math
import operator
import re

import numpy as np
import pytest
from helpers import assert_close, leaf

from tinycnn import Tensor, tensor
from tinycnn.autograd.gradcheck import gradcheck
from tinycnn.autograd.operators import unbroadcast

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
SHAPES = [  # two shapes that broadcast
    ((), ()),
    ((), (2, 3)),
    ((3,), ()),
    ((3,), (2, 3)),
    ((2, 3), (2, 1)),
    ((1, 3), (2, 1)),
    ((1, 1, 1), (2,)),
    ((4, 1, 2), (1, 3, 1)),
    ((1,), (1, 1)),
    ((2, 3), (2, 3)),
    ((0, 3), (1, 3)),
    ((2, 0), (1,)),
    ((1, 3, 1, 2), (3, 4, 1)),
]
matrix = pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES, ids=str)
each_operator = pytest.mark.parametrize("op", OPERATORS.values(), ids=OPERATORS)


def positive(rng, *shape, **options):
    return leaf(rng, *shape, low=0.5, high=2.0, **options)


# 1. Numbers that a person can check


def test_operators_by_hand(device):
    x = tensor([1.0, 2, 4], device=device)
    assert (x + 1).numpy().tolist() == (1 + x).numpy().tolist() == [2, 3, 5]
    assert (x - 1).numpy().tolist() == [0, 1, 3] and (1 - x).numpy().tolist() == [0, -1, -3]
    assert (x * 3).numpy().tolist() == (3 * x).numpy().tolist() == [3, 6, 12]
    assert (x / 2).numpy().tolist() == [0.5, 1, 2] and (8 / x).numpy().tolist() == [8, 4, 2]
    assert (x**2).numpy().tolist() == [1, 4, 16] and (2**x).numpy().tolist() == [2, 4, 16]
    assert (-x).numpy().tolist() == [-1, -2, -4]


def test_gradients_by_hand():
    a, b = tensor([2.0, 3], requires_grad=True), tensor([5.0, 7], requires_grad=True)
    (a / b - a * b + b**2).backward(tensor([1.0, 10]))
    assert_close(a.grad, np.float32([1 / 5 - 5, 10 * (1 / 7 - 7)]), rtol=1e-6)
    assert_close(b.grad, np.float32([-2 / 25 - 2 + 2 * 5, 10 * (-3 / 49 - 3 + 2 * 7)]), rtol=1e-6)


def test_functions_by_hand():
    x = tensor([1.0, 4.0])
    assert x.sqrt().numpy().tolist() == [1, 2]
    assert_close(x.exp(), np.float32([math.e, math.e**4]), rtol=1e-6)
    assert_close(x.log(), np.float32([0, math.log(4)]), rtol=1e-6)


def test_reductions_by_hand(device):
    x = tensor([[1.0, 5, 3], [4, 2, 6]], device=device)
    assert x.sum().item() == 1 + 5 + 3 + 4 + 2 + 6 and x.mean().item() == 21 / 6 and x.max().item() == 6
    assert x.sum(0).numpy().tolist() == [5, 7, 9] and x.sum(1, keepdims=True).numpy().tolist() == [[9], [12]]
    assert x.mean(1).numpy().tolist() == [3, 4] and x.amax(axis=-1).numpy().tolist() == [5, 6]


# 2. Against NumPy, which is the definition


@matrix
@each_operator
def test_operators_equal_numpy(op, a_shape, b_shape, rng, device):
    a, b = positive(rng, *a_shape, device=device), positive(rng, *b_shape, device=device)
    assert_close(op(a, b), op(a.numpy(), b.numpy()))


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), ()], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "amax"])
def test_reductions_equal_numpy(name, axis, keepdims, rng, device):
    x = leaf(rng, 2, 3, 4, device=device)
    expected = getattr(np, name)(x.numpy(), axis=axis, keepdims=keepdims)
    assert_close(getattr(x, name)(axis=axis, keepdims=keepdims), expected)
    assert_close(getattr(x, name)(axis, keepdims), expected)
    assert_close(getattr(x, name)(dim=axis, keepdim=keepdims), expected)


MATMUL = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((1, 2, 3), (5, 3, 1)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((0, 2, 3), (3, 4)),
]


@pytest.mark.parametrize(("a_shape", "b_shape"), MATMUL, ids=str)
def test_matmul_equals_numpy_and_passes_gradcheck(a_shape, b_shape, rng, device):
    a, b = leaf(rng, *a_shape, device=device), leaf(rng, *b_shape, device=device)
    assert_close(a @ b, a.numpy() @ b.numpy())
    assert gradcheck(lambda a, b: a @ b, [a, b])


def test_arrays_on_either_side(rng):
    x, array = positive(rng, 2, 3), rng.uniform(0.5, 2.0, (2, 3))
    for op in OPERATORS.values():
        assert_close(op(array, x), op(array, x.numpy()))
        assert_close(op(x, array), op(x.numpy(), array))
        assert type(op(array, x)) is Tensor
    assert_close(array @ x.T, array @ x.numpy().T)
    assert_close(x @ array.T, x.numpy() @ array.T)


@pytest.mark.parametrize("number", [2, 2.5, True, np.float32(2.5), np.float64(2.5), np.int64(2)], ids=repr)
@each_operator
def test_numbers_on_either_side(op, number, rng, device):
    x, plain = positive(rng, 2, 3, device=device), np.float64(number)
    assert_close(op(number, x), op(plain, x.numpy()))
    assert_close(op(x, number), op(x.numpy(), plain))


# Types: float32 stays float32, float64 stays float64, in values and in gradients

OTHERS = [2, 0.5, True, np.float32(0.5), np.float64(0.5), np.int64(2), np.uint8(2), np.float16(0.5)]
OTHERS += [np.ones(3, dtype) for dtype in (np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_)]
OTHERS += [tensor([1, 2, 3]), tensor([True, True, True]), np.array(2.0), np.array(2)]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_operator
def test_a_float_tensor_keeps_its_dtype(op, dtype, other):
    for swapped in (False, True):
        x = tensor([1.0, 2, 3], dtype, requires_grad=True)
        y = op(other, x) if swapped else op(x, other)
        assert y.dtype == dtype
        y.sum().backward()
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.exp(), lambda x: x.log(), lambda x: x.sqrt(), lambda x: -x, lambda x: x.sum(0), lambda x: x.mean(),
        lambda x: x.mean(1), lambda x: x.amax(0), lambda x: x.max(), lambda x: x.reshape(-1), lambda x: x.T,
        lambda x: x[0], lambda x: x[[0, 0]], lambda x: x @ x, lambda x: x**2, lambda x: 2**x, lambda x: x**x,
    ],
)  # fmt: skip
def test_functions_keep_the_dtype(function, dtype):
    x = tensor([[1.0, 2], [3, 4]], dtype, requires_grad=True)
    y = function(x)
    assert y.dtype == dtype
    y.backward(np.ones(y.shape))
    assert x.grad.dtype == dtype


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda i: i + 1, np.int32),
        (lambda i: i + np.int64(1), np.int32),
        (lambda i: i * True, np.int32),
        (lambda i: i * i, np.int32),
        (lambda i: i + np.array([1, 1]), np.int64),
        (lambda i: i + tensor([1, 1]), np.int64),
        (lambda i: i + 0.5, np.float32),
        (lambda i: i + np.float64(0.5), np.float32),
        (lambda i: i * np.ones(2), np.float32),
        (lambda i: i * tensor(np.ones(2)), np.float64),
        (lambda i: i / 2, np.float32),
        (lambda i: i / i, np.float32),
        (lambda i: i**2, np.int32),
        (lambda i: i @ i, np.int32),
        (lambda i: i.mean(), np.float32),
        (lambda i: i.exp(), np.float32),
        (lambda i: i.max(), np.int32),
        (lambda i: i.to(bool) * 2, np.int64),
        (lambda i: i.to(bool) + 0.5, np.float32),
        (lambda i: i.to(bool) * i.to(bool), np.bool_),
        (lambda i: i.to(np.uint8) + np.array([300, 300]), np.int64),
    ],
)
def test_integers(function, dtype):
    i = tensor([1, 2], np.int32)
    y = function(i)
    assert y.dtype == dtype
    assert_close(y, np.asarray(function_on_numpy(function)).astype(dtype), rtol=1e-6)


def function_on_numpy(function):
    """The same expression, worked out in float64."""
    return function(tensor([1, 2], np.float64)).numpy()


def test_integers_that_do_not_fit_are_refused():
    for number in (300, -1):
        with pytest.raises(OverflowError, match="out of bounds for uint8"):
            tensor([1], np.uint8) + number


@each_operator
def test_mixed_float_dtypes_are_refused(op):
    a, b = tensor(np.ones(2, np.float32)), tensor(np.ones((3, 2)))
    name = {operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div"}.get(op, "pow")
    text = rf"{name}: operands have different dtypes \(float32 \(2,\), float64 \(3, 2\)\); convert one with .to\(dtype"
    with pytest.raises(TypeError, match=text):
        op(a, b)


def test_mixed_dtypes_in_matmul_are_refused():
    with pytest.raises(TypeError, match="matmul: operands have different dtypes"):
        tensor(np.ones((2, 2), np.float32)) @ tensor(np.ones((2, 2)))


@pytest.mark.parametrize("other", ["a", None, [1.0, 2.0], 1j, np.complex64(1), np.str_("a")], ids=repr)
@each_operator
def test_what_is_no_number_is_refused(op, other):
    for swapped in (False, True):
        text = r"(add|sub|mul|div|pow): expected a Tensor, an array or a number, got \w+"
        with pytest.raises(TypeError, match=text):
            op(other, tensor([1.0, 2])) if swapped else op(tensor([1.0, 2]), other)


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array([1j, 2]), np.array([None, None])], ids=repr)
def test_arrays_of_no_numbers_are_refused(array):
    with pytest.raises(TypeError, match=f"mul: expected numbers, got an array of dtype {re.escape(str(array.dtype))}"):
        tensor([1.0, 2]) * array


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "**"])
def test_shapes_that_do_not_broadcast_are_named(name):
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2,\) do not broadcast to one"):
        OPERATORS[name](Tensor(np.ones((2, 3))), np.ones(2))


@pytest.mark.parametrize(
    ("a_shape", "b_shape", "text"),
    [
        ((2, 3), (2, 3), r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit; the last axis of the first must equal"),
        ((3,), (2,), r"matmul: shapes \(3,\) and \(2,\) do not fit"),
        ((), (2, 2), r"matmul: shapes \(\) and \(2, 2\) do not fit"),
        ((2, 2), (), r"matmul: shapes \(2, 2\) and \(\) do not fit"),
        ((5, 2, 3), (4, 3, 2), r"matmul: shapes \(5, 2, 3\) and \(4, 3, 2\) do not broadcast"),
    ],
)
def test_matmul_errors(a_shape, b_shape, text):
    with pytest.raises(ValueError, match=text):
        Tensor(np.ones(a_shape)) @ Tensor(np.ones(b_shape))


def test_negative_powers_of_integers_keep_numpys_message():
    with pytest.raises(ValueError, match="[Ii]ntegers to negative integer powers"):
        tensor([1, 2]) ** -1


# 3. Gradients


@matrix
@each_operator
def test_gradcheck_over_broadcasting(op, a_shape, b_shape, rng, device):
    assert gradcheck(op, [positive(rng, *a_shape, device=device), positive(rng, *b_shape, device=device)])


@matrix
@each_operator
def test_no_gradient_is_computed_for_an_operand_that_needs_none(op, a_shape, b_shape, rng):
    a, b = positive(rng, *a_shape), positive(rng, *b_shape)
    assert gradcheck(lambda a: op(a, b.detach()), a) and gradcheck(lambda b: op(a.detach(), b), b)
    left, right = op(a.detach(), b).grad_fn, op(a, b.detach()).grad_fn
    assert left.backward(left.ctx, np.ones(left.shape))[0] is None
    assert right.backward(right.ctx, np.ones(right.shape))[1] is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x: -x, lambda x: x.exp(), lambda x: x.log(), lambda x: x.sqrt(), lambda x: x**3, lambda x: 2**x,
        lambda x: 1 / x, lambda x: 1 - x, lambda x: x**-1.5,
        lambda x: x.sum(), lambda x: x.sum(1), lambda x: x.sum((0, 2), keepdims=True), lambda x: x.sum(()),
        lambda x: x.mean(), lambda x: x.mean(-1), lambda x: x.mean((0, 1), keepdims=True),
        lambda x: x.max(), lambda x: x.amax(1), lambda x: x.amax((0, 2), keepdims=True),
        lambda x: x.reshape(4, 6), lambda x: x.reshape((-1,)), lambda x: x.T, lambda x: x.transpose(0, 2),
        lambda x: x.permute(2, 0, 1), lambda x: x.flatten(), lambda x: x.flatten(1),
        lambda x: x[1], lambda x: x[:, ::-2], lambda x: x[..., None, 2], lambda x: x[0, 1, 2],
        lambda x: x[[0, 1, 0, 0]], lambda x: x[:, [0, 2, 2]], lambda x: x[[0, 1, 0], [1, 1, 1], [3, 0, 3]],
        lambda x: x[x.data > 1], lambda x: x[np.array([True, False])], lambda x: x[-1, None, [[0], [0]]],
        lambda x: x[np.array([True, True]), [0, 0]], lambda x: x[()], lambda x: x[2:],
    ],
)  # fmt: skip
def test_gradcheck_of_functions(function, rng):
    assert gradcheck(function, positive(rng, 2, 3, 4))


@pytest.mark.parametrize("name", ["sum", "mean", "exp", "sqrt", "max"])
def test_gradcheck_of_a_single_number(name, rng):
    assert gradcheck(lambda x: getattr(x, name)(), positive(rng))


def test_unbroadcast_is_the_adjoint_of_broadcasting(rng):
    for small, large in [
        ((), (2, 3)),
        ((1, 3), (2, 3)),
        ((3,), (4, 2, 3)),
        ((2, 1, 1), (2, 3, 4)),
        ((1, 1), (5, 2, 0)),
    ]:
        x, dy = rng.uniform(size=small), rng.uniform(size=large)
        assert unbroadcast(dy, small).shape == small
        assert math.isclose((np.broadcast_to(x, large) * dy).sum(), (x * unbroadcast(dy, small)).sum(), abs_tol=1e-12)
    assert unbroadcast(dy, dy.shape) is dy


# Corners of pow


@pytest.mark.parametrize(
    ("base", "exponent", "value", "d_base", "d_exponent"),
    [
        (0.0, 2.0, 0, 0, 0),
        (0.0, 1.0, 0, 1, 0),
        (0.0, 0.0, 1, 0, 0),
        (3.0, 0.0, 1, 0, math.log(3)),
        (-2.0, 0.0, 1, 0, None),
        (-2.0, 3.0, -8, 12, None),
        (-2.0, -2.0, 0.25, 0.25, None),
        (4.0, -0.5, 0.5, -1 / 16, 0.5 * math.log(4)),
    ],
)  # fmt: skip
def test_pow_at_its_corners(base, exponent, value, d_base, d_exponent):
    a, b = tensor([base], np.float64, requires_grad=True), tensor([exponent], np.float64, requires_grad=True)
    if d_exponent is None:  # the logarithm of a negative base does not exist
        b.requires_grad = False
    y = a**b
    y.backward()
    assert_close(y, np.array([value], float))
    assert_close(a.grad, np.array([d_base], float))
    if d_exponent is not None:
        assert_close(b.grad, np.array([d_exponent]))
    assert_close(a**exponent, y)  # and the same for a number


def test_pow_of_a_tensor_with_zeros_by_a_number():
    x = tensor([0.0, 2.0], requires_grad=True)
    (x**2 + x**1 + x**0).sum().backward()
    assert x.grad.numpy().tolist() == [1, 5]


# Ties of max


def test_ties_share_the_gradient_evenly():
    x = tensor([[2.0, 7, 7, 1], [5, 5, 5, 5]], requires_grad=True)
    x.amax(axis=1).backward(tensor([1.0, 2]))
    assert x.grad.numpy().tolist() == [[0, 0.5, 0.5, 0], [0.5, 0.5, 0.5, 0.5]]
    x.grad = None
    x.max().backward()
    assert x.grad.numpy().tolist() == [[0, 0.5, 0.5, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (0, 1, 2)], ids=str)
def test_max_agrees_with_torch_amax(axis, rng):
    torch = pytest.importorskip("torch")
    data = rng.integers(0, 4, (3, 4, 5)).astype(float)  # many ties
    x, theirs = tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, expected = x.amax(axis), theirs.amax(axis)
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    assert_close(y, expected)
    assert_close(x.grad, theirs.grad)


# Indexing


@pytest.mark.parametrize(
    "index",
    [
        0, -1, np.int64(1), slice(None), slice(2, None, -1), slice(0, 0), None, ..., (1, 2), (slice(None), 1), (..., 0),
        (0, ..., None), (None, 1, slice(1, 3)), [0, 2, 2], [[0, 1], [2, 0]], np.array([1, 1]), (slice(None), [3, 3, 0]),
        ([0, 1], [1, 2]), (1, [0, 0, 3]), [True, False, True], np.array([False, False, False]), (), [],
        np.arange(12).reshape(3, 4) % 2 == 0, (np.array([True, False, True]), 0), True,
    ],
    ids=repr,
)  # fmt: skip
def test_indexing_equals_numpy_and_counts_repeats(index, rng):
    x = leaf(rng, 3, 4)
    y = x[index]
    assert_close(y, np.asarray(x.numpy()[index]))
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    expected = np.zeros((3, 4))
    np.add.at(expected, index, dy)
    assert_close(x.grad, expected)


@pytest.mark.parametrize(
    ("index", "plain"),
    [
        (lambda put: put([0, 3, 3]), [0, 3, 3]),
        (lambda put: (slice(None), put([1, 0])), (slice(None), [1, 0])),
        (lambda put: put([True, False, True, False]), [True, False, True, False]),
    ],
)
def test_index_tensors(index, plain, rng, device):
    x = leaf(rng, 4, 2, device=device)
    y = x[index(lambda values: tensor(values, device=device))]
    assert_close(y, x.numpy()[plain])
    y.sum().backward()
    expected = np.zeros((4, 2))
    np.add.at(expected, plain, 1)
    assert_close(x.grad, expected)


def test_basic_indexing_is_a_view(rng):
    x = leaf(rng, 4, 2)
    assert np.shares_memory(x[1:3].data, x.data)


def test_index_errors(rng):
    x = leaf(rng, 3, 4)
    for index in (3, (0, 4), (0, 0, 0), [5], "a", 1.5):
        with pytest.raises(IndexError):
            x[index]


# Shapes


def test_shapes_equal_numpy(rng):
    x = leaf(rng, 2, 3, 4)
    n = x.numpy()
    for mine, theirs in [
        (x.reshape(6, 4), n.reshape(6, 4)),
        (x.reshape((4, -1)), n.reshape(4, -1)),
        (x.reshape([-1]), n.reshape(-1)),
        (x.T, n.T),
        (x.transpose(0, 2), n.swapaxes(0, 2)),
        (x.transpose(-1, -2), n.swapaxes(-1, -2)),
        (x.permute(1, 2, 0), n.transpose(1, 2, 0)),
        (x.permute((-1, 0, 1)), n.transpose(2, 0, 1)),
        (x.flatten(), n.reshape(24)),
        (x.flatten(1), n.reshape(2, 12)),
        (x.flatten(start_dim=-1), n),
        (Tensor(np.zeros((2, 0, 3))).flatten(1), np.zeros((2, 0))),
        (Tensor(np.zeros((0, 3, 4))).flatten(1), np.zeros((0, 12))),
        (tensor(5.0, np.float64).flatten(), np.array([5.0])),
        (tensor(5.0, np.float64).T, np.array(5.0)),
        (tensor(5.0, np.float64).permute(), np.array(5.0)),
        (tensor([5.0], np.float64).reshape(()), np.array(5.0)),
        (tensor([5.0], np.float64).reshape(), np.array(5.0)),
    ]:
        assert_close(mine, theirs)


def test_shape_methods_share_memory(rng):
    x = leaf(rng, 2, 3)
    for y in (x.reshape(3, 2), x.T, x.flatten(), x.transpose(0, 1), x.permute(1, 0)):
        assert np.shares_memory(y.data, x.data)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (
            lambda x: x.reshape(4, 2),
            ValueError,
            r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(4, 2\)",
        ),
        (
            lambda x: x.reshape(-1, 4),
            ValueError,
            r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(-1, 4",
        ),
        (lambda x: x.reshape(-1, -1), ValueError, r"do not fit into shape \(-1, -1\)"),
        (lambda x: x.permute(0), ValueError, r"permute: got 1 axes \(0,\) for shape \(2, 3\); name each axis once"),
        (lambda x: x.permute(0, 0), ValueError, r"permute: axes \(0, 0\) name one axis twice \(shape \(2, 3\)\)"),
        (lambda x: x.permute(0, 2), ValueError, r"permute: axis 2 does not exist in a tensor of shape \(2, 3\)"),
        (lambda x: x.transpose(0, -3), ValueError, r"transpose: axis -3 does not exist in a tensor of shape \(2, 3\)"),
        (lambda x: x.transpose(0, 0.5), TypeError, "transpose: an axis must be an int, got 0.5"),
        (lambda x: x.flatten(2), ValueError, r"flatten: axis 2 does not exist in a tensor of shape \(2, 3\)"),
        (lambda x: x.sum(2), ValueError, r"sum: axis 2 does not exist in a tensor of shape \(2, 3\)"),
        (lambda x: x.mean((0, -2)), ValueError, r"mean: axes \(0, -2\) name one axis twice \(shape \(2, 3\)\)"),
        (lambda x: x.amax("a"), TypeError, "amax: an axis must be an int, got 'a'"),
        (lambda x: x[:, :0].amax(1), ValueError, r"amax: no greatest element along an axis of length 0 .* \(2, 0\)\)"),
    ],
)
def test_shape_errors(function, error, text):
    with pytest.raises(error, match=text):
        function(Tensor(np.zeros((2, 3))))


# 5. PyTorch


def expressions(rng, torch):
    """Random expressions over three leaves, as a pair of functions: of our tensors and of torch's."""
    unary = [
        (lambda t: t.exp() * 0.1, lambda t: t.exp() * 0.1),
        (lambda t: (t * t + 1).log(), lambda t: (t * t + 1).log()),
        (lambda t: (t * t + 0.5).sqrt(), lambda t: (t * t + 0.5).sqrt()),
        (lambda t: -t, lambda t: -t),
        (lambda t: t**3, lambda t: t**3),
        (lambda t: 1 / (t * t + 1), lambda t: 1 / (t * t + 1)),
        (lambda t: t - t.mean(axis=-1, keepdims=True), lambda t: t - t.mean(dim=-1, keepdim=True)),
        (lambda t: t.sum(axis=0, keepdims=True), lambda t: t.sum(dim=0, keepdim=True)),
        (lambda t: t - t.amax(axis=1, keepdims=True), lambda t: t - t.amax(dim=1, keepdim=True)),
        (lambda t: t.T.reshape(t.shape), lambda t: t.T.reshape(t.shape)),
        (lambda t: t[:, [0, 0, -1]], lambda t: t[:, [0, 0, -1]]),
        (lambda t: t[-1:], lambda t: t[-1:]),
        (lambda t: t @ t.transpose(0, 1), lambda t: t @ t.transpose(0, 1)),
    ]
    binary = [operator.add, operator.sub, operator.mul, lambda a, b: a / (b * b + 1), lambda a, b: (a * a + 0.1) ** b]

    def build(depth):
        if depth == 0 or rng.uniform() < 0.1:
            i = int(rng.integers(3))
            return (lambda leaves: leaves[i],) * 2
        if rng.uniform() < 0.5:
            mine, theirs = unary[rng.integers(len(unary))]
            (f, g) = build(depth - 1)
            return (lambda leaves: mine(f(leaves))), (lambda leaves: theirs(g(leaves)))
        op, (f, g), (p, q) = binary[rng.integers(len(binary))], build(depth - 1), build(depth - 1)
        return (lambda leaves: op(f(leaves), p(leaves))), (lambda leaves: op(g(leaves), q(leaves)))

    return build


@pytest.mark.parametrize("seed", range(20))
def test_random_expressions_agree_with_torch(seed):
    """300 expressions of depth 6: values and all gradients, float64.  Those that overflow or do not fit are skipped."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    build, compared = expressions(rng, torch), 0
    while compared < 15:
        arrays = [rng.uniform(-1, 1, shape) for shape in ((3, 3), (1, 3), (3, 1))]
        mine = [tensor(a, requires_grad=True) for a in arrays]
        theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
        f, g = build(6)
        try:
            expected = g(theirs)
        except RuntimeError:
            continue  # shapes that do not broadcast
        if not expected.requires_grad or not torch.isfinite(expected).all() or expected.abs().max() > 1e6:
            continue
        y, dy = f(mine), rng.standard_normal(tuple(expected.shape))
        y.backward(dy)
        expected.backward(torch.tensor(dy))
        assert_close(y, expected, rtol=1e-9, atol=1e-9)
        for t, r in zip(mine, theirs, strict=True):
            assert (t.grad is None) == (r.grad is None)
            if r.grad is not None:
                scale = 1 + float(r.grad.abs().max())
                assert_close(t.grad.numpy() / scale, r.grad.numpy() / scale, rtol=1e-8, atol=1e-8)
        compared += 1


@pytest.mark.parametrize(
    "pack", [lambda i: i, lambda i: (slice(None), i), lambda i: [i]], ids=["alone", "tuple", "list"]
)
def test_an_index_array_may_change_before_backward(pack):
    x, index = tensor(np.zeros((3, 3)), requires_grad=True), np.array([0, 2])
    y = x[pack(index)]
    index[...] = 1
    y.sum().backward()
    expected = np.zeros((3, 3))
    np.add.at(expected, pack(np.array([0, 2])), 1)
    assert np.array_equal(x.grad.numpy(), expected)


def test_the_mean_of_many_half_precision_numbers_has_a_gradient():
    x = tensor(np.ones(70_000, np.float16), requires_grad=True)
    y = x.mean()
    y.backward()
    assert y.item() == 1 and x.grad.dtype == np.float16
    np.testing.assert_allclose(x.grad.numpy(), np.float16(1 / 70_000))


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("exponent", "slope"), [(-1.0, -np.inf), (0.0, 0), (0.5, 0), (2.0, 0)])
def test_the_slope_of_a_power_of_0_by_its_exponent(exponent, slope):
    b = tensor(np.array(exponent), requires_grad=True)
    (tensor(np.array(0.0)) ** b).backward()
    assert b.grad.item() == slope  # as torch has it
