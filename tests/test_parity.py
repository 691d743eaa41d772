"""From the same weights and batches, training follows PyTorch's, number by number."""

import numpy as np
import pytest

import tinycnn
from tinycnn import nn
from tinycnn.models import VGG, LeNet, ResNet
from tinycnn.optim import SGD, Adam, AdamW, OneCycleLR

torch = pytest.importorskip("torch")

VARIANTS = {  # LeNet's arguments, SGD's arguments, steps
    "chapter": ({}, {"lr": 0.9}, 50),
    "relu, max pooling": ({"activation": "relu", "pool": "max"}, {"lr": 0.05}, 15),
    "momentum": ({"activation": "tanh"}, {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}, 15),
    "nesterov": (
        {"channels": (4, 8, 12), "same_padding": True, "pool": "max", "hidden": (30,)},
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 1e-2, "nesterov": True},
        15,
    ),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Nets this small are no work to share; with other tests beside them, PyTorch's threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def torch_twin(net, dtype):
    """The same layers in PyTorch, with the same weights, through state_dict."""
    twin = torch.nn.Sequential()
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            twin.append(
                torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding)
            )
        elif isinstance(layer, nn.Linear):
            twin.append(torch.nn.Linear(layer.in_features, layer.out_features))
        elif isinstance(layer, (nn.AvgPool2d, nn.MaxPool2d)):
            twin.append(getattr(torch.nn, type(layer).__name__)(layer.kernel_size, layer.stride))
        else:
            twin.append(getattr(torch.nn, type(layer).__name__)())
    twin.load_state_dict({name: torch.from_numpy(array) for name, array in net.state_dict().items()}, strict=True)
    return twin.to(dtype)


def batches(rng, steps, dtype):
    """Images that a net can tell apart, a little: each class brightens its own rows."""
    for _ in range(steps):
        labels = rng.integers(0, 10, 32)
        images = rng.uniform(0, 1, (32, 1, 28, 28))
        images[np.arange(32)[:, None], 0, labels[:, None] * 2 + [3, 4]] += 1
        yield images.astype(dtype), labels


def train_both(variant, dtype, rng):
    """Both losses of every step (steps, 2), and both nets' parameters at the end, by name."""
    arguments, options, steps = VARIANTS[variant]
    tinycnn.manual_seed(int(rng.integers(1000)))
    net = LeNet(**arguments).to(dtype)
    twin = torch_twin(net, getattr(torch, dtype))
    ours, theirs = SGD(net.parameters(), **options), torch.optim.SGD(twin.parameters(), **options)
    loss, torch_loss = nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    losses = []
    for images, labels in batches(rng, steps, dtype):
        ours.zero_grad()
        a = loss(net(tinycnn.tensor(images)), labels)
        a.backward()
        ours.step()
        theirs.zero_grad()
        b = torch_loss(twin(torch.from_numpy(images)), torch.from_numpy(labels))
        b.backward()
        theirs.step()
        losses.append((a.item(), b.item()))
    parameters = {
        name: (p.numpy(), q.detach().numpy())
        for (name, p), q in zip(net.named_parameters(), twin.parameters(), strict=True)
    }
    return np.array(losses), parameters


def assert_followed(losses, parameters, tolerance):
    """Losses relative to each loss, parameters relative to the largest number of each tensor."""
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=tolerance, atol=0)
    for name, (ours, theirs) in parameters.items():
        assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max(), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_follows_torch_in_float64(variant, rng):
    losses, parameters = train_both(variant, "float64", rng)
    assert np.ptp(losses[:, 0]) > 0.01, "nothing was learnt, so nothing was compared"
    assert_followed(losses, parameters, 1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_follows_torch_in_float32(variant, rng):
    losses, parameters = train_both(variant, "float32", rng)
    assert all(ours.dtype == np.float32 for ours, _ in parameters.values())
    kinked = "relu" in variant or "pool" in VARIANTS[variant][0]  # there a rounding can send a gradient elsewhere
    assert_followed(losses, parameters, 0.1 if kinked else 1e-4)


def test_weights_travel_both_ways(rng):
    images = rng.uniform(0, 1, (4, 1, 28, 28)).astype(np.float32)
    net = LeNet()
    twin = torch_twin(LeNet(), torch.float32)  # other weights
    net.load_state_dict(twin.state_dict())
    expected = twin(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(net(tinycnn.tensor(images)).numpy(), expected, rtol=1e-5, atol=1e-5)
    net.load_state_dict(dict(twin.named_parameters()))  # they require gradients, which is no reason to refuse them
    other = LeNet()
    twin.load_state_dict({name: torch.from_numpy(array) for name, array in other.state_dict().items()}, strict=True)
    expected = other(tinycnn.tensor(images)).numpy()
    np.testing.assert_allclose(twin(torch.from_numpy(images)).detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_torchs_half_precision_is_refused_by_name_where_numpy_has_no_such_thing():
    net = nn.Sequential(nn.Linear(2, 1))
    state = {"0.weight": torch.zeros(1, 2, dtype=torch.bfloat16), "0.bias": torch.zeros(1, dtype=torch.float16)}
    with pytest.raises(ValueError, match="1 entry does not fit; nothing was changed\n  0.weight: .*BFloat16"):
        net.load_state_dict(state)


def test_layers_print_as_torchs():
    for ours, theirs in [
        (nn.Conv2d(1, 6, 5, padding=2), torch.nn.Conv2d(1, 6, 5, padding=2)),
        (nn.Conv2d(4, 6, (3, 2), 2, 1, 2, 2, False), torch.nn.Conv2d(4, 6, (3, 2), 2, 1, 2, 2, False)),
        (nn.Linear(3, 2), torch.nn.Linear(3, 2)),
        (nn.AvgPool2d(2), torch.nn.AvgPool2d(2)),
        (nn.AdaptiveAvgPool2d((1, None)), torch.nn.AdaptiveAvgPool2d((1, None))),
        (nn.GELU("tanh"), torch.nn.GELU("tanh")),
        (nn.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
        (nn.Sequential(nn.SiLU(), nn.Identity()), torch.nn.Sequential(torch.nn.SiLU(), torch.nn.Identity())),
        (nn.MaxPool2d((3, 2), 2, 1), torch.nn.MaxPool2d((3, 2), 2, 1)),
        (
            nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())),
            torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Tanh())),
        ),
    ]:
        assert repr(ours) == repr(theirs)


# Deeper nets, other optimisers


def torch_layer(layer):
    """The same layer in PyTorch, those inside included."""
    kind = getattr(torch.nn, type(layer).__name__, None)
    if isinstance(layer, nn.Residual):
        return TorchResidual(torch_layer(layer.body), torch_layer(layer.shortcut))
    if isinstance(layer, nn.Sequential):
        return torch.nn.Sequential(*map(torch_layer, layer))
    if isinstance(layer, nn.Conv2d):
        options = layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups, layer.bias is not None
        return kind(layer.in_channels, layer.out_channels, *options)
    if isinstance(layer, nn.Linear):
        return kind(layer.in_features, layer.out_features)
    if isinstance(layer, nn.BatchNorm2d):
        return kind(layer.num_features)
    if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
        return kind(layer.kernel_size, layer.stride)
    return kind(layer.output_size) if isinstance(layer, nn.AdaptiveAvgPool2d) else kind()


class TorchResidual(torch.nn.Module):
    def __init__(self, body, shortcut):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


NETS = {
    "ResNet": lambda: ResNet(channels=(3, 4), blocks=1, activation="silu"),
    "VGG": lambda: VGG(channels=(3, 4), convolutions=1, activation="gelu"),
    "LeNet": lambda: LeNet(channels=(3, 4), batch_norm=True, activation="tanh", hidden=(10,)),
}
OPTIMISERS = {
    "Adam": (Adam, {"lr": 0.01, "weight_decay": 0.01}),
    "AdamW": (AdamW, {"lr": 0.01}),
    "SGD, one cycle": (SGD, {"lr": 0.01, "momentum": 0.9}),
}


@pytest.mark.parametrize("rule", OPTIMISERS)
@pytest.mark.parametrize("name", NETS)
def test_thirty_steps_of_deeper_nets_follow_torch(name, rule, rng):
    steps, (kind, options) = 30, OPTIMISERS[rule]
    tinycnn.manual_seed(int(rng.integers(1000)))
    net = NETS[name]().double()
    twin = torch_layer(net).double()
    twin.load_state_dict({key: torch.from_numpy(array) for key, array in net.state_dict().items()}, strict=True)
    ours, theirs = kind(net.parameters(), **options), getattr(torch.optim, kind.__name__)(twin.parameters(), **options)
    schedules = []
    if kind is SGD:
        schedules = [OneCycleLR(ours, 0.05, steps), torch.optim.lr_scheduler.OneCycleLR(theirs, 0.05, steps)]
    losses = []
    for images, labels in batches(rng, steps, "float64"):
        ours.zero_grad()
        a = nn.CrossEntropyLoss()(net(tinycnn.tensor(images)), labels)
        a.backward()
        ours.step()
        theirs.zero_grad()
        b = torch.nn.CrossEntropyLoss()(twin(torch.from_numpy(images)), torch.from_numpy(labels))
        b.backward()
        theirs.step()
        for schedule in schedules:
            schedule.step()
        losses.append((a.item(), b.item()))
    losses, state = np.array(losses), twin.state_dict()
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-8)
    assert np.ptp(losses[:, 0]) > 0.01, "nothing was learnt, so nothing was compared"
    for key, array in net.state_dict().items():
        np.testing.assert_allclose(array, state[key].numpy(), rtol=1e-7, atol=1e-8, err_msg=key)
