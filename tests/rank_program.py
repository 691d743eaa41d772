"""What ranks do in tests: `mpiexec -n 2 python rank_program.py NAME ARGUMENTS` runs one function of this file.

The same functions, run with another strategy in the test's own process, say what is to come out.
"""

import dataclasses
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import fake_nccl
import numpy as np

from tinycnn import cli, nn, optim, random
from tinycnn.backend import to_device
from tinycnn.checkpoint import load
from tinycnn.data import Batches, datasets
from tinycnn.data.idx import idx_header, idx_sha256
from tinycnn.data.sources import TEST_FILES, TRAIN_FILES
from tinycnn.execution import RankError, job, make_step
from tinycnn.execution.teams import links
from tinycnn.execution.teams import world as worlds
from tinycnn.execution.teams.world import world
from tinycnn.functional import cross_entropy
from tinycnn.models import LeNet
from tinycnn.training import Observer, train
from tinycnn.training.resume import Checkpoints, continued

FAULTS = {}  # by rank: what happens there, in which of its parts, counted from 1


class Faulty(nn.Module, per_example=True):
    """Passes on what it gets, until something happens."""

    def __init__(self):
        self.parts = 0

    def forward(self, x):
        self.parts += 1
        for rank, (what, part) in FAULTS.items():
            if self.parts == part and rank in (world().rank, -1):
                print(f"now {time.time()}", file=sys.stderr, flush=True)
                if what == "raise":
                    raise ArithmeticError("it broke here")
                os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[what])
        return x


class Idle(nn.Module, per_example=True):
    """Has a parameter that it does not use."""

    def __init__(self):
        self.idle = nn.Linear(3, 3)

    def forward(self, x):
        return x


def net(dtype=np.float32, dropout=0.0, *layers):
    """A net with all that parts have to get right: odd shapes, groups, dropout, a parameter that is not used."""
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 2, groups=2, bias=False),
        nn.Sigmoid(),
        nn.Dropout(dropout),
        nn.Flatten(),
        *layers,
        Idle(),
        nn.Linear(12, 4),
    ).to(dtype)


def data(rng, n, shape=(2, 6, 8)):
    return rng.integers(0, 256, (n, *shape), dtype=np.uint8), rng.integers(0, 4, n)


def digest(model, optimizer):
    """Every bit that training changes."""
    arrays = [p.numpy() for p in (*model.parameters(), *model.buffers())] + [
        v for k, v in optimizer.state_dict().items() if v is not None
    ]
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()[:16], random.get_state()


def own_loss(logits, y):
    return cross_entropy(logits, y) * 2


CASES = [
    {"n": 21, "micro_batch": 4},  # six parts, the last of one image
    {"n": 40, "dropout": 0.4},
    {"n": 1},  # fewer parts than ranks
    {"n": 3, "micro_batch": 1, "dtype": np.float64},
    {"n": 26, "micro_batch": 2, "loss": {"weight": np.array([1.0, 5.0, 0.25, 2.0], np.float32), "ignore_index": 2}},
    {"n": 70, "lenet": True},  # by stages, which cannot read the other net
    {"n": 200},
    {"n": 24, "own": True},  # whose gradient is held against the whole batch's
    {"n": 21, "micro_batch": 4, "normalised": True},  # by the statistics of all ranks
    {"n": 3, "micro_batch": 2, "normalised": True},  # of which some have none
]
GPU_CASES = [CASES[k] for k in (0, 1, 2, 4, 7)]


def bits(strategy, workers=None, device="cpu", cases=CASES):
    """Of each case, what three steps and an evaluation return, and the bits that they leave behind."""
    found = []
    for case in cases:
        rng = np.random.default_rng(len(found))
        random.manual_seed(5)
        lenet, shape = case.get("lenet"), (1, 28, 28) if case.get("lenet") else (2, 6, 8)
        layers = [nn.BatchNorm1d(12)] * case.get("normalised", False)
        model = LeNet() if lenet else net(case.get("dtype", np.float32), case.get("dropout", 0.0), *layers)
        optimizer = optim.SGD(model.to(device).parameters(), lr=0.1, momentum=0.9)
        if strategy == "ranks" and world().rank:  # the others take over what rank 0 has
            random.manual_seed(world().rank)
            for p in model.parameters():
                p.data += 1
        loss = own_loss if case.get("own") else nn.CrossEntropyLoss(**case.get("loss", {})).to(device)
        with make_step(model, loss, optimizer, strategy, workers, case.get("micro_batch")) as step:
            assert device == "gpu" or (", not stages" in step.description) != bool(lenet)
            batches = [data(rng, case["n"] + (k == 3), shape) for k in range(4)]
            batches = [[to_device(array, device) for array in batch] for batch in batches]
            results = [step(*batch) for batch in batches[:3]] + [step.evaluate(*batches[3])]
            results = [(float(loss_sum), int(correct)) for loss_sum, correct in results]
        found.append([results, digest(model, optimizer)])
    return found


def gpu_bits(link):
    """The bits of some cases on GPUs that talk as they are told to, and what the step says of that."""
    fake_nccl.install(available=link != "memory")
    if link == "nccl":  # each emulated GPU is the only one of its process, and sits where all others sit
        links.gpu_address = lambda: f"0000:{world().rank:02}:00.0"
    model = net().to("gpu")
    with make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "ranks") as step:
        words = step.description.partition(", GPUs ")[2]
    return words, bits("ranks", device="gpu", cases=GPU_CASES)


def epochs(strategy, workers=None):
    """The history of two epochs, and the bits at their end; 75 images in batches of 32, so that the last is smaller."""
    random.manual_seed(1)
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.2)
    images, labels = data(np.random.default_rng(0), 75)
    batches, test = Batches(images, labels, 32, seed=3), Batches(images[:50], labels[:50], 32, shuffle=False)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers) as step:
        run = train(step, batches, test, 2)
    return [str(record) for record in run.history], run.trained, digest(model, optimizer)


def refusals():
    """What is said where rank 1 differs, by what differs."""
    rank, rng = world().rank, np.random.default_rng(0)
    x, y = data(rng, 24)
    random.manual_seed(0)

    def said(dropout=0.0, lr=0.1, micro_batch=None, loss=0.0, use=lambda step: step(x, y), seen=0):
        model = net(np.float32, dropout)
        optimizer = optim.SGD(model.parameters(), lr)
        step = make_step(model, nn.CrossEntropyLoss(label_smoothing=loss), optimizer, "ranks", None, micro_batch)
        try:
            for _ in range(seen):
                step(x, y)
            use(step)
        except RankError as error:
            return str(error)
        finally:
            step.close()
        return "nothing"

    def all_but_one(step):
        return step(x[rank:], y[rank:])

    def one_epoch(batches):
        return lambda step: train(step, batches, Batches(x, y, 8, shuffle=False), 1)

    def drift(step):
        step(x, y)
        step.params[0].data += np.float32(rank * 1e-6)
        step.evaluate_all(Batches(x, y, 8)).__next__()

    other = x.copy()
    other[-1, -1, -1, -1] ^= rank  # one bit of one image
    return {
        "nothing": said(),
        "dropout": said(dropout=0.1 * rank),
        "loss": said(loss=0.1 * rank),
        "lr": said(lr=0.1 + rank),
        "micro_batch": said(micro_batch=4 + rank),
        "batch": said(use=all_but_one),
        "labels": said(use=lambda step: step(x, (y + rank) % 4)),
        "steps": said(seen=rank and 0, use=lambda step: (setattr(step, "steps", rank), step(x, y))),
        "images": said(use=one_epoch(Batches(other, y, 8))),
        "order": said(use=one_epoch(Batches(x, y, 8, seed=rank))),
        "parameters": said(use=drift),
    }


def forks():
    """What becomes of processes, and of auto, once MPI runs."""
    world()
    model = net()
    optimizer = optim.SGD([p for p in model.parameters()], 0.1)
    try:
        make_step(model, nn.CrossEntropyLoss(), optimizer, "processes", 2)
    except RuntimeError as error:
        refused = str(error)
    with make_step(model, nn.CrossEntropyLoss(), optimizer, "auto", 2) as step:
        return refused, step.description


class Pids(Observer):
    """Leaves a file named after this process in a folder, so that it can be seen whether it lives, with how many
    batches it has done."""

    def __init__(self, folder):
        self.file = Path(folder) / str(os.getpid())
        self.file.touch()

    def on_batch(self, run):
        self.file.write_text(str(run.epoch * run.num_batches + run.batch))


class Slow(Observer):
    def __init__(self, seconds):
        self.seconds = seconds

    def on_batch(self, run):
        time.sleep(self.seconds)


def trained(strategy, folder, faults="", pause="0", workers=None):
    """Three epochs with checkpoints in `folder`, which go on from the one that is there; the bits at the end."""
    if faults:
        rank, what, part = faults.split(",")
        FAULTS[int(rank)] = what, int(part)
    path = Path(folder) / "checkpoint.safetensors"
    with job():
        random.manual_seed(1)
        model = net(np.float32, 0.3, Faulty())
        optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
        images, labels = data(np.random.default_rng(0), 75)
        batches, test = Batches(images, labels, 16, seed=3), Batches(images, labels, 32, shuffle=False)
        with make_step(model, nn.CrossEntropyLoss(), optimizer, strategy, workers, 4) as step:
            run = continued(load(path), model, optimizer) if path.exists() else None
            observers = [Pids(folder), Slow(float(pause))]
            if step.leads:
                observers.append(Checkpoints(path, model, optimizer, every=2))
            print("ready", file=sys.stderr, flush=True)
            run = train(step, batches, test, 3, observers, run)
        return run.interrupted, digest(model, optimizer)


def command(folder, *arguments):
    """The command `tinycnn`, where Fashion-MNIST is a handful of images in `folder`."""
    rng, sha256 = np.random.default_rng(0), {}
    Path(folder).mkdir(exist_ok=True)
    for files, count in ((TRAIN_FILES, 200), (TEST_FILES, 40)):
        images, labels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8), rng.integers(0, 10, count).astype("u1")
        for file, array in zip(files, (images, labels), strict=True):
            sha256[file], path = idx_sha256(array), Path(folder) / file
            temporary = path.with_name(f"{file}.{os.getpid()}")  # every rank writes them, and none reads half of one
            temporary.write_bytes(idx_header(array.shape) + array.tobytes())
            temporary.replace(path)
    usual, datasets.FASHION = datasets.FASHION, dataclasses.replace(datasets.FASHION, sha256=sha256, mirrors=())
    try:
        sys.exit(cli.main([*arguments, "--data-dir", str(folder)]))
    finally:
        datasets.FASHION = usual


def without_one(folder):
    """Rank 1 ends before MPI has started, as where something cannot be imported."""
    worlds.START = 2.0
    (Path(folder) / str(os.getpid())).touch()
    if "1" in (os.environ.get("PMI_RANK"), os.environ.get("OMPI_COMM_WORLD_RANK")):
        sys.exit(3)
    with job():
        raise AssertionError("MPI has started without it")


def without_data(folder):
    """The command on two ranks, of which one finds no data."""
    with job():
        if world().rank == 1:
            raise datasets.DatasetError("the file is gone")
        command(folder, "train", "--epochs", "1", "--execution", "ranks")


if __name__ == "__main__":
    outcome = globals()[sys.argv[1]](*sys.argv[2:])
    if world().rank == 0:
        print(json.dumps(outcome))
