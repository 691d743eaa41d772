import json
import os
import random as dice
import re
import sys

import numpy as np
import pytest

import tinycnn
from tinycnn import checkpoint, manual_seed, nn
from tinycnn import random as engine_random
from tinycnn.checkpoint import CheckpointError, load, load_tensors, save
from tinycnn.models import VGG, LeNet, ResNet
from tinycnn.optim import SGD, AdamW, CosineAnnealingLR, OneCycleLR, StepLR

safetensors_numpy = pytest.importorskip("safetensors.numpy")

SMALL = {"image_size": 8, "channels": [2, 3], "kernel_size": 3, "hidden": [5], "num_classes": 4, "same_padding": True}


def trained(momentum=0.9, **config):
    """A small LeNet and its optimiser after a step."""
    net = LeNet(**{**SMALL, **config})
    optimizer = SGD(net.parameters(), lr=0.3, momentum=momentum)
    x = tinycnn.tensor(np.linspace(-1, 1, 6 * 64, dtype=np.float32).reshape(6, 1, 8, 8))
    net(x).sum().backward()
    optimizer.step()
    return net, optimizer


def same(one, two):
    return list(one) == list(two) and all(one[k].dtype == two[k].dtype and (one[k] == two[k]).all() for k in one)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


# What is saved comes back


def test_everything_comes_back(path):
    manual_seed(3)
    net, optimizer = trained()
    schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    for _ in range(3):
        schedule.step()
    engine_random.rows(2, 3)
    engine_random.generator().random(7)
    save(path, net, optimizer, schedule, {"epoch": 3, "words": ["ä", None, 1e-300]})
    expected = engine_random.rows(4, 4), engine_random.generator().random(4)

    manual_seed(8)
    other, its_optimizer = trained()
    its_schedule = StepLR(its_optimizer, step_size=1)
    saved = load(path)
    saved.restore(other, its_optimizer, its_schedule)
    assert same(other.state_dict(), net.state_dict())
    assert same({k: v for k, v in its_optimizer.state_dict().items() if "buffer" in k},
                {k: v for k, v in optimizer.state_dict().items() if "buffer" in k})  # fmt: skip
    assert (its_optimizer.lr, its_optimizer.momentum) == (optimizer.lr, 0.9) == (0.15, 0.9)
    assert its_schedule.state_dict() == schedule.state_dict()
    assert (engine_random.rows(4, 4) == expected[0]).all() and (
        engine_random.generator().random(4) == expected[1]
    ).all()
    assert saved.about == {"epoch": 3, "words": ["ä", None, 1e-300]}
    assert saved.engine == tinycnn.__version__ and saved.path == path


def test_a_net_can_be_built_from_the_file(path):
    net, _ = trained(activation="tanh", pool="max", dropout=0.25)
    save(path, net)
    built = load(path).build()
    assert built.config == net.config and repr(built) == repr(net)
    assert same(built.state_dict(), net.state_dict())


def deeper():
    return [
        LeNet(**SMALL, batch_norm=True),
        VGG(in_channels=3, channels=(2, 4), convolutions=1),
        ResNet(in_channels=3, channels=(2, 4), blocks=2, activation="gelu"),
    ]


@pytest.mark.parametrize("net", deeper(), ids=lambda net: type(net).__name__)
def test_deeper_nets_can_be_built_and_go_on_to_the_same_bits(path, net, rng):
    x, y = rng.normal(size=(6, net.config["in_channels"], 8, 8)).astype(np.float32), rng.integers(0, 4, 6)

    def learn(net, optimizer, schedule):
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(net(tinycnn.tensor(x)), y).backward()
        optimizer.step()
        schedule.step()

    optimizer = AdamW(net.parameters())
    schedule = OneCycleLR(optimizer, 0.1, total_steps=9)
    for _ in range(2):
        learn(net, optimizer, schedule)
    save(path, net, optimizer, schedule)
    saved = load(path)
    built = saved.build()
    its_optimizer = AdamW(built.parameters(), lr=1)
    its_schedule = OneCycleLR(its_optimizer, 1.0, total_steps=4)
    saved.restore(built, its_optimizer, its_schedule)
    assert built.config == net.config and same(built.state_dict(), net.state_dict())
    for _ in range(2):
        learn(net, optimizer, schedule)
        learn(built, its_optimizer, its_schedule)
    assert same(built.state_dict(), net.state_dict())


@pytest.mark.parametrize(
    "change",
    [{"channels": [100_000, 100_000]}, {"channels": [2] * 10_000}, {"blocks": 10**9}, {"num_classes": 10**12}],
    ids=str,
)
def test_a_configuration_that_is_not_the_tensors_takes_no_memory(path, change):
    net = ResNet(channels=(2, 4), blocks=1)
    net.config = {**net.config, **change}
    save(path, net)
    with pytest.raises(CheckpointError, match="entry 'model': "):
        load(path).build()


@pytest.mark.parametrize("config", [{}, {"channels": []}, {"hidden": []}, {"channels": [4], "same_padding": False}])
def test_every_shape_of_lenet_can_be_built(path, config):
    net, _ = trained(**config)
    save(path, net)
    drawn = engine_random.generator().bit_generator.state
    assert load(path).build().config == net.config
    assert engine_random.generator().bit_generator.state == drawn, "what is about to be loaded is not drawn first"


def test_float64_stays_float64(path):
    net, _ = trained()
    net.double()
    save(path, net)
    built = load(path).build()
    assert next(built.parameters()).dtype == np.float64 and same(built.state_dict(), net.state_dict())


def test_an_optimizer_that_has_not_stepped(path):
    net = LeNet(**SMALL)
    save(path, net, SGD(net.parameters(), lr=0.1, momentum=0.5))
    other, optimizer = trained(momentum=0.9)
    load(path).restore(other, optimizer)
    assert optimizer.momentum == 0.5 and optimizer.momentum_buffers == [None] * 8


def test_names_and_shapes_are_pytorchs(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    save(path, LeNet())
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Sigmoid(), torch.nn.AvgPool2d(2),
        torch.nn.Conv2d(6, 16, 5), torch.nn.Sigmoid(), torch.nn.AvgPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(400, 120), torch.nn.Sigmoid(),
        torch.nn.Linear(120, 84), torch.nn.Sigmoid(), torch.nn.Linear(84, 10),
    )  # fmt: skip
    net.load_state_dict(load_file(path), strict=True)
    assert (net[3].weight.detach().numpy() == load(path).state_dict["3.weight"]).all()


def test_a_model_of_ones_own_is_restored_not_built(path):
    net, other = nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2))
    save(path, net)
    load(path).restore(other)
    assert same(other.state_dict(), net.state_dict())
    with pytest.raises(CheckpointError, match="holds a Sequential, and only LeNet, VGG, ResNet can be built"):
        load(path).build()


def test_nothing_is_unpickled():
    text = (checkpoint.__spec__.loader).get_source("tinycnn.checkpoint")
    assert "import pickle" not in text and "allow_pickle" not in text and "eval(" not in text and "exec(" not in text


# What does not fit is refused, with its name


def test_another_model(path):
    save(path, trained()[0])
    other, _ = trained(hidden=[6])
    before = other.state_dict()
    with pytest.raises(
        CheckpointError, match=r"net.safetensors: entry 'model': (.|\n)*7.weight: has shape \(5, 12\), expected"
    ):
        load(path).restore(other)
    assert same(other.state_dict(), before)


def test_another_dtype(path):
    save(path, trained()[0].double())
    with pytest.raises(CheckpointError, match="entry '0.weight' holds float64, the model has float32; convert it with"):
        load(path).restore(trained()[0])


def test_an_integer_where_a_weight_should_be(path):
    rewrite(path, tensors=lambda tensors: tensors | {"0.weight": tensors["0.weight"].astype(np.int32)})
    with pytest.raises(CheckpointError, match="entry '0.weight' holds int32, the model has float32"):
        load(path).restore(trained()[0])
    with pytest.raises(CheckpointError, match="net.safetensors: entry "):
        load(path).build()


def test_a_weight_that_is_not_finite(path):
    net, _ = trained()
    net[0].weight.data[0, 0, 0, 0] = np.nan
    save(path, net)
    with pytest.raises(CheckpointError, match="entry 'model'(.|\n)*0.weight: 1 of 18 numbers are not finite"):
        load(path).restore(trained()[0])


def test_another_optimizer(path):
    net, optimizer = trained(momentum=0)
    save(path, net)
    with pytest.raises(CheckpointError, match="entry 'optimizer': .* lr, momentum, .* missing"):
        load(path).restore(net, optimizer)
    with pytest.raises(CheckpointError, match="entry 'schedule' is None, expected StepLR"):
        load(path).restore(net, schedule=StepLR(optimizer, 1))
    save(path, net, schedule=CosineAnnealingLR(optimizer, 3))
    with pytest.raises(CheckpointError, match="entry 'schedule' is CosineAnnealingLR, expected StepLR"):
        load(path).restore(net, schedule=StepLR(optimizer, 1))


def test_a_model_with_a_name_that_is_taken(path):
    net = nn.Sequential({"optimizer": nn.Linear(2, 2)})
    with pytest.raises(ValueError, match="save: the model has a parameter 'optimizer.weight'"):
        save(path, net)
    assert not path.exists()


def test_files_of_others(path):
    path.write_bytes(safetensors_numpy.save({"0.weight": np.ones((2, 2), np.float32)}, {"format": "pt"}))
    with pytest.raises(CheckpointError, match="net.safetensors: a safetensors file, but not a checkpoint of tinycnn"):
        load(path)
    assert load_tensors(path)[0]["0.weight"].tolist() == [[1, 1], [1, 1]]
    for content in (b"", b"PK\x03\x04 a zip, as PyTorch writes it" * 9, os.urandom(1000), b"\xff" * 8, b"\0" * 100):
        path.write_bytes(content)
        with pytest.raises(
            CheckpointError,
            match="net.safetensors: (not a safetensors file, or damaged|a pickle, as torch.save writes it)",
        ):
            load(path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(path.with_name("nowhere"))


def rewrite(path, text=lambda text: text, tensors=lambda tensors: tensors):
    """A checkpoint with other content and the right digest: what somebody could write on purpose."""
    save(path, *trained())
    arrays, metadata = load_tensors(path)
    arrays, changed = tensors(dict(arrays)), text(metadata["tinycnn"])
    metadata = {"tinycnn": changed, "sha256": checkpoint._digest(changed, arrays)}
    path.write_bytes(safetensors_numpy.save(arrays, metadata))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lambda text: text[:-1], "entry 'tinycnn' is not what tinycnn writes .*JSONDecodeError"),
        (lambda text: "[1]", "entry 'tinycnn' is not what"),
        (lambda text: "[" * 100_000, "entry 'tinycnn' is not what tinycnn writes .*RecursionError"),
        (lambda text: text.replace('"random"', '"chance"'), "entry 'tinycnn' is not what tinycnn writes .*random"),
        (lambda text: text.replace('"model": {', '"model": 3, "was": {'), "entry 'tinycnn' is not .*model is a int"),
        (lambda text: text.replace('"about": {', '"about": [], "was": {'), "entry 'tinycnn' is not .*about is a list"),
        (lambda text: re.sub('"engine": "[^"]*"', '"engine": 1', text), "entry 'tinycnn' is not .*engine is a int"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "layout 2, written by tinycnn .* update tinycnn"),
        (lambda text: text + " " * 2**25, "entry 'tinycnn' has 33,5.* characters, expected up to 33,554,432"),
    ],
)
def test_texts_that_are_wrong_on_purpose(path, text, words):
    rewrite(path, text)
    with pytest.raises(CheckpointError, match=f"net.safetensors: {words}"):
        load(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"image_size": 8', '"image_size": 100000'),
        ('"channels": [2, 3]', '"channels": [2, 3000000]'),
        ('"channels": [2, 3]', '"channels": [3, 2]'),
        ('"channels": [2, 3]', '"channels": "23"'),
        ('"hidden": [5]', '"hidden": [5, 5]'),
        ('"hidden": [5]', '"hidden": null'),
        ('"num_classes": 4', '"num_classes": 1000000000'),
        ('"in_channels": 1', '"in_channels": 1000000000'),
        ('"kernel_size": 3', '"kernel_size": 0.5'),
        ('"activation": "sigmoid"', '"activation": "exec"'),
        ('"dropout": 0.0', '"dropout": "all"'),
        ('"dropout": 0.0', '"dropout": 0.0, "more": 1'),
    ],
)
def test_a_configuration_that_is_not_the_tensors(path, before, after):
    rewrite(path, lambda text: text.replace(before, after))
    with pytest.raises(CheckpointError, match="net.safetensors: entry 'model': "):
        load(path).build()


def test_a_net_for_pictures_of_any_size_is_refused_before_it_takes_memory(path):
    """Poolings and few features make a small file of a net that wants huge images."""
    config = {"channels": [1] * 6, "image_size": 64, "kernel_size": 1, "hidden": [], "num_classes": 2}
    net = LeNet(**config)
    save(path, net)
    assert load(path).build().config["image_size"] == 64
    for name, array in {"18.weight": np.zeros((2, 21**2 * 100), np.float32)}.items():
        save_as(path, net, {name: array}, lambda text: text.replace('"image_size": 64', '"image_size": 13440'))
    with pytest.raises(CheckpointError, match=r"entry 'model': image_size is 13440, expected 1 to 1024"):
        load(path).build()


def save_as(path, net, arrays, change):
    """A checkpoint of a net with some other tensors and another text, and the right digest."""
    save(path, net)
    tensors, metadata = load_tensors(path)
    tensors |= arrays
    text = change(metadata["tinycnn"])
    path.write_bytes(safetensors_numpy.save(tensors, {"tinycnn": text, "sha256": checkpoint._digest(text, tensors)}))


def test_text_in_a_file_does_nothing_to_a_terminal(path):
    rewrite(path, lambda text: text.replace('"LeNet"', '"\\u001b]0;owned\\u0007"'))
    with pytest.raises(CheckpointError, match=r"holds a \\x1b\]0;owned\\x07, and only LeNet") as caught:
        load(path).build()
    assert "\x1b" not in str(caught.value)


def test_brain_floats_are_refused_by_name(path):
    entry = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    header = json.dumps({"0.weight": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    with pytest.raises(CheckpointError, match=r"entry '0.weight' holds BF16, which NumPy .* convert it to F32"):
        load_tensors(path)


def test_an_optimizer_that_cannot_be_saved(path):
    class Own:
        pass

    with pytest.raises(TypeError, match=r"save: Own has no state_dict\(\) to save"):
        save(path, LeNet(**SMALL), Own())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"rows": [', '"rows": [1, '),
        ('"bit_generator": "PCG64"', '"bit_generator": "MT19937"'),
        ('"inc": ', '"ink": '),
    ],
)
def test_random_numbers_of_another_kind(path, before, after):
    rewrite(path, lambda text: text.replace(before, after))
    with pytest.raises(CheckpointError, match="net.safetensors: entry 'random': "):
        load(path).restore(*trained())


# Damage


WORDS = [  # in the header, and what they become
    *((b"F32", b"F64"), (b"F32", b"I32"), (b"F32", b"BF16"), (b"[", b"[-"), (b"0", b"9"), (b"shape", b"shade")),
    *((b"0.weight", b"3.weight"), (b"1", b"1" + b"0" * 18), (b":[", b":[0,"), (b"optimizer.", b"")),
]


def damaged(content, other, roll):
    """One damaged file of many kinds: truncated, bits flipped, pieces swapped, cut out or doubled, another's header."""
    header = 8 + int.from_bytes(content[:8], "little")
    place, broken = roll.randrange(len(content)), bytearray(content)
    match roll.randrange(7):
        case 0:
            return content[:place]
        case 1:
            for _ in range(roll.choice([1, 1, 1, 8])):
                where = roll.choice([roll.randrange(len(content)), roll.randrange(header), roll.randrange(8)])
                broken[where] ^= 1 << roll.randrange(8)
        case 2:
            length = roll.randrange(1, 64)
            broken[place : place + length] = roll.randbytes(length)
        case 3:
            del broken[place : place + roll.randrange(1, 64)]
        case 4:
            broken[place:place] = broken[place : place + roll.randrange(1, 64)]
        case 5:
            theirs = 8 + int.from_bytes(other[:8], "little")
            return other[:theirs] + content[header:]
        case 6:
            old, new = roll.choice(WORDS)
            return content[:8] + content[8:header].replace(old, new, roll.choice([1, -1])) + content[header:]
    return bytes(broken)


@pytest.mark.parametrize("files", [pytest.param(250), pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_load_as_they_were(path, files, rng, memory_limit):
    manual_seed(1)
    save(path, *trained(), about={"epoch": 1})
    content, whole = path.read_bytes(), load(path)
    save(path, *trained(hidden=[7]), about={"epoch": 2})
    other = path.read_bytes()
    roll, refused = dice.Random(int(rng.integers(1 << 30))), 0
    for _ in range(files):
        path.write_bytes(damaged(content, other, roll))
        try:
            found = load(path)
        except CheckpointError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
        else:
            assert same(found.tensors, whole.tensors)
            assert (found.about, found.model, found.optimizer) == (whole.about, whole.model, whole.optimizer)
            assert same(found.build().state_dict(), whole.state_dict)
    assert files * 0.8 < refused <= files


@pytest.fixture
def memory_limit():
    """Within the test, the process may not take 1 GB more than it has; where the system cannot say so, whatever."""
    resource = pytest.importorskip("resource")
    usual = resource.getrlimit(resource.RLIMIT_AS)
    now = _address_space()
    if now is not None:
        resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, usual)


def _address_space():
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


@pytest.mark.parametrize("share", [pytest.param(0.02), pytest.param(1.0, marks=pytest.mark.slow)])
def test_every_single_bit_counts(path, share, rng):
    """Flip one bit of a small file: none of these files loads as something else."""
    save(path, nn.Sequential(nn.Linear(1, 1)))
    content, whole, harmless = path.read_bytes(), load(path), 0
    for bit in np.flatnonzero(rng.random(8 * len(content)) < share):
        broken = bytearray(content)
        broken[bit // 8] ^= 1 << int(bit % 8)
        path.write_bytes(broken)
        try:
            found = load(path)
        except CheckpointError:
            continue
        assert same(found.tensors, whole.tensors) and found.about == whole.about and found.random == whole.random
        harmless += 1
    assert harmless < 20  # spaces that may as well be other white space


def test_without_safetensors(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(RuntimeError, match=r'safetensors is not installed; pip install "tinycnn\[io\]"'):
        save(path, nn.Linear(2, 2))


def test_the_digest_knows_shapes():
    """The same bytes in another shape are another checkpoint."""
    x = np.arange(6.0)
    assert checkpoint._digest("", {"x": x}) != checkpoint._digest("", {"x": x.reshape(2, 3)})
