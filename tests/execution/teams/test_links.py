"""Ranks with a GPU each: the bits of one of them, whichever way gradients travel; fake_nccl plays NCCL's part."""

import json
from types import SimpleNamespace

import mpi_job
import numpy as np
import pytest
import rank_program

from tinycnn import nn, optim
from tinycnn.execution import RankError, make_step
from tinycnn.execution.stages import UnsupportedModel
from tinycnn.execution.teams import links


def outcome(ranks, link):
    status, out, errors, _ = mpi_job.run(ranks, mpi_job.PROGRAM, "gpu_bits", link)
    assert status == 0, errors
    return json.loads(out)


@pytest.fixture(scope="module")
def one_gpu(a_gpu):
    said, found = outcome(1, "nccl")
    assert said == ""  # it talks to nobody
    return found


@pytest.mark.gpu
@mpi_job.needs_mpi()
@pytest.mark.parametrize(
    ("ranks", "link", "words"),
    [
        (2, "nccl", "NCCL 2.27.7"),
        (3, "nccl", "NCCL 2.27.7"),
        (2, "memory", "through main memory, for CuPy finds no NCCL (HOST): rank 0 on "),
        (3, "shared", "through main memory, for rank 0 on HOST and rank 1 share a GPU"),
    ],
)
def test_the_bits_are_those_of_one_gpu(ranks, link, words, one_gpu):
    said, found = outcome(ranks, link)
    assert found == one_gpu
    start, _, rest = words.partition("HOST")
    assert said.startswith(start) and rest in said, said


@pytest.mark.gpu
@mpi_job.needs_mpi()
def test_a_gpu_learns_what_a_cpu_does(one_gpu):
    cases = rank_program.bits("threads", 1, cases=rank_program.GPU_CASES)
    for (results, _), (expected, _) in zip(one_gpu, cases, strict=True):
        np.testing.assert_allclose([loss for loss, _ in results], [loss for loss, _ in expected], rtol=1e-5)
        assert [correct for _, correct in results] == [correct for _, correct in expected]


def test_an_exchange_that_never_ends_is_an_error(monkeypatch):
    """Of the rank that has stopped, where MPI gets no answer either; else of NCCL."""

    def never(*messages):
        raise TimeoutError("nccl: an exchange is not over after 3 seconds")

    def nobody(mine, patience):
        raise RankError("ranks: no answer from rank 1")

    link = object.__new__(links.Direct)
    link.nccl, link.world = SimpleNamespace(exchange=never), SimpleNamespace(patience=3.0, gather=nobody)
    with pytest.raises(RankError, match="no answer from rank 1"):
        link.exchange({}, {})
    link.world.gather = lambda mine, patience: mine
    with pytest.raises(RankError, match="ranks: nccl: an exchange .*, though all ranks answer"):
        link.exchange({}, {})


def test_stages_are_refused_on_a_gpu(fake_cupy, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).to("gpu")
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(UnsupportedModel, match='they compute on the CPU, .* use engine="tape"'):
        make_step(model, nn.CrossEntropyLoss(), optimizer, "ranks", engine="stages")
    with pytest.raises(ValueError, match="threads runs on the CPU with parameters of one dtype"):
        make_step(model, nn.CrossEntropyLoss(), optimizer, "threads")
