"""dlpack: tensors from other libraries' arrays, in the memory where they are.

    x = tinycnn.from_dlpack(torch.zeros(3, 4))   # any library that speaks DLPack: PyTorch, JAX, NumPy, CuPy
    t = torch.from_dlpack(x)                     # and back: a Tensor speaks it, too

Weights travel by name instead: model.load_state_dict(torch_model.state_dict()), and in the other direction
torch_model.load_state_dict({name: torch.from_numpy(w) for name, w in model.state_dict().items()}).
"""

from typing import Any

from tinycnn.autograd.arguments import NUMERIC
from tinycnn.autograd.tensor import Tensor
from tinycnn.backend import from_dlpack as shared


def from_dlpack(x: Any) -> Tensor:
    """A leaf tensor with the shape, dtype, device and memory of x: what is written to one is seen in the other.

    Gradients stay behind: PyTorch wants x.detach() of what requires them.  TypeError where x does not speak DLPack,
    lies on a device that is neither the CPU nor an NVIDIA GPU, or holds anything but floats, integers or bools.
    """
    array = shared(x)
    if array.dtype.kind not in NUMERIC:
        raise TypeError(f"from_dlpack: expected numbers, got {type(x).__name__} of dtype {array.dtype}")
    return Tensor(array)
