"""launcher: whether mpiexec, mpirun or srun has started this process as one of several.  Asks no MPI."""

import os
from collections.abc import Mapping
from typing import NamedTuple

SIZES = {  # variables that say how many were started, and who sets them
    "OMPI_COMM_WORLD_SIZE": "Open MPI's mpiexec",
    "PMI_SIZE": "MPICH's mpiexec",  # and those of its relatives: Intel MPI, MVAPICH, Cray
    "SLURM_STEP_NUM_TASKS": "Slurm's srun",  # set in a step; a batch script that calls no srun has SLURM_NTASKS alone
}
RANK = "PMIX_RANK", "a launcher that speaks PMIx"  # tells each process which it is, and none how many there are

EXAMPLE = "mpiexec -n 4 python -m tinycnn train --execution ranks"


class Launch(NamedTuple):
    """Who started this process, and as one of how many; None where the launcher does not say."""

    by: str
    size: int | None

    @property
    def many(self) -> str:
        """ "as one of 4"."""
        return f"as one of {self.size or 'several'}"


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """The launch that this process is part of; None where it was started as programs usually are."""
    for variable, by in SIZES.items():
        if environment.get(variable, "").isdigit():
            return Launch(by, int(environment[variable]))
    return Launch(RANK[1], None) if RANK[0] in environment else None


def check_launch(strategy: str, environment: Mapping[str, str] = os.environ) -> None:
    """RuntimeError where ranks were asked for and nobody started any, or where several processes would each train."""
    launch = launched(environment)
    if strategy == "ranks" and launch is None:
        raise RuntimeError(
            f"ranks: this program was started alone; start it with a launcher, as in\n  {EXAMPLE}\n"
            "or use another --execution: auto takes all cores of this machine"
        )
    if strategy != "ranks" and launch is not None and launch.size != 1:
        raise RuntimeError(
            f"{launch.by} has started this program {launch.many}, and without --execution ranks each would train the "
            "same net by itself; add --execution ranks, or start the program once"
        )
