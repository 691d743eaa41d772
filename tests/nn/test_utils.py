"""clip_grad_norm_ by hand and beside torch's."""

import numpy as np
import pytest
from helpers import assert_close

import tinycnn
from tinycnn import nn


def with_gradients(*gradients, dtype=np.float64, device="cpu"):
    found = []
    for g in gradients:
        p = tinycnn.tensor(np.zeros(3), dtype, device, requires_grad=True)
        p.grad = None if g is None else tinycnn.tensor(np.array(g), dtype, device)
        found.append(p)
    return found


def test_by_hand(device):
    p, q, r = with_gradients([3.0, 0, 0], [0, 4.0, 0], None, device=device)
    norm = nn.utils.clip_grad_norm_([p, q, r], 10)
    assert norm.item() == 5 and p.grad.numpy().tolist() == [3, 0, 0]
    nn.utils.clip_grad_norm_(iter([p, q, r]), 1)
    assert_close(p.grad, np.array([0.6, 0, 0]), 1e-6)
    assert_close(q.grad, np.array([0, 0.8, 0]), 1e-6)
    assert r.grad is None and nn.utils.clip_grad_norm_([r], 1).item() == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_follows_torch(dtype, rng):
    torch = pytest.importorskip("torch")
    gradients = [rng.normal(size=3) for _ in range(3)]
    ours, theirs = with_gradients(*gradients, dtype=dtype), [torch.zeros(3, dtype=torch.float64) for _ in range(3)]
    for p, g in zip(theirs, gradients, strict=True):
        p.grad = torch.tensor(g)
    norms = nn.utils.clip_grad_norm_(ours, 0.3), torch.nn.utils.clip_grad_norm_(theirs, 0.3)
    assert norms[0].item() == pytest.approx(norms[1].item(), rel=1e-6)
    for p, q in zip(ours, theirs, strict=True):
        assert p.grad.dtype == dtype
        assert_close(p.grad.numpy().astype(np.float64), q.grad, 1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm must be at least 0, got -1"):
        nn.utils.clip_grad_norm_(with_gradients([1.0, 1, 1]), -1)
