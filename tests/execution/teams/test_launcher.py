"""Who started this process, by the variables that launchers set."""

import pytest

from tinycnn.execution.teams.launcher import check_launch, launched


@pytest.mark.parametrize(
    ("environment", "by", "size"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0", "PMIX_RANK": "0"}, "Open MPI's mpiexec", 4),
        ({"PMI_SIZE": "3", "PMI_RANK": "2"}, "MPICH's mpiexec", 3),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "1"}, "Slurm's srun", 8),
        ({"SLURM_STEP_NUM_TASKS": "8", "PMIX_RANK": "1"}, "Slurm's srun", 8),
        ({"PMIX_RANK": "1"}, "a launcher that speaks PMIx", None),
    ],
)
def test_launchers_are_recognised(environment, by, size):
    assert launched(environment) == (by, size)
    many = f"as one of {size or 'several'}"
    with pytest.raises(RuntimeError, match=f"^{by} has started this program {many}, and without --execution ranks"):
        check_launch("auto", environment)
    check_launch("ranks", environment)


@pytest.mark.parametrize("environment", [{}, {"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, {"PMI_SIZE": ""}])
def test_a_program_that_was_started_once(environment):
    """Among them one in a Slurm batch script, which calls srun for what is to run several times."""
    assert launched(environment) is None
    check_launch("processes", environment)
    with pytest.raises(RuntimeError, match="ranks: this program was started alone; start it with a launcher"):
        check_launch("ranks", environment)


def test_one_rank_may_do_without():
    """`srun -n 1` is how single programs are started on a cluster."""
    check_launch("threads", {"SLURM_STEP_NUM_TASKS": "1"})
    check_launch("ranks", {"PMI_SIZE": "1"})
