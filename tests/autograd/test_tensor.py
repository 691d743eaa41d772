import copy
import pickle
import re
import weakref

import numpy as np
import pytest
from helpers import assert_close, batch_last, leaf

import tinycnn
from tinycnn import Tensor, tensor
from tinycnn.autograd.tensor import Parameter

# tensor(): the constructor


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, np.float32, ()),
        (2, np.int64, ()),
        (True, np.bool_, ()),
        ([1.0, 2], np.float32, (2,)),
        ([[1, 2], [3, 4]], np.int64, (2, 2)),
        ((1, 2.5), np.float32, (2,)),
        ([[True], [False]], np.bool_, (2, 1)),
        ([], np.float32, (0,)),
        ([[], []], np.float32, (2, 0)),
        (np.float64(1), np.float64, ()),
        (np.arange(3, dtype=np.uint8), np.uint8, (3,)),
        (np.ones((1, 2)), np.float64, (1, 2)),
        (np.ones(2, np.float16), np.float16, (2,)),
    ],
    ids=repr,
)
def test_tensor_takes_numbers_lists_and_arrays(data, dtype, shape):
    t = tensor(data)
    assert t.dtype == dtype and t.shape == shape and type(t.data) is np.ndarray
    assert t.ndim == len(shape) and t.numel() == np.prod(shape) and t.device == "cpu"
    assert np.array_equal(t.numpy(), np.asarray(data))
    assert t.is_leaf and not t.requires_grad and t.grad is None


def test_tensor_with_a_dtype():
    assert tensor([1, 2], dtype=np.float32).dtype == np.float32
    assert tensor([1.9], "int32").numpy().tolist() == [1]
    assert tensor([0.1], dtype=np.float64).item() == 0.1  # by way of float32 it would be 0.10000000149
    assert tensor(np.float32([0.5]), np.float64).dtype == np.float64
    assert tensor(tensor([0.5]), np.float64).dtype == np.float64


def test_tensor_copies(device):
    data = np.ones(3, np.float32)
    t = tensor(data, device=device)
    again = tensor(t)
    data[0] = 5
    t.data[1] = 7
    assert t.numpy().tolist() == [1, 7, 1] and again.numpy().tolist() == [1, 1, 1]
    assert t.device == again.device == device


@pytest.mark.parametrize("order", ["C", "F", "batch-last"])
def test_memory_order_is_kept(order, rng, device):
    x = rng.uniform(size=(2, 3, 4, 5))
    x = batch_last(x) if order == "batch-last" else np.asarray(x, order=order)
    for t in (tensor(x), tensor(x, np.float32), tensor(x, device=device).to("cpu"), tensor(x).double().float()):
        expected = [n // (x.itemsize // t.data.itemsize) for n in x.strides]
        assert list(t.data.strides) == expected


def test_memory_order_is_kept_on_the_device_and_dense(rng, device):
    x = batch_last(rng.uniform(size=(2, 3, 4, 5)))[:, :, 1:]  # a slice with gaps
    t = tensor(x, device=device)
    assert t.data.transpose(1, 2, 3, 0).flags.c_contiguous
    assert_close(t, x)


@pytest.mark.parametrize(
    ("data", "dtype", "text"),
    [
        ("1.5", None, "tensor: expected numbers, got str of dtype <U3"),
        (["1", "2"], None, "tensor: expected numbers, got list of dtype <U1"),
        (["1", "2"], np.float32, "tensor: expected numbers, got list of dtype <U1"),
        (None, None, "tensor: expected numbers, got NoneType of dtype object"),
        (1j, None, "tensor: expected numbers, got complex of dtype complex128"),
        (np.array([object()]), None, "tensor: expected numbers, got ndarray of dtype object"),
        (np.array(["2020-01-01"], "datetime64[D]"), None, "tensor: expected numbers, got ndarray of dtype datetime64"),
        ([1.0], np.complex64, "tensor: got <class 'numpy.complex64'>, expected a dtype of floats, integers or bool"),
        ([1.0], "float23", "tensor: got 'float23', expected a dtype of floats, integers or bool such as np.float32"),
        ([1.0], str, "expected a dtype of floats, integers or bool"),
    ],
)
def test_tensor_refuses_what_is_no_number(data, dtype, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        tensor(data, dtype)


def test_tensor_refuses_ragged_lists_and_unknown_devices():
    with pytest.raises(ValueError, match="inhomogeneous"):
        tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match='device: got \'cuda:1\', expected "cpu" or "gpu"'):
        tensor([1.0], device="cuda:1")


def test_tensor_takes_other_libraries_arrays():
    torch = pytest.importorskip("torch")
    theirs = torch.tensor([[1.0, 2.0]])
    t = tensor(theirs)
    theirs[0, 0] = 9
    assert t.numpy().tolist() == [[1, 2]] and t.dtype == np.float32


def test_list_of_tensors():
    assert tensor([tensor(1.0), tensor(2.0)]).numpy().tolist() == [1, 2]


# Tensor(): the class shares the array it is given


def test_tensor_class_shares_the_array():
    x = np.zeros(2)
    t = Tensor(x)
    t.data[0] = 3
    assert t.data is x and t.numpy() is x and x[0] == 3


def test_scalars_become_arrays_of_no_axes():
    """NumPy's reductions and 0-d arithmetic return scalars, which cannot be changed in place."""
    x = tensor(2.0, requires_grad=True)
    (x * x + x).backward()
    for t in (Tensor(np.float64(1)), x * x, x.sum(), x.max(), -x, tensor([1.0])[0], x.exp(), x.grad):
        assert type(t.data) is np.ndarray and t.shape == ()
    x.grad.data[()] = 7.0
    x.grad.data *= 2
    assert x.grad.item() == 14


def test_subclasses_of_arrays_become_plain_arrays():
    """A matrix, for one, multiplies where an array would broadcast."""
    memory = np.arange(4.0).reshape(2, 2)
    t = Tensor(memory.view(np.recarray))
    assert type(t.data) is np.ndarray and np.shares_memory(t.data, memory)


@pytest.mark.parametrize("data", [[1.0], 1.0, "a", None], ids=repr)
def test_tensor_class_refuses_what_is_no_array(data):
    with pytest.raises(TypeError, match=r"expected a NumPy or CuPy array, got \w+; tinycnn.tensor\(\.\.\.\) makes"):
        Tensor(data)


# requires_grad


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integers_cannot_require_gradients(dtype):
    text = f"only floating-point tensors can require gradients, got dtype {np.dtype(dtype)}; make it float32"
    with pytest.raises(TypeError, match=text):
        tensor([1, 0], dtype, requires_grad=True)
    with pytest.raises(TypeError, match=text):
        Tensor(np.zeros(1, dtype), requires_grad=True)
    with pytest.raises(TypeError, match=text):
        Parameter(np.zeros(1, dtype))
    t = tensor([1, 0], dtype)
    with pytest.raises(TypeError, match=text):
        t.requires_grad_()
    with pytest.raises(TypeError, match=text):
        t.requires_grad = True
    assert not t.requires_grad


def test_requires_grad_is_for_leaves(rng):
    x = leaf(rng, 2)
    y = x * 2
    for change in (y.requires_grad_, lambda: setattr(y, "requires_grad", False), lambda: y.requires_grad_(False)):
        with pytest.raises(RuntimeError, match="only leaves can change it; use detach"):
            change()
    assert y.requires_grad
    assert x.requires_grad_(False) is x and not x.requires_grad
    assert not (x * 2).requires_grad
    x.requires_grad = True
    assert (x * 2).requires_grad


def test_parameter_requires_a_gradient_and_can_be_frozen():
    p = Parameter(np.ones(2, np.float32))
    assert isinstance(p, Tensor) and p.requires_grad and p.is_leaf
    assert not Parameter(np.ones(2), requires_grad=False).requires_grad


def test_result_requires_a_gradient_if_an_input_does(rng):
    x, c = leaf(rng, 2), tensor([1.0, 2], np.float64)
    assert (x + c).requires_grad and not (c + c).requires_grad and (c + c).is_leaf
    assert not x.to(np.int64).requires_grad  # integers have no slope


def test_detach_shares_the_data_and_cuts_the_graph(rng):
    x = leaf(rng, 2)
    y = (x * 2).detach()
    assert not y.requires_grad and y.is_leaf
    (x * y).sum().backward()
    assert_close(x.grad, y)
    assert x.detach().data is x.data


# retain_grad


def test_retain_grad_of_an_intermediate_result(rng):
    x = leaf(rng, 3)
    y = x * 2
    y.retain_grad()
    y.retain_grad()  # saying it twice must not count the gradient twice
    (y * y).sum().backward()
    assert_close(y.grad, 2 * y.data)
    assert_close(x.grad, 4 * y.data)


def test_retain_grad_adds_up_and_sums_over_uses(rng):
    x = leaf(rng, 3)
    y = x * 2
    y.retain_grad()
    z = (y + y * 3).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert y.grad.numpy().tolist() == [8, 8, 8]


def test_retain_grad_of_the_root_and_of_a_leaf(rng):
    x = leaf(rng, 2)
    x.retain_grad()
    y = x * 3
    y.retain_grad()
    y.backward(np.array([1.0, 2]))
    assert y.grad.numpy().tolist() == [1, 2] and x.grad.numpy().tolist() == [3, 6]


def test_retain_grad_keeps_no_tensor_alive(rng):
    x = leaf(rng, 2)
    y = x * 3
    y.retain_grad()
    z, alive = y.sum(), weakref.ref(y)
    del y
    assert alive() is None
    z.backward()
    assert x.grad.numpy().tolist() == [3, 3]


def test_retain_grad_needs_a_graph():
    with pytest.raises(RuntimeError, match="retain_grad: this tensor requires no gradient"):
        tensor([1.0]).retain_grad()


# backward's argument


def test_backward_without_gradient_is_for_single_numbers(rng):
    x = leaf(rng, 1, 1)
    (x * 3).backward()
    assert x.grad.numpy().tolist() == [[3]]
    with pytest.raises(RuntimeError, match=r"only for a single number, this tensor has shape \(2, 3\); .*\.sum\(\)"):
        (leaf(rng, 2, 3) * 2).backward()


@pytest.mark.parametrize("make", [np.array, lambda g: tensor(g), lambda g: np.array(g, np.int64)])
def test_backward_takes_arrays_and_tensors(make):
    x = tensor([1.0, 2], requires_grad=True)
    (x * 2).backward(make([10.0, 100]))
    assert x.grad.numpy().tolist() == [20, 200] and x.grad.dtype == np.float32


def test_backward_takes_a_number_for_a_number():
    x = tensor(2.0, requires_grad=True)
    (x * x).backward(10)
    assert x.grad.item() == 40


def test_backward_refuses_what_does_not_fit(rng):
    y = leaf(rng, 2, 3) * 2
    with pytest.raises(ValueError, match=r"backward: gradient has shape \(3,\), the tensor has shape \(2, 3\)"):
        y.backward(np.ones(3))
    with pytest.raises(TypeError, match=r"gradient is float32 on cpu, the tensor is float64 on cpu; convert it with"):
        y.backward(tensor(np.ones((2, 3), np.float32)))
    with pytest.raises(TypeError, match="backward: expected a Tensor, an array or a number, got list"):
        y.backward([[1.0] * 3] * 2)
    with pytest.raises(RuntimeError, match="does not depend on any tensor with requires_grad=True"):
        tensor([1.0]).backward()


# .to


def test_to_changes_dtype_and_device_and_gradients_flow_back(device):
    x = tensor([1.0, 2], requires_grad=True)
    assert x.to() is x and x.to(np.float32) is x and x.to("cpu") is x and x.to("float32", "cpu") is x
    y = x.to(device, np.float64)
    assert y.dtype == np.float64 and y.device == device
    (y * y).sum().backward()
    assert x.grad.numpy().tolist() == [2, 4] and x.grad.dtype == np.float32 and x.grad.device == "cpu"


def test_float_double_and_integers():
    x = tensor([1.7, -1.7])
    assert x.double().dtype == np.float64 and x.double().float().dtype == np.float32
    assert x.to(int).numpy().tolist() == [1, -1] and x.to(bool).dtype == np.bool_


@pytest.mark.parametrize("to", ["cuda:1", "float31", None, np.complex64, str, "U3"], ids=repr)
def test_to_refuses_the_unknown(to):
    with pytest.raises(TypeError, match='to: got .*, expected "cpu", "gpu", or a dtype of floats, integers or bool'):
        tensor([1.0]).to(to)


# To Python and to NumPy


def test_numbers_out_of_tensors():
    assert float(tensor([[1.5]])) == 1.5 and int(tensor(3.7)) == 3 and bool(tensor([0.0])) is False
    assert tensor(2.5).item() == 2.5 and type(tensor(2.5).item()) is float
    assert tensor([3]).item() == 3 and type(tensor([3]).item()) is int
    assert tensor(True).item() is True


@pytest.mark.parametrize("asker", ["float", "int", "bool", "item"])
@pytest.mark.parametrize("shape", [(2,), (0,), (1, 2)])
def test_only_single_numbers_come_out(asker, shape):
    t = Tensor(np.zeros(shape))
    text = rf"{asker}: expected a tensor with one element, got shape {re.escape(str(shape))}"
    with pytest.raises(ValueError, match=text):
        t.item() if asker == "item" else __builtins__[asker](t)


def test_len_and_iteration():
    t = tensor([[1.0, 2], [3, 4], [5, 6]])
    assert len(t) == 3 and [row.numpy().tolist() for row in t] == [[1, 2], [3, 4], [5, 6]]
    for ask in (len, list, iter):
        with pytest.raises(TypeError, match=r"len: a tensor of shape \(\) has no length"):
            ask(tensor(1.0))


def test_numpy_functions_get_the_array():
    t = tensor([[1.0, 2], [3, 4]], requires_grad=True)
    assert np.asarray(t).dtype == np.float32 and np.asarray(t) is t.data
    assert np.asarray(t, np.float64).dtype == np.float64
    assert np.array(t) is not t.data
    assert np.concatenate([t, t]).shape == (4, 2)
    with pytest.raises(ValueError, match="copy"):
        np.array(t, np.float64, copy=False)


def test_numpy_ufuncs_leave_tensors_alone():
    with pytest.raises(TypeError, match=r"np.exp does not take a tensor; write t.exp\(\) .* or t.numpy\(\)"):
        np.exp(tensor([1.0]))


def test_format():
    assert f"{tensor(0.12345):.3f} {tensor([2]):>3d}" == "0.123   2"
    assert f"{tensor([1.0, 2.0])}" == "tensor([1., 2.])"
    with pytest.raises(ValueError, match="[Ff]ormat"):
        f"{tensor([1.0, 2.0]):.3f}"


def test_copy_and_pickle_of_a_leaf(rng):
    x = leaf(rng, 3)
    (x * 2).sum().backward()
    for again in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert again.requires_grad and np.array_equal(again.data, x.data) and again.data is not x.data
        assert again.grad.numpy().tolist() == [2, 2, 2]
    assert isinstance(copy.deepcopy(Parameter(np.ones(2))), Parameter)


def test_tensors_are_keys_by_identity():
    a, b = tensor([1.0, 2]), tensor([1.0, 2])
    assert len({a, b, a}) == 2 and {a: 1, b: 2}[b] == 2 and a in [a]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: tensor(1.0), "tensor(1.)"),
        (lambda: tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: tensor([1, 2]), "tensor([1, 2], dtype=int64)"),
        (lambda: tensor([True]), "tensor([ True], dtype=bool)"),
        (lambda: tensor([1.0], np.float64), "tensor([1.], dtype=float64)"),
        (lambda: tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (lambda: tensor([1 / 3]), "tensor([0.3333])"),
        (lambda: tensor([[1.0, 2], [3, 4]]), "tensor([[1., 2.],\n        [3., 4.]])"),
        (lambda: Tensor(np.zeros((2, 0), np.float32)), "tensor([], shape=(2, 0))"),
    ],
)
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_a_large_tensor_is_short():
    assert "..." in repr(tensor(np.zeros((100, 100)))) and len(repr(tensor(np.zeros((100, 100))))) < 1000


def test_device_is_told_in_repr(device):
    assert repr(tensor([1.0], device=device)) == ("tensor([1.])" if device == "cpu" else "tensor([1.], device='gpu')")


def test_public_names():
    assert tinycnn.Tensor is Tensor and tinycnn.tensor is tensor and tinycnn.no_grad
