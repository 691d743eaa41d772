import numpy as np
import pytest
from helpers import leaf

import tinycnn
from tinycnn import d2l, tensor
from tinycnn import functional as F
from tinycnn.autograd.gradcheck import gradcheck


def test_accumulator():
    sums = d2l.Accumulator(2)
    sums.add(1, tensor(2.5, requires_grad=True))
    sums.add(np.float32(3), True)
    assert (sums[0], sums[1]) == (4, 3.5)
    sums.reset()
    assert sums.data == [0, 0]
    with pytest.raises(ValueError, match="zip"):
        sums.add(1)


def test_timer(monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 7.0, 10.0])
    monkeypatch.setattr(d2l.counting.time, "perf_counter", lambda: next(clock))
    timer = d2l.Timer()
    assert timer.stop() == 1
    timer.start()
    timer.stop()
    assert timer.stop() == 5  # since the last start
    assert (timer.sum(), timer.avg(), timer.cumsum()) == (8, 8 / 3, [1, 3, 8])


def test_accuracy_of_logits_and_of_classes():
    y = tensor([0, 2])
    y_hat = tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
    assert d2l.accuracy(y_hat, y) == 1 and type(d2l.accuracy(y_hat, y)) is float
    assert d2l.accuracy(tensor([0.0, 2.0]), y) == 2
    assert d2l.accuracy(tensor(np.zeros((300, 3))), tensor(np.zeros(300, np.uint8))) == 300


def test_sgd_divides_by_the_batch_and_forgets_the_gradient(device):
    w = tensor([1.0, 2.0], device=device, requires_grad=True)
    (w * w).sum().backward()
    d2l.sgd([w], lr=0.5, batch_size=2)
    assert w.numpy().tolist() == [0.5, 1.0] and w.grad.numpy().tolist() == [0, 0] and w.requires_grad
    w.grad = None
    with pytest.raises(RuntimeError, match=r"sgd: a parameter of shape \(2,\) has no gradient; call backward first"):
        d2l.sgd([w], 0.1, 1)


def test_corr2d_is_the_engines_convolution(rng):
    X, K = leaf(rng, 5, 7), leaf(rng, 2, 3)
    expected = F.conv2d(X[None, None], K[None, None])[0, 0]
    assert np.allclose(d2l.corr2d(X, K).numpy(), expected.numpy(), rtol=1e-12)
    assert gradcheck(d2l.corr2d, [X, K])


def test_the_device(device):
    found = "gpu" if device == "gpu" else "cpu"
    if device == "gpu" or not tinycnn.cuda.is_available():
        assert (d2l.try_gpu(), d2l.try_gpu(1), d2l.try_all_gpus()) == (found, "cpu", [found])


# The cells of convolution, padding, channels and pooling, as typed


CELLS = {
    "edges": (
        "X = torch.ones((6, 8)); X[:, 2:6] = 0; K = torch.tensor([[1.0, -1.0]]); Y = d2l.corr2d(X, K)",
        lambda n: n["Y"].numpy().tolist() == [[0, 1, 0, 0, 0, -1, 0]] * 6
        and not d2l.corr2d(n["X"].t(), n["K"]).numpy().any(),
    ),
    "learned kernel": (
        """
X = torch.ones((6, 8)); X[:, 2:6] = 0
Y = d2l.corr2d(X, torch.tensor([[1.0, -1.0]]))
torch.manual_seed(0)
conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
X, Y, lr = X.reshape((1, 1, 6, 8)), Y.reshape((1, 1, 6, 7)), 3e-2
for i in range(10):
    Y_hat = conv2d(X)
    l = (Y_hat - Y) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= lr * conv2d.weight.grad
    if (i + 1) % 2 == 0:
        f'epoch {i + 1}, loss {l.sum():.3f}'
K = conv2d.weight.data.reshape((1, 2))
""",
        lambda n: np.allclose(n["K"], [[1, -1]], atol=0.1),
    ),
    "a layer of one's own": (
        """
class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(kernel_size))
        self.bias = nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return d2l.corr2d(x, self.weight) + self.bias
layer = Conv2D((2, 3))
layer(torch.ones(4, 5)).sum().backward()
""",
        lambda n: n["layer"].weight.grad.numpy().tolist() == [[9.0] * 3] * 2 and n["layer"].bias.grad.item() == 9,
    ),
    "padding and stride": (
        """
def comp_conv2d(conv2d, X):
    X = X.reshape((1, 1) + X.shape)
    Y = conv2d(X)
    return Y.reshape(Y.shape[2:])
X = torch.rand(size=(8, 8))
shapes = [comp_conv2d(layer, X).shape for layer in (
    nn.Conv2d(1, 1, kernel_size=3, padding=1), nn.Conv2d(1, 1, kernel_size=(5, 3), padding=(2, 1)),
    nn.Conv2d(1, 1, kernel_size=3, padding=1, stride=2),
    nn.Conv2d(1, 1, kernel_size=(3, 5), padding=(0, 1), stride=(3, 4)))]
""",
        lambda n: n["shapes"] == [(8, 8), (8, 8), (4, 4), (2, 2)],
    ),
    "channels": (
        """
def corr2d_multi_in(X, K):
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))
X = torch.tensor([[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]],
                  [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
K = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0, 4.0]]])
one = corr2d_multi_in(X, K)
def corr2d_multi_in_out(X, K):
    return torch.stack([corr2d_multi_in(X, k) for k in K], 0)
K = torch.stack((K, K + 1, K + 2), 0)
many = corr2d_multi_in_out(X, K)
def corr2d_multi_in_out_1x1(X, K):
    c_i, h, w = X.shape
    c_o = K.shape[0]
    X = X.reshape((c_i, h * w))
    K = K.reshape((c_o, c_i))
    Y = torch.matmul(K, X)
    return Y.reshape((c_o, h, w))
X = torch.normal(0, 1, (3, 3, 3))
K = torch.normal(0, 1, (2, 3, 1, 1))
Y1, Y2 = corr2d_multi_in_out_1x1(X, K), corr2d_multi_in_out(X, K)
close = float(torch.abs(Y1 - Y2).sum()) < 1e-5
""",
        lambda n: n["one"].numpy().tolist() == [[56, 72], [104, 120]] and n["many"].shape == (3, 2, 2)
        and n["many"][2].numpy().tolist() == [[96, 128], [192, 224]] and n["close"],
    ),
    "pooling": (
        """
def pool2d(X, pool_size, mode='max'):
    p_h, p_w = pool_size
    Y = torch.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == 'max':
                Y[i, j] = X[i:i + p_h, j:j + p_w].max()
            elif mode == 'avg':
                Y[i, j] = X[i:i + p_h, j:j + p_w].mean()
    return Y
X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
greatest, means = pool2d(X, (2, 2)), pool2d(X, (2, 2), 'avg')
X = torch.arange(16, dtype=torch.float32).reshape((1, 1, 4, 4))
first = nn.MaxPool2d(3)(X)
second = nn.MaxPool2d(3, padding=1, stride=2)(X)
third = nn.MaxPool2d((2, 3), stride=(2, 3), padding=(0, 1))(X)
X = torch.cat((X, X + 1), 1)
both = nn.MaxPool2d(3, padding=1, stride=2)(X)
""",
        lambda n: n["greatest"].numpy().tolist() == [[4, 5], [7, 8]] and n["means"].numpy().tolist() == [[2, 3], [5, 6]]
        and n["first"].item() == 10 and n["second"].numpy().tolist() == [[[[5, 7], [13, 15]]]]
        and n["third"].numpy().tolist() == [[[[5, 7], [13, 15]]]]
        and n["both"].numpy()[0, 1].tolist() == [[6, 8], [14, 16]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_the_cells_of_the_sections_before_run_as_typed(name):
    code, check = CELLS[name]
    names = {"torch": tinycnn, "nn": tinycnn.nn, "d2l": d2l}
    exec(compile(code, name, "exec"), names)
    assert check(names)
