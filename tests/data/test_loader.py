import numpy as np
import pytest

import tinycnn
from tinycnn import Tensor, tensor
from tinycnn.data import DataLoader, Silhouettes, TensorDataset, scale


def test_a_loader_is_a_view_of_batches(rng):
    x, y = rng.uniform(size=(10, 3)), rng.integers(0, 4, 10)
    loader = DataLoader(TensorDataset(tensor(x), y), batch_size=4, shuffle=True, seed=5)
    assert len(loader) == 3 and loader.batch_size == 4 and len(loader.dataset) == 10
    for epoch in range(2):
        for (X, Y), (a, b) in zip(loader, loader.batches.from_batch(epoch, 0), strict=True):
            assert isinstance(X, Tensor) and np.array_equal(X.numpy(), a) and np.array_equal(Y.numpy(), b)
    assert len(DataLoader(TensorDataset(x, y), 4, drop_last=True)) == 2
    assert [Y.shape for _, Y in DataLoader(TensorDataset(x, y), 4)] == [(4,), (4,), (2,)]


def test_the_order_follows_the_seed_of_the_moment():
    data = TensorDataset(np.arange(20.0), np.arange(20))

    def first(loader):
        loader.epoch = 0
        return next(iter(loader))[1].tolist()

    loader = DataLoader(data, 20, shuffle=True)
    tinycnn.manual_seed(1)
    one = first(loader)
    tinycnn.manual_seed(2)
    two = first(loader)
    assert one == first(DataLoader(data, 20, shuffle=True, seed=1)) and two == first(DataLoader(data, 20, True, seed=2))
    assert one != two and sorted(one) == list(range(20)) and first(DataLoader(data, 20)) == list(range(20))


def test_images_of_bytes_are_scaled():
    data = Silhouettes(train=False, size=20)
    X, y = next(iter(DataLoader(data, 8)))
    assert X.dtype == np.float32 and np.array_equal(X.numpy(), scale(data.images[:8]))
    assert y.tolist() == data.labels[:8].tolist()


def test_an_example_of_a_dataset():
    data = TensorDataset(np.arange(6.0).reshape(3, 2), [7, 8, 9] * np.ones(3, np.int64))
    x, y = data[1]
    assert x.tolist() == [2, 3] and y.item() == 8


def test_what_is_no_dataset_is_refused():
    with pytest.raises(TypeError, match=r"got list; write DataLoader\(TensorDataset\(x, y\), \.\.\.\)"):
        DataLoader([1, 2], 4)
    with pytest.raises(ValueError, match="TensorDataset: 3 examples but 2 labels"):
        TensorDataset(np.zeros(3), np.zeros(2))
