"""cuda: what programs ask torch.cuda, about the one GPU that is used."""

from tinycnn.backend import cupy_problem


def is_available() -> bool:
    """Whether the GPU can be used; `python -m tinycnn.doctor` says why not."""
    return cupy_problem() is None


def device_count() -> int:
    """1 where the GPU can be used, else 0: the engine uses one, which CUDA_VISIBLE_DEVICES chooses."""
    return int(is_available())
