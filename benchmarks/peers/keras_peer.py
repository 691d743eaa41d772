"""TensorFlow through Keras: train_on_batch and predict_on_batch, which run compiled graphs; NHWC, its CPU layout."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras  # noqa: E402  # the variables must be there first
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

from peers import CHANNELS, LEARNING_RATE, cycle, images  # noqa: E402

NAMES = ("TensorFlow (Keras)",)


def make(variant, net, batch, train, threads):
    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    c1, c2 = CHANNELS[net]
    act, pool = ("relu", layers.MaxPooling2D) if net == "wide" else ("sigmoid", layers.AveragePooling2D)
    model = keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Conv2D(c1, 5, activation=act, padding="same"), pool(2)]
        + [layers.Conv2D(c2, 5, activation=act), pool(2), layers.Flatten()]
        + [layers.Dense(120, activation=act), layers.Dense(84, activation=act), layers.Dense(10)]
    )
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE[net]), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )  # fmt: skip
    ready = [(x.transpose(0, 2, 3, 1).astype("float32") / 255, y) for x, y in images(batch)]
    following = cycle([(tf.constant(x), tf.constant(y)) for x, y in ready])
    last = [0.0]

    def train_step():
        last[0] = float(model.train_on_batch(*following())[0])
        model.reset_metrics()

    def infer():
        last[0] = float(model.test_on_batch(*following())[0])
        model.reset_metrics()

    return (train_step if train else infer), lambda: last[0]
