# %% [markdown]
# # 8. LeNet
#
# **Question.** LeNet reads a picture of 28x28 pixels and gives ten numbers, one for each kind of garment.  It has two
# convolutions and three dense layers, in which every output is a weighted sum of all inputs.  Where do most of its
# 61,706 parameters sit, and where is most of the work?
#
# To be touched rather than computed: the tab Network of the page that `python -m tinycnn.explain --open` writes.

# %%
import math

import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import explain, manual_seed
from tinycnn import functional as F
from tinycnn.data import Batches, Silhouettes, scale
from tinycnn.explain import figures
from tinycnn.models import LeNet
from tinycnn.optim import SGD

manual_seed(0)
net = LeNet()
print(tinycnn.summary(net, (1, 1, 28, 28)))
sizes = {name: p.numel() for name, p in net.named_parameters()}
convolutions, dense = sizes["0.weight"] + sizes["3.weight"], sizes["7.weight"] + sizes["9.weight"] + sizes["11.weight"]
print(f"weights of the convolutions {convolutions:,}, of the dense layers {dense:,}")
assert sum(sizes.values()) == 61_706 and (convolutions, dense) == (2_550, 58_920)

# %% [markdown]
# Parameters: nearly all in the dense layers.  Work: six sevenths in the convolutions, whose few weights are used
# again at every place of the image.  That is the point of them.
#
# ## Before it has learned anything
#
# Ten classes, no idea: each gets about probability 1/10, and the loss, minus the logarithm of the right one's, is
# about ln 10 = 2.303; a little more, because random weights favour some class without a reason.  A loss that stays
# there means that the net is still guessing.

# %%
train, test = Silhouettes(train=True, size=3000), Silhouettes(train=False, size=1000)  # drawn by NumPy: no download
trace = explain.trace(net, train.images[:64], train.labels[:64])
print(f"loss before training {trace.loss:.3f}, ln 10 = {math.log(10):.3f}")
assert abs(trace.loss - math.log(10)) < 0.5

# %% [markdown]
# ## Why sigmoids learn slowly
#
# A sigmoid, 1 / (1 + exp(-x)), squeezes every number between 0 and 1.  Its slope is 1/4 at best, and nearly 0 where its
# answer is near 0 or 1.  LeNet has four, and the gradient passes all of them on its way back: each multiplies it by 1/4
# or less, and too little arrives at the first layers to move them:


# %%
def size_of(gradient):
    """Root mean square."""
    return float(np.sqrt(np.square(gradient, dtype=np.float64).mean()))


last, first = size_of(trace["fc3"].grad_out), size_of(trace["conv1"].grad_out)
print(f"gradient at the last layer {last:.1e}, at the first {first:.1e}: {last / first:,.0f} times smaller")
assert last / first > 1000

modern = LeNet(activation="relu", pool="max")  # a slope of 1 where it is on
modern_trace = explain.trace(modern, train.images[:64], train.labels[:64])
modern_ratio = size_of(modern_trace["fc3"].grad_out) / size_of(modern_trace["conv1"].grad_out)
print(f"with ReLU and max pooling: {modern_ratio:,.0f} times smaller")
assert modern_ratio < last / first

# %% [markdown]
# ## Training, the whole of it
#
# Forward gives the loss, backward gives every weight its gradient, and a step moves every weight a little against its
# own: by the learning rate times the gradient.  Again and again, with other images each time.  Weights and biases are
# all that changes; nobody tells the kernels what to look for.


# %%
def accuracy(net, data):
    """The share of images whose largest output is that of the right class."""
    net.eval()
    with tinycnn.no_grad():
        answers = net(tinycnn.tensor(scale(data.images))).numpy().argmax(axis=1)
    net.train()
    return float((answers == data.labels).mean())


optimizer = SGD(modern.parameters(), lr=0.05, momentum=0.9)
print(f"guessing: {accuracy(modern, test):.0%} of the test images right")
for epoch in range(3):
    losses = []
    for images, labels in Batches(train.images, train.labels, batch_size=50, seed=epoch):
        loss = F.cross_entropy(modern(tinycnn.tensor(scale(images))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, test accuracy {accuracy(modern, test):.0%}")
assert accuracy(modern, test) > 0.6

# %% [markdown]
# ## What it sees
#
# The maps of every layer for one garment.  The first layer's still look like the garment: edges and areas.  The
# second's are parts, at a place.  After that there are only numbers.  A map after ReLU that is black all over is one
# whose kernel finds nothing in this garment: every number was below 0, and ReLU has made it 0.

# %%
if figures.can_draw():
    boot = int(np.flatnonzero(test.labels == 9)[0])
    seen = explain.trace(modern, test.images[boot : boot + 1], test.labels[boot : boot + 1])
    print("wrote", figures.save(figures.feature_maps(seen, layers=["conv1", "pool1", "conv2", "fc3"]), "08_maps.png"))
    print("wrote", figures.save(figures.receptive_field(seen, "conv2", (0, 4, 4)), "08_receptive_field.png"))
    print("wrote", figures.save(figures.gradient_flow(trace), "08_gradient_flow.png"))

# %% [markdown]
# ## Exercise
#
# What does `optimizer.step()` do?  Write one learning step for one array of weights, without momentum.


# %%
# your code
def step(weight, gradient, lr):
    """Change the array `weight` as plain SGD does."""
    ...


print(tinycnn.check.lesson8(step))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def step(weight, gradient, lr):
    weight -= lr * gradient


verdict = tinycnn.check.lesson8(step)
print(verdict)
assert verdict.passed

# %% [markdown]
# LeNet's first dense layer has 400 * 120 weights and 120 biases.  How many numbers would it learn, all in all, if the
# images had 32x32 pixels?  (The convolutions stay as they are: 5x5, the first with padding 2, the second without.)

# %%
# your code
numbers = ...
print(tinycnn.check.lesson8_dense(numbers))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
side = ((32 + 4 - 5 + 1) // 2 - 5 + 1) // 2  # 32 -> 32 -> 16 -> 12 -> 6
numbers = 16 * side * side * 120 + 120
verdict = tinycnn.check.lesson8_dense(numbers)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: train `net`, the one with the sigmoids, in the same loop.  How many epochs does it stay at 2.303?  (The
# loop above runs 3, which is not enough: let it run 60, a few minutes, and stop it once the loss falls below 2.)  Then
# try `lr=0.9` without momentum, as its authors' successors did.  (`python examples/lenet_fashion.py` is the whole
# program.)
