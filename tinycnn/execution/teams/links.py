"""links: how gradients travel between ranks.  On CPUs by MPI, which is the World itself; between GPUs by NCCL.

Where NCCL is not to be had, or ranks share a GPU, which it refuses, they go through main memory, by MPI, and the
step's description says why.  The additions are the same, made on the GPUs, and so are the bits.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from tinycnn.backend import Array, to_device, to_numpy
from tinycnn.backend.devices import gpu_address
from tinycnn.backend.nccl import Nccl, unique_id, version, why_no_nccl
from tinycnn.execution.teams.world import START, RankError, World, no_longer_than

LONGEST = 200  # bytes of what a rank says of its GPU


class Link(Protocol):
    """What moves arrays between ranks."""

    def exchange(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array]) -> None:
        """As World's, of arrays where the parameters are."""


class ThroughMemory:
    """GPU, main memory, MPI, main memory, GPU."""

    def __init__(self, world: World, reason: str) -> None:
        self.world, self.name = world, f"through main memory, for {reason}"

    def exchange(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array]) -> None:
        copies = {id(array): to_numpy(array) for array in outgoing.values()}
        arriving = {r: np.empty(array.shape, array.dtype) for r, array in incoming.items()}
        self.world.exchange({r: copies[id(array)] for r, array in outgoing.items()}, arriving)
        for r, array in incoming.items():
            array[...] = to_device(arriving[r], "gpu")


class Direct:
    """From GPU to GPU.  RankError where the others do not come in time, with those who do not answer by MPI either."""

    def __init__(self, world: World) -> None:
        self.world, self.name = world, f"NCCL {version()}"
        identity = world.from_leader(unique_id() if world.rank == 0 else None)
        with no_longer_than(START):  # it waits for all to come
            self.nccl = Nccl(world.size, world.rank, identity)
        token = to_device(np.zeros(1, np.uint8), "gpu")  # connections are made by the first message
        room = to_device(np.zeros((world.size, 1), np.uint8), "gpu")
        self._exchange(dict.fromkeys(world.others, token), {r: room[r] for r in world.others}, START)

    def exchange(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array]) -> None:
        self._exchange(outgoing, incoming, self.world.patience)

    def _exchange(self, outgoing: Mapping[int, Array], incoming: Mapping[int, Array], patience: float) -> None:
        try:
            self.nccl.exchange(outgoing, incoming, patience)
        except TimeoutError as error:
            self.world.gather(np.zeros(1), patience)  # names those who have stopped
            raise RankError(f"ranks: {error}, though all ranks answer; NCCL_DEBUG=INFO shows what NCCL does") from error


def gpus(world: World) -> ThroughMemory | Direct:
    """The link between the GPUs of all ranks, each rank's current one; all get the same kind."""
    said = np.array([why_no_nccl().encode(), gpu_address().encode()], f"S{LONGEST}")
    everyones = world.gather(said).tolist()
    seats: dict[tuple[str, bytes], int] = {}
    for rank, (problem, address) in enumerate(everyones):
        if problem:
            return ThroughMemory(world, f"{problem.decode()}: {world.name(rank)}")
        other = seats.setdefault((world.hosts[rank], address), rank)
        if other != rank:
            return ThroughMemory(world, f"{world.name(other)} and rank {rank} share a GPU")
    return Direct(world)
