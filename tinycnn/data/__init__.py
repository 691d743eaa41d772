"""Data: Fashion-MNIST, MNIST, a generated stand-in, and batches of them.

    train, test = load("auto")                        # two Datasets: .images uint8 (N, 1, 28, 28), .labels int64 (N,)
    for images, labels in Batches(train.images, train.labels, batch_size=256):
        x = scale(images)                             # float32 in [0, 1]

Pictures of your own come from arrays (Dataset), or from a folder for each class (folder); cifar reads CIFAR-10.

Read in this order: idx (the file format), sources (where files are and which are right), download, dataset and
datasets, batches, augment; silhouettes (the generated images) stands by itself.
"""

from tinycnn.data.augment import Augment
from tinycnn.data.batches import Batches, scale
from tinycnn.data.cifar import read_cifar10
from tinycnn.data.dataset import Dataset
from tinycnn.data.datasets import MNIST, SHORT_NAMES, DatasetError, FashionMNIST, load
from tinycnn.data.folder import read_folder
from tinycnn.data.idx import IdxError, read_idx
from tinycnn.data.loader import DataLoader, TensorDataset
from tinycnn.data.silhouettes import Silhouettes

__all__ = [
    "MNIST",
    "Augment",
    "SHORT_NAMES",
    "Batches",
    "DataLoader",
    "Dataset",
    "DatasetError",
    "FashionMNIST",
    "IdxError",
    "Silhouettes",
    "TensorDataset",
    "load",
    "read_cifar10",
    "read_folder",
    "read_idx",
    "scale",
]
