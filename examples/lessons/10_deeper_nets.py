# %% [markdown]
# # 10. Deeper nets
#
# **Question.** The chapter asks what more layers do to LeNet.  With sigmoids, one convolution more and it does not
# leave guessing in ten epochs.  Is a deep net too large to be trained, or does something get lost on its way?
#
# To be touched rather than computed: the tab Training of the page that `python -m tinycnn.explain --open` writes.

# %%
import math

import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import functional as F
from tinycnn import manual_seed, nn
from tinycnn.data import Batches, Silhouettes, scale
from tinycnn.explain import figures
from tinycnn.optim import SGD

DEPTH = 8  # convolutions


def deep(normalised, shortcuts):
    """Eight convolutions with sigmoids, all of 8 maps of 14x14; with what the deep nets of today have, or without."""
    manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, stride=2, padding=1)]
    for _ in range(DEPTH - 1):
        block = [nn.Conv2d(8, 8, 3, padding=1), *([nn.BatchNorm2d(8)] if normalised else []), nn.Sigmoid()]
        layers.append(nn.Residual(*block) if shortcuts else nn.Sequential(*block))
    return nn.Sequential(*layers, nn.AvgPool2d(7), nn.Flatten(), nn.Linear(32, 10))


plain, normalised = deep(False, False), deep(True, False)
both = deep(True, True)
print(both[1])

# %% [markdown]
# ## What is lost on the way
#
# Backward multiplies, layer by layer, by the slope of the sigmoid and by the weights.  The slope is 1/4 at best, and
# weights are small numbers: what arrives at the first layer is a product of many factors below 1.  The size of the
# gradient (root mean square) of every convolution's weights, for the same images:

# %%
train = Silhouettes(train=True, size=2000)  # drawn by NumPy: no download


def gradients(net):
    """The size of the gradient of each convolution's weights, from the first to the last."""
    net.zero_grad()
    F.cross_entropy(net(tinycnn.tensor(scale(train.images[:64]))), train.labels[:64]).backward()
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    return [float(np.sqrt(np.square(layer.weight.grad.numpy(), dtype=np.float64).mean())) for layer in convolutions]


NETS = {"sigmoids alone": plain, "normalised": normalised, "normalised, with shortcuts": both}
sizes = {name: gradients(net) for name, net in NETS.items()}
for name, size in sizes.items():
    print(f"{name:27}  last layer {size[-1]:.1e}  first layer {size[0]:.1e}  {size[-1] / size[0]:,.1f} times smaller")
assert sizes["sigmoids alone"][-1] / sizes["sigmoids alone"][0] > 1e5
assert sizes["normalised"][-1] / sizes["normalised"][0] < 100

# %% [markdown]
# With sigmoids alone the first layer hears next to nothing: a rate at which it would move is one at which the last
# layer goes wild.
#
# **Batch normalisation** brings each map to mean 0 and deviation 1 over the batch, and then to a mean and deviation
# that are learnt.  So every sigmoid works around 0, where it is steepest, and small weights are made up for: whatever
# the factor of the weights, the deviation afterwards is 1.
#
# **A shortcut** adds a block's input to its output, y = x + block(x).  Backward then has two ways: through the block,
# and past it, where nothing is multiplied at all:
#
#     dx = dy + (what comes back through the block)

# %%
x = tinycnn.tensor(np.full((1, 8, 4, 4), 0.5), requires_grad=True)
block = nn.Residual(nn.Conv2d(8, 8, 3, padding=1), nn.Sigmoid()).double()
block(x).sum().backward()
past = x.grad.numpy().mean()
print(f"dy is 1 everywhere; dx is {past:.2f} on average: 1 past the block, {past - 1:+.2f} through it")
assert 0.8 < past < 1.2

if figures.can_draw():
    print("wrote", figures.save(figures.gradient_sizes(sizes), "10_gradients.png"))

# %% [markdown]
# ## And so they learn, or not
#
# The same loop, the same images, the same rate.  The net that does not leave guessing is not too large, and not too
# deep: its first layers cannot be heard.


# %%
def learn(net, epochs=3):
    """The loss over the last epoch's images, and the share of them that were answered right."""
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(epochs):
        losses, right = [], 0
        for images, labels in Batches(train.images, train.labels, batch_size=50, seed=epoch):
            logits = net(tinycnn.tensor(scale(images)))
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            right += int((logits.numpy().argmax(axis=1) == labels).sum())
    return np.mean(losses), right / len(train)


found = {name: learn(net) for name, net in NETS.items()}
print(f"guessing: loss {math.log(10):.3f}, 10% right")
for name, (loss, right) in found.items():
    print(f"{name:27}  loss {loss:.3f}, {right:.0%} right")
assert found["sigmoids alone"][1] < 0.2 and min(found[name][1] for name in list(NETS)[1:]) > 0.4

# %% [markdown]
# ## Exercise
#
# Write batch normalisation, forward only: of every map the mean and the variance over the whole batch and all places,
# the variance plus 1e-5 under the root.  gamma and beta, one number each per map, are what is learnt: the deviation and
# the mean afterwards.


# %%
# your code
def batch_norm(x, gamma, beta):
    """x (N, C, H, W) normalised, times gamma (C,), plus beta (C,)."""
    ...


print(tinycnn.check.lesson10(batch_norm))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def batch_norm(x, gamma, beta):
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma[:, None, None] + beta[:, None, None]


verdict = tinycnn.check.lesson10(batch_norm)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: take the shortcuts without the normalisation, `deep(False, True)`.  Predict the gradient at its first
# layer, then look at it; and train it.  Then make it twice as deep (`DEPTH = 16`): which of the four still learns?
