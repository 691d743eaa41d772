"""DeZero: NumPy as well; as shipped it computes its gradients in float64 under NumPy 2."""

import numpy as np

np.int = int  # an alias that the released DeZero still uses and NumPy no longer has

import dezero  # noqa: E402  # the alias must be there first
import dezero.functions as F  # noqa: E402
import dezero.layers as L  # noqa: E402

from peers import CHANNELS, LEARNING_RATE, cycle, images  # noqa: E402

NAMES = ("DeZero",)


class Net(dezero.Model):
    def __init__(self, net):
        super().__init__()
        c1, c2 = CHANNELS[net]
        self.conv1, self.conv2 = L.Conv2d(c1, 5, pad=2), L.Conv2d(c2, 5)
        self.fc1, self.fc2, self.fc3 = L.Linear(120), L.Linear(84), L.Linear(10)
        self.act, self.pool = (F.relu, F.pooling) if net == "wide" else (F.sigmoid, F.average_pooling)

    def forward(self, x):
        x = self.pool(self.act(self.conv1(x)), 2, 2)
        x = self.pool(self.act(self.conv2(x)), 2, 2)
        x = F.reshape(x, (x.shape[0], -1))
        return self.fc3(self.act(self.fc2(self.act(self.fc1(x)))))


def make(variant, net, batch, train, threads):
    model = Net(net)
    optimizer = dezero.optimizers.SGD(LEARNING_RATE[net]).setup(model)
    following, last = cycle([(x.astype("float32") / 255, y) for x, y in images(batch)]), [0.0]

    def train_step():
        x, y = following()
        loss = F.softmax_cross_entropy(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        last[0] = float(loss.data)

    def infer():
        x, y = following()
        with dezero.no_grad():
            last[0] = float(F.softmax_cross_entropy(model(x), y).data)

    return (train_step if train else infer), lambda: last[0]
