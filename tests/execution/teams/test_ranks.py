"""Jobs of 1 to 4 real MPI ranks: the bits of one process, whatever is different refused by name, no forks."""

import json

import mpi_job
import numpy as np
import pytest
import rank_program

from tinycnn import nn, optim
from tinycnn.execution import make_step
from tinycnn.execution.parts import additions
from tinycnn.execution.teams.ranks import plan

needs_mpi = mpi_job.needs_mpi()


def outcome(ranks, *program):
    """What a function of rank_program returns in a job, as JSON has it."""
    status, out, errors, _ = mpi_job.run(ranks, mpi_job.PROGRAM, *program)
    assert status == 0, errors
    return json.loads(out)


def as_json(value):
    return json.loads(json.dumps(value))


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_bits_are_those_of_one_process(ranks):
    assert outcome(ranks, "bits", "ranks") == as_json(rank_program.bits("threads", 1))


@needs_mpi
def test_epochs_go_through_exactly_the_data():
    assert outcome(3, "epochs", "ranks") == as_json(rank_program.epochs("threads", 1))


@needs_mpi
def test_what_differs_is_refused_by_name():
    said = outcome(2, "refusals")
    assert said.pop("nothing") == "nothing"
    for name, words in {
        "dropout": "the layers, the loss or their settings of rank 1 on ",
        "loss": "the layers, the loss or their settings of rank 1 on ",
        "lr": "the optimiser's settings of rank 1 on ",
        "micro_batch": "the engines or the sizes of parts of rank 1 on ",
        "batch": "rank 1 on ",
        "labels": "came with another batch than rank 0 on ",
        "steps": "came with another batch than rank 0 on ",
        "images": "the training images or labels of rank 1 on ",
        "order": "the batches' size, order or number of rank 1 on ",
        "parameters": "the parameters of rank 1 on ",
    }.items():
        assert said[name].startswith("ranks: ") and words in said[name], (name, said[name])


@needs_mpi
def test_ranks_without_anything_to_do_are_mentioned():
    status, _, errors, _ = mpi_job.run(3, mpi_job.PROGRAM, "epochs", "ranks")
    assert status == 0
    assert errors.count("a batch of 32 makes 2 parts, and 1 of 3 ranks have nothing to do; try a smaller micro_b") == 1


@needs_mpi
def test_no_process_is_forked_once_mpi_runs():
    refused, description = outcome(1, "forks")
    assert "processes cannot run here: MPI runs in this process" in refused and "use threads" in refused
    assert description.startswith("threads: ") and "not processes: MPI runs in this process" in description


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 64])
@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5, 12, 64])
def test_the_plan_of_a_batch(parts, ranks):
    """Every part is computed once, every addition made once, and what travels is little."""
    blocks, early, rows, late = plan(parts, ranks)
    assert [k for block in blocks for k in block] == list(range(parts))
    assert sorted(early + late) == sorted(additions(parts))
    for into, row in early:
        assert any(into in block and row in block for block in blocks)
    assert [len(left) for left in rows] == [len(block) - sum(into in block for into, _ in early) for block in blocks]
    if (parts // ranks) * ranks == parts and (parts // ranks).bit_count() == 1:
        assert max(map(len, rows)) == 1  # whole branches: one row a rank, as in an allreduce


def test_workers_are_the_launchers_affair(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="got 2 workers, but the launcher says"):
        make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "ranks", 2)


def test_without_a_launcher_it_says_how_to_start_one(monkeypatch):
    for variable in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "PMIX_RANK"):
        monkeypatch.delenv(variable, raising=False)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).to(np.float64)
    with pytest.raises(RuntimeError, match="started alone; start it with a launcher, as in\n  mpiexec -n 4"):
        make_step(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), 0.1), "ranks")
