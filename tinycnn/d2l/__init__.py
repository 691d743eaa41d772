"""d2l: the functions of Dive into Deep Learning that a reader of the LeNet chapter meets, under the book's names.

    import tinycnn as torch
    from tinycnn import nn, d2l

    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=256)
    d2l.train_ch6(net, train_iter, test_iter, num_epochs=10, lr=0.9, device=d2l.try_gpu())

They stand on the engine's own loop, data and windows.  Read in this order: training, counting, images, drawing.
"""

from typing import Any

from tinycnn.d2l.counting import Accumulator, Timer, accuracy, corr2d, sgd, try_all_gpus, try_gpu
from tinycnn.d2l.drawing import Animator, plot, set_axes, set_figsize, show_images, use_svg_display
from tinycnn.d2l.images import get_dataloader_workers, get_fashion_mnist_labels, load_data_fashion_mnist
from tinycnn.d2l.training import (
    TrainCallback,
    evaluate_accuracy,
    evaluate_accuracy_gpu,
    predict_ch3,
    train_ch3,
    train_ch6,
    train_epoch_ch3,
)

__all__ = [
    "Accumulator",
    "Animator",
    "Timer",
    "TrainCallback",
    "accuracy",
    "corr2d",
    "evaluate_accuracy",
    "evaluate_accuracy_gpu",
    "get_dataloader_workers",
    "get_fashion_mnist_labels",
    "load_data_fashion_mnist",
    "plot",
    "predict_ch3",
    "set_axes",
    "set_figsize",
    "sgd",
    "show_images",
    "train_ch3",
    "train_ch6",
    "train_epoch_ch3",
    "try_all_gpus",
    "try_gpu",
    "use_svg_display",
]


def __getattr__(name: str) -> Any:
    """`d2l.plt` is matplotlib.pyplot, loaded when somebody asks for it."""
    if name == "plt":
        from matplotlib import pyplot

        return pyplot
    raise AttributeError(f"tinycnn.d2l has no {name!r}; it has the functions of the LeNet chapter and those before it")
