"""The cells of the LeNet chapter and of softmax regression run as typed, and on the engine's loop with its bits."""

import math
import re

import numpy as np
import pytest

import tinycnn
from tinycnn import d2l, nn
from tinycnn import functional as F
from tinycnn.autograd.tensor import Tensor
from tinycnn.d2l import images, training
from tinycnn.data import Batches, DataLoader, Silhouettes, TensorDataset, scale
from tinycnn.execution import make_step
from tinycnn.optim import SGD
from tinycnn.training import evaluate, train

IMPORTS = "import tinycnn as torch\nfrom tinycnn import nn, d2l\n"

LENET = """
net = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten(),
    nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10))
"""

SHAPES = """
X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)
for layer in net:
    X = layer(X)
    print(layer.__class__.__name__,'output shape: \\t',X.shape)
"""

EVALUATE = """
def evaluate_accuracy_gpu(net, data_iter, device=None):
    if isinstance(net, nn.Module):
        net.eval()
        if not device:
            device = next(iter(net.parameters())).device
    metric = d2l.Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            if isinstance(X, list):
                X = [x.to(device) for x in X]
            else:
                X = X.to(device)
            y = y.to(device)
            metric.add(d2l.accuracy(net(X), y), y.numel())
    return metric[0] / metric[1]
"""

TRAIN = """
def train_ch6(net, train_iter, test_iter, num_epochs, lr, device):
    def init_weights(m):
        if type(m) == nn.Linear or type(m) == nn.Conv2d:
            nn.init.xavier_uniform_(m.weight)
    net.apply(init_weights)
    print('training on', device)
    net.to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    loss = nn.CrossEntropyLoss()
    animator = d2l.Animator(xlabel='epoch', xlim=[1, num_epochs],
                            legend=['train loss', 'train acc', 'test acc'])
    timer, num_batches = d2l.Timer(), len(train_iter)
    for epoch in range(num_epochs):
        metric = d2l.Accumulator(3)
        net.train()
        for i, (X, y) in enumerate(train_iter):
            timer.start()
            optimizer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            l = loss(y_hat, y)
            l.backward()
            optimizer.step()
            with torch.no_grad():
                metric.add(l * X.shape[0], d2l.accuracy(y_hat, y), X.shape[0])
            timer.stop()
            train_l = metric[0] / metric[2]
            train_acc = metric[1] / metric[2]
            if (i + 1) % (num_batches // 5) == 0 or i == num_batches - 1:
                animator.add(epoch + (i + 1) / num_batches, (train_l, train_acc, None))
        test_acc = evaluate_accuracy_gpu(net, test_iter)
        animator.add(epoch + 1, (None, None, test_acc))
    print(f'loss {train_l:.3f}, train acc {train_acc:.3f}, test acc {test_acc:.3f}')
    print(f'{metric[2] * num_epochs / timer.sum():.1f} examples/sec on {str(device)}')
"""

SOFTMAX = """
train_iter, test_iter = d2l.load_data_fashion_mnist(50)
W = torch.normal(0, 0.01, size=(784, 10), requires_grad=True)
b = torch.zeros(10, requires_grad=True)
def softmax(X):
    X_exp = torch.exp(X)
    partition = X_exp.sum(1, keepdim=True)
    return X_exp / partition
X = torch.normal(0, 1, (2, 5))
assert torch.allclose(softmax(X).sum(1), torch.ones(2))
def net(X):
    return softmax(torch.matmul(X.reshape((-1, W.shape[0])), W) + b)
y = torch.tensor([0, 2])
y_hat = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]])
print(y_hat[[0, 1], y])
def cross_entropy(y_hat, y):
    return -torch.log(y_hat[range(len(y_hat)), y])
print(cross_entropy(y_hat, y))
def accuracy(y_hat, y):
    if len(y_hat.shape) > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(axis=1)
    cmp = y_hat.type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())
print(accuracy(y_hat, y) / len(y))
def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()
lr = 0.1
def updater(batch_size):
    return sgd([W, b], lr, batch_size)
before = d2l.evaluate_accuracy(net, test_iter)
d2l.train_ch3(net, train_iter, test_iter, cross_entropy, 8, updater)
after = d2l.evaluate_accuracy(net, test_iter)
d2l.predict_ch3(net, test_iter)
"""


def typed(*cells, **names):
    for cell in (IMPORTS, *cells):
        exec(compile(cell, "cell", "exec"), names)
    return names


@pytest.fixture
def lenet():
    tinycnn.manual_seed(0)
    return typed(LENET)["net"]


# The chapter


def test_the_chapters_cells_run_as_typed(capsys):
    names = typed(
        "torch.manual_seed(0)", LENET, SHAPES, "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=50)",
        EVALUATE, TRAIN, "train_ch6(net, train_iter, test_iter, 1, 0.9, d2l.try_gpu())",
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Conv2d output shape: \t (1, 6, 28, 28)" and lines[11] == "Linear output shape: \t (1, 10)"
    assert lines[12] == "training on cpu"
    assert re.fullmatch(r"loss \d\.\d{3}, train acc 0\.\d{3}, test acc 0\.\d{3}", lines[13])
    assert re.fullmatch(r"\d+\.\d examples/sec on cpu", lines[14])
    ours = d2l.evaluate_accuracy_gpu(names["net"], names["test_iter"])
    assert ours == names["evaluate_accuracy_gpu"](names["net"], names["test_iter"])


def test_the_chapters_cells_run_on_the_gpus_stand_in(fake_cupy, capsys):
    typed(
        LENET, "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=100)", EVALUATE,
        TRAIN.replace("num_batches // 5", "1"), "train_ch6(net, train_iter, test_iter, 1, 0.9, d2l.try_gpu())",
    )  # fmt: skip
    assert capsys.readouterr().out.splitlines()[0] == "training on gpu"


@pytest.mark.gpu
def test_the_chapter_on_a_gpu_by_its_cells_and_by_the_graph(a_gpu, monkeypatch, capsys):
    """The cells step by step, and train_ch6 on a step that is recorded once and replayed, against the processor's."""
    sets = Silhouettes(train=True, size=12), Silhouettes(train=False, size=6)
    monkeypatch.setattr(images, "load", lambda *_, **__: sets)
    strategies, ends = [], []

    def seen(*arguments):
        step = make_step(*arguments)
        strategies.append(step.strategy)
        return step

    monkeypatch.setattr(training, "make_step", seen)
    for device, cell in (("d2l.try_gpu()", TRAIN), ("'cuda:0'", ""), ("torch.device('cpu')", "")):
        names = typed(
            "torch.manual_seed(3)", LENET, "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=6)",
            EVALUATE, cell.replace("num_batches // 5", "1") or "train_ch6 = d2l.train_ch6",
            f"train_ch6(net, train_iter, test_iter, 2, 0.9, {device})",
        )  # fmt: skip
        ends.append([p.numpy() for p in names["net"].parameters()])
    assert strategies[0] == "graph" and next(iter(names["net"].parameters())).device == "cpu"
    cells, graph, cpu = (run.splitlines() for run in capsys.readouterr().out.split("training on ")[1:])
    assert (cells[0], graph[0], cpu[0]) == ("gpu", "gpu", "cpu") and cells[1] == graph[1] == cpu[1]
    for a, b, c in zip(*ends, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(b, c, rtol=1e-4, atol=1e-6)


def test_train_ch6_takes_the_steps_that_the_cell_takes(capsys):
    """The cell by hand on one tape, the function on the engine's fastest step: equal to rounding."""
    ends = []
    for train_cell in (TRAIN, "train_ch6 = d2l.train_ch6"):
        names = typed(
            "torch.manual_seed(3)", LENET, "train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=50)",
            EVALUATE, train_cell, "train_ch6(net, train_iter, test_iter, 1, 0.9, torch.device('cpu'))",
        )  # fmt: skip
        ends.append([p.numpy() for p in names["net"].parameters()])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    first, second = capsys.readouterr().out.split("training on cpu\n")[1:]
    assert first.splitlines()[0] == second.splitlines()[0]


def test_train_ch6_gives_the_bits_of_the_engines_own_loop(few_images, lenet):
    """What examples/lenet_fashion.py does, with a tensor made in between, which must not matter."""
    train_set, test_set = few_images
    loaders = d2l.load_data_fashion_mnist(batch_size=64)
    tinycnn.rand(size=(1, 1, 28, 28))
    next(iter(loaders[0]))
    d2l.train_ch6(lenet, *loaders, num_epochs=2, lr=0.9, device="cpu")

    tinycnn.manual_seed(0)
    net = tinycnn.models.LeNet()
    batches = Batches(train_set.images, train_set.labels, 64)
    test_batches = Batches(test_set.images, test_set.labels, 64, shuffle=False)
    with make_step(net, nn.CrossEntropyLoss(), SGD(net.parameters(), lr=0.9)) as step:
        train(step, batches, test_batches, 2)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(lenet.parameters(), net.parameters(), strict=True))


def test_train_ch6_draws_the_chapters_curves(lenet, out, capsys, monkeypatch):
    animators = []
    monkeypatch.setattr(training, "Animator", lambda **o: animators.append(d2l.Animator(**o)) or animators[-1])
    d2l.train_ch6(lenet, *d2l.load_data_fashion_mnist(batch_size=20), num_epochs=2, lr=0.5, device="cpu")
    (animator,) = animators
    assert animator.X[0] == animator.X[1] == pytest.approx([k / 5 for k in range(1, 11)]) and animator.X[2] == [1, 2]
    assert animator.dressing[0] == "epoch" and animator.dressing[2] == [1, 2]
    assert (out / "animator.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr()
    assert f"train acc {animator.Y[1][-1]:.3f}, test acc {animator.Y[2][-1]:.3f}" in printed.out
    assert "animator.png" in printed.err and "animator.png" not in printed.out


@pytest.mark.parametrize("kind", ["list", "generator", "Batches"])
def test_what_train_ch6_trains_on(kind, lenet, few_images):
    x, y = scale(few_images[0].images[:20]), few_images[0].labels[:20]
    given = {
        "list": [(Tensor(x[:10]), Tensor(y[:10])), (Tensor(x[10:]), Tensor(y[10:]))],
        "generator": iter(()),
        "Batches": Batches(x, y, 10, shuffle=False),
    }[kind]
    if kind == "generator":
        with pytest.raises(TypeError, match=r"d2l: expected a DataLoader or a list of batches .* by list\(\.\.\.\)"):
            d2l.train_ch6(lenet, given, given, 1, 0.1, "cpu")
        return
    d2l.train_ch6(lenet, given, given, 1, 0.1, "cpu")
    with pytest.raises(ValueError, match=r"d2l: batches of \[1, 2\] examples, expected one size for all"):
        d2l.evaluate_accuracy(lenet, [(Tensor(x[:n]), Tensor(y[:n])) for n in (1, 2)])
    assert d2l.evaluate_accuracy(lenet, given) == evaluate(lenet, Batches(x, y, 10, shuffle=False))[1]


def test_evaluation_lets_dropout_pass_and_leaves_the_modes_as_they_were(few_images):
    tinycnn.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Dropout(1.0), nn.Linear(784, 10))  # in training all is dropped
    net[2].eval()
    loader = d2l.load_data_fashion_mnist(batch_size=50)[1]
    expected = evaluate(nn.Sequential(net[0], net[2]), loader.batches)[1]
    assert d2l.evaluate_accuracy(net, loader) == expected != np.mean(few_images[1].labels == 0)
    assert [m.training for m in net] == [True, True, False]


# Softmax regression from scratch


def test_the_softmax_cells_run_as_typed_and_learn(out, capsys):
    names = typed("torch.manual_seed(0)", SOFTMAX)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["tensor([0.1, 0.5])", "tensor([2.3026, 0.6931])", "0.5"]
    assert names["before"] < 0.4 and names["after"] > 0.5
    assert names["W"].is_leaf and names["W"].requires_grad and (out / "animator.png").exists()


def test_train_ch3_by_hand_agrees_with_the_same_steps_by_the_engine(few_images):
    """A Module with an Optimizer goes by the engine's step, the same net as a function with sgd by hand."""
    tinycnn.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    W, b = (p.clone().detach().requires_grad_() for p in net.parameters())
    loss = nn.CrossEntropyLoss(reduction="none")
    loaders = d2l.load_data_fashion_mnist(batch_size=64)  # 300 = 4 * 64 + 44: the last batch is smaller
    d2l.train_ch3(net, *loaders, loss, 2, tinycnn.optim.SGD(net.parameters(), lr=0.1))

    def plain(X):
        return X.reshape(-1, 784) @ W.t() + b

    loaders = d2l.load_data_fashion_mnist(batch_size=64)
    d2l.train_ch3(plain, *loaders, loss, 2, lambda batch_size: d2l.sgd([W, b], 0.1, batch_size))
    for ours, byhand in zip(net.parameters(), (W, b), strict=True):
        np.testing.assert_allclose(ours.numpy(), byhand.numpy(), rtol=1e-3, atol=1e-5)
    assert d2l.evaluate_accuracy(net, loaders[1]) == d2l.evaluate_accuracy(plain, loaders[1])


def test_train_epoch_ch3_goes_on_with_the_next_epochs_order():
    def trained(epochs):
        tinycnn.manual_seed(1)
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        loaders, optimizer = d2l.load_data_fashion_mnist(batch_size=50), tinycnn.optim.SGD(net.parameters(), lr=0.1)
        if epochs:
            found = [d2l.train_epoch_ch3(net, loaders[0], nn.CrossEntropyLoss(), optimizer) for _ in range(epochs)]
            assert found[1][0] < found[0][0] and all(0 <= acc <= 1 for _, acc in found)
        else:
            d2l.train_ch3(net, *loaders, nn.CrossEntropyLoss(), 2, optimizer)
        return [p.numpy() for p in net.parameters()]

    assert all(np.array_equal(a, b) for a, b in zip(trained(2), trained(0), strict=True))


def test_a_second_run_on_the_same_images_has_orders_of_its_own(fake_cupy):
    """On either device: one run of two epochs is two of one."""
    ends = []

    def loss(y_hat, y):
        return F.cross_entropy(y_hat, y, reduction="none")

    for device, runs in (("cpu", [2]), ("cpu", [1, 1]), ("gpu", [1, 1])):
        tinycnn.manual_seed(1)
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(device)
        loaders, optimizer = d2l.load_data_fashion_mnist(batch_size=50), tinycnn.optim.SGD(net.parameters(), lr=0.1)
        for epochs in runs:
            d2l.train_ch3(net, *loaders, loss, epochs, optimizer)
        ends.append(net[1].weight.numpy())
    np.testing.assert_array_equal(ends[0], ends[1])
    np.testing.assert_allclose(ends[0], ends[2], rtol=1e-4, atol=1e-6)


def test_a_net_of_which_nothing_can_learn_is_refused():
    loader, _ = d2l.load_data_fashion_mnist(batch_size=50)
    with pytest.raises(ValueError, match="train_ch3: the net's result depends on no tensor with requires_grad=True"):
        d2l.train_ch3(lambda X: X.reshape(-1, 784), loader, loader, nn.CrossEntropyLoss(), 1, lambda n: None)


def test_a_loss_that_is_no_number_is_found_by_hand_too():
    W = tinycnn.zeros(784, 10, requires_grad=True)
    loader, _ = d2l.load_data_fashion_mnist(batch_size=50)

    def broken(X):
        return (X.reshape(-1, 784) @ W) * math.inf

    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="the loss is nan"):
        d2l.train_ch3(broken, loader, loader, nn.CrossEntropyLoss(), 1, lambda n: d2l.sgd([W], 0.1, n))


# The TensorFlow cell


def test_train_callback_draws_by_the_epoch_and_prints_at_the_end(lenet, capsys):
    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=100)
    callback = d2l.TrainCallback(lenet, train_iter, test_iter, 2, "cpu")
    with make_step(lenet, nn.CrossEntropyLoss(), SGD(lenet.parameters(), lr=0.5), "plain") as step:
        run = train(step, train_iter.batches, test_iter.batches, 2, [callback])
    assert callback.animator.X == [[1, 2]] * 3 and len(callback.timer.times) == 2
    result, speed = capsys.readouterr().out.splitlines()
    assert result.startswith(f"loss {run.result.train_loss:.3f}, train acc {run.result.train_acc:.3f}, test acc")
    assert re.fullmatch(r"\d+\.\d examples/sec on cpu", speed)


def test_a_loader_of_floats_trains_as_well(lenet, few_images):
    loader = DataLoader(TensorDataset(scale(few_images[0].images), few_images[0].labels), 100, shuffle=True)
    d2l.train_ch6(lenet, loader, loader, 1, 0.9)
    assert 0 <= d2l.evaluate_accuracy_gpu(lenet, loader, "cpu") <= 1
