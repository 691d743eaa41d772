"""A training step stays on the device and does not wait for it: shown on a strict stand-in for CuPy, without a GPU."""

import copy

import fakecupy
import numpy as np
import pytest
from fakecupy import Counts, capturing, counts, cupy

import tinycnn
import tinycnn.functional as F
from tinycnn import models, nn, optim
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import device_of, resolve_device
from tinycnn.data import Batches
from tinycnn.execution import make_step

pytestmark = pytest.mark.usefixtures("fake_cupy")

# The training step


def on_device(model):
    """A copy of the model on the fake device."""
    moved = copy.deepcopy(model).to("gpu")
    assert all(isinstance(p.data, cupy.ndarray) for p in moved.parameters())
    return moved


def batch(rng, n, size=28):
    """n images, bytes, and their labels, on the host."""
    return rng.integers(0, 256, (n, 1, size, size), dtype=np.uint8), rng.integers(0, 10, n)


def one_step(model, optimizer, x, y):
    """Forward, loss, backward, update, by hand."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def small(**options):
    """A LeNet that keeps all its kinds of layer and loses most of its size."""
    return models.LeNet(image_size=20, channels=(3, 4), hidden=(12, 11), **options)


MODELS = {
    "sigmoid, average": dict(),
    "relu, max": dict(activation="relu", pool="max"),
    "tanh, average": dict(activation="tanh"),
    "sigmoid, max": dict(pool="max", same_padding=True, kernel_size=3),
}
OPTIMIZERS = {
    "plain": dict(lr=0.1),
    "momentum": dict(lr=0.1, momentum=0.9),
    "nesterov": dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampening": dict(lr=0.1, momentum=0.9, dampening=0.5),
}
models_matrix = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)


@models_matrix
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_training_step_stays_on_the_device_and_never_waits(options, optimizer, rng):
    tinycnn.manual_seed(0)
    model = small(**options)
    images, labels = batch(rng, 5, 20)
    twin = on_device(model)
    x = Tensor((images / np.float32(255)).astype(np.float32))
    x_there, y_there = x.to("gpu"), cupy.asarray(labels)
    here, there = optim.SGD(model.parameters(), **optimizer), optim.SGD(twin.parameters(), **optimizer)
    for _ in range(3):
        expected = one_step(model, here, x, labels)
        fakecupy.reset()
        loss = one_step(twin, there, x_there, y_there)
        assert counts == Counts(), "a training step waits for the device, or uploads, or calls NumPy"
        assert loss.dtype == np.float32 and float(loss) == pytest.approx(float(expected), rel=1e-5)
        assert counts == Counts(syncs=1), "reading the loss is the one wait"
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        for theirs, ours in ((q, p), (q.grad, p.grad)):
            assert isinstance(theirs.data, cupy.ndarray) and theirs.dtype == np.float32, name
            np.testing.assert_allclose(theirs.numpy(), ours.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def test_dropout_uploads_its_mask_and_never_waits(rng):
    model = on_device(small(dropout=0.5))
    x, y = cupy.asarray(rng.uniform(size=(5, 1, 20, 20)).astype(np.float32)), cupy.asarray(rng.integers(0, 10, 5))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fakecupy.reset()
    one_step(model, optimizer, Tensor(x), y)
    assert counts == Counts(uploads=2)  # one mask for each of the two dropouts: random numbers come from the host


@models_matrix
def test_the_plain_step_stays_on_the_device_and_never_waits(options, rng):
    """tinycnn.execution's step, from bytes: scaling and counting right answers included."""
    images, labels = batch(rng, 7, 20)
    model = small(**options)
    twin, loss = on_device(model), nn.CrossEntropyLoss()
    x, y = cupy.asarray(images), cupy.asarray(labels)
    with (
        make_step(model, loss, optim.SGD(model.parameters(), lr=0.5), strategy="plain") as here,
        make_step(twin, loss, optim.SGD(twin.parameters(), lr=0.5), strategy="plain") as there,
    ):
        expected = [here(images, labels), here(images, labels), here.evaluate(images, labels)]
        fakecupy.reset()
        found = [there(x, y), there(x, y), there.evaluate(x, y)]
        assert counts == Counts()
    for (summed, correct), (summed_here, correct_here) in zip(found, expected, strict=True):
        assert isinstance(summed, cupy.ndarray) and summed.shape == correct.shape == ()
        assert float(summed) == pytest.approx(summed_here, rel=1e-5) and int(correct) == correct_here


def test_an_epoch_waits_only_where_it_reports(rng):
    images, labels = batch(rng, 20, 20)
    model = on_device(small())
    loader = Batches(cupy.asarray(images), cupy.asarray(labels), batch_size=8)
    summed, correct = 0.0, 0
    fakecupy.reset()
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5), strategy="plain") as step:
        for x, y in loader:
            loss, right = step(x, y)
            summed, correct = summed + loss, correct + right
        assert counts.syncs == 0 and counts.uploads == 1  # the order of the epoch
        report = f"loss {float(summed) / 20:.3f}, accuracy {int(correct) / 20:.3f}"
    assert counts.syncs == 2 and "loss" in report


def test_all_of_a_step_but_its_products_can_be_captured(rng, monkeypatch):
    """cuBLAS is what keeps the plain step out of a CUDA graph; with another gemm in its place nothing else does."""
    model = on_device(small())
    x, y = cupy.asarray(rng.uniform(size=(3, 1, 20, 20)).astype(np.float32)), cupy.asarray(rng.integers(0, 10, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with capturing(), pytest.raises(NotImplementedError, match="cuBLAS"):
        one_step(model, optimizer, Tensor(x), y)
    monkeypatch.setattr(fakecupy, "cublas", lambda: None)
    with capturing():
        one_step(model, optimizer, Tensor(x), y)


def test_activations_stay_batch_last_on_the_device(rng):
    """CuPy's results forget the order of their operands, so the operations must ask for it."""
    for options in MODELS.values():
        model, outputs = on_device(small(**options)), []
        images, labels = batch(rng, 5, 20)
        x = Tensor(tinycnn.data.scale(cupy.asarray(images)))
        for layer in model:
            x = layer(x)
            x.retain_grad()
            outputs.append((layer, x))
        F.cross_entropy(x, cupy.asarray(labels)).backward()
        for layer, t in outputs:
            axes = (*range(1, t.ndim), 0)
            assert t.data.transpose(axes).flags.c_contiguous, f"{layer} gives {t.shape} with strides {t.data.strides}"


@pytest.mark.parametrize(
    ("moves", "device"), [(["gpu"], "gpu"), (["gpu", np.float64], "gpu"), (["gpu", "cpu"], "cpu")], ids=str
)
def test_models_move(moves, device):
    model = small()
    for to in moves:
        model.to(to)
    assert {device_of(p.data) for p in model.parameters()} == {device}
    assert all(isinstance(array, np.ndarray) for array in model.state_dict().values())


# The core


def test_mixed_devices_are_refused():
    here, there = tinycnn.tensor(np.ones(2)), tinycnn.tensor(np.ones(2), device="gpu")
    for a, b in ((here, there), (there, here), (there, np.ones(2)), (np.ones(2), there), (cupy.ones(2), here)):
        with pytest.raises(ValueError, match=r"add: operands are on different devices \((cpu|gpu) \(2,\), (cpu|gpu)"):
            a + b
        with pytest.raises(ValueError, match="matmul: operands are on different devices"):
            a @ b
    with pytest.raises(ValueError, match="linear: all tensors must have the same device"):
        F.linear(here, there.reshape(1, 2))


def test_arrays_of_the_device_on_either_side():
    t, a = tinycnn.tensor([1.0, 2], device="gpu"), cupy.array([3.0, 4])
    fakecupy.reset()
    for y in (t + a, a + t, a - t, t * a, a / t, a @ t, t**a):
        assert isinstance(y, Tensor) and y.device == "gpu" and y.dtype == np.float32
    assert counts == Counts()


def test_the_gradient_given_to_backward_must_be_on_the_device():
    x = tinycnn.tensor([1.0, 2], device="gpu", requires_grad=True)
    with pytest.raises(TypeError, match="gradient is float32 on cpu, the tensor is float32 on gpu"):
        (x * 2).backward(np.ones(2))
    (x * 2).backward(cupy.ones(2))
    assert x.grad.device == "gpu" and x.grad.numpy().tolist() == [2, 2]


def test_arithmetic_never_waits():
    x = tinycnn.tensor(np.ones((3, 4), np.float32), device="gpu", requires_grad=True)
    fakecupy.reset()
    y = ((x * 2 + 1) / 3 - x**2).exp() @ x.T
    z = y.amax(axis=1).sum() + y.mean() + x[1:, ::2].sum() + x.reshape(2, 6)[0].sum() + (x + 1).log().sqrt().sum()
    z.backward()
    assert counts == Counts() and x.grad.device == "gpu"
    assert np.isfinite(z.item()) and counts == Counts(syncs=1)


def test_gradients_of_slices_and_masks_need_no_atomic_additions(monkeypatch):
    """add.at adds in an order that varies from run to run on a GPU; only repeated indices are worth that."""

    def refuse(*args):
        raise AssertionError("add.at")

    monkeypatch.setattr(cupy.add, "at", refuse)
    x = tinycnn.tensor(np.ones((3, 4)), device="gpu", requires_grad=True)
    for index in (1, slice(0, 2), (..., None, 1), (slice(None), slice(None, None, 2)), x.data > 0, -1):
        x[index].sum().backward()
    with pytest.raises(AssertionError, match=r"add\.at"):
        x[cupy.array([0, 0])].sum().backward()


def test_a_tensor_on_the_device_does_not_turn_into_a_numpy_array():
    t = tinycnn.tensor([1.0, 2], device="gpu")
    with pytest.raises(TypeError, match=r"does not turn into a NumPy array by itself; call \.numpy"):
        np.asarray(t)
    assert isinstance(t.numpy(), np.ndarray) and counts.syncs == 1


def test_labels_out_of_range_on_the_device_spoil_the_loss_without_a_wait():
    logits, y = tinycnn.tensor(np.zeros((2, 3)), device="gpu"), cupy.array([0, 3])
    fakecupy.reset()
    loss = F.cross_entropy(logits, y)
    assert counts == Counts() and np.isnan(float(loss))


def test_the_stand_in_counts_as_a_usable_gpu():
    assert resolve_device("auto") == resolve_device("gpu") == ("gpu", "running on gpu")
