"""A strict stand-in for cupy.cuda.nccl: messages between emulated GPUs of several processes, carried by MPI.

It takes bytes from device memory when its stream has come so far, and puts them back by a copy on that stream, so that
whoever reads them elsewhere without waiting reads what was there before.  What would hang or spoil memory with NCCL is
an error here: a message outside a group, of another size than the other end expects, ranks with another identity.
"""

import sys

import numpy as np

from tinycnn.execution.teams.world import world

NCCL_UINT8 = 1
available = True
_group = None  # what has been asked since groupStart
_kept = []  # main memory that copies still read from


def install(available):
    """Put this module, or one that is not there, in the place of CuPy's."""
    import cupy

    module = sys.modules[__name__]
    module.available = available
    cupy.cuda.nccl = sys.modules["cupy.cuda.nccl"] = module


def get_version():
    return 22707


def get_unique_id():
    return tuple(int(byte) - 128 for byte in np.random.default_rng(7).integers(0, 256, 128))


def groupStart():  # noqa: N802  (NCCL's name)
    global _group
    assert _group is None, "groupStart: there is one"
    _group = []


def groupEnd():  # noqa: N802  (NCCL's name)
    """Do all that was asked at once."""
    import cupy

    global _group
    asked, _group = _group, None
    sizes = {(way, peer): size for way, _, size, peer, _ in asked}
    assert len(sizes) == len(asked), "groupEnd: two messages of one kind to one rank"
    ranks, runtime = world(), cupy.cuda.runtime
    expected = np.zeros((ranks.size, 2), np.int64)
    for (way, peer), size in sizes.items():
        expected[peer, int(way == "recv")] = size
    everyones = ranks.gather(expected)  # (rank, peer, sent or received)
    assert (everyones[:, :, 0] == everyones[:, :, 1].T).all(), f"groupEnd: sizes differ: {everyones.tolist()}"
    outgoing, incoming = {}, {}
    for way, pointer, size, peer, stream in asked:
        array = np.empty(size, np.uint8)
        (incoming if way == "recv" else outgoing)[peer] = array
        if way == "send":
            runtime.streamSynchronize(stream)
            runtime.memcpy(array.ctypes.data, pointer, size, runtime.memcpyDeviceToHost)
    ranks.exchange(outgoing, incoming)
    for way, pointer, size, peer, stream in asked:
        if way == "recv":
            _kept.append(incoming[peer])
            runtime.memcpyAsync(pointer, incoming[peer].ctypes.data, size, runtime.memcpyHostToDevice, stream)


class NcclCommunicator:
    def __init__(self, size, identity, rank):
        ranks = world()
        assert (size, rank) == (ranks.size, ranks.rank) and isinstance(identity, tuple) and len(identity) == 128
        everyones = ranks.gather(np.array(identity, np.int8))
        assert (everyones == everyones[0]).all(), "ncclCommInitRank: identities differ"

    def send(self, pointer, count, kind, peer, stream):
        self._ask("send", pointer, count, kind, peer, stream)

    def recv(self, pointer, count, kind, peer, stream):
        self._ask("recv", pointer, count, kind, peer, stream)

    def _ask(self, way, pointer, count, kind, peer, stream):
        assert _group is not None and kind == NCCL_UINT8 and peer != world().rank
        _group.append((way, pointer, count, peer, stream))

    def check_async_error(self):
        pass

    def abort(self):
        pass

    def destroy(self):
        pass
