# %% [markdown]
# # The LeNet chapter, typed
#
# **Question.** Can ten lines of a net, five of data and one call teach a computer to tell a shirt from a boot, and can
# you see what it does in between?  These are the steps of the LeNet chapter of *Dive into Deep Learning* in our own
# words; its PyTorch cells run here as they are, with these two lines in place of their imports:

# %%
# %% [markdown]
# Everything below is a program as well: `python examples/chapter.py` runs it, `TINYCNN_EPOCHS=1` makes it short, and
# `chapter_vi.md` has the same text in Vietnamese, cell by cell.
# %%
import os

import numpy as np

import tinycnn as torch
from tinycnn import d2l, nn

EPOCHS = int(os.environ.get("TINYCNN_EPOCHS", "10"))
torch.manual_seed(0)

# %% [markdown]
# ## 1. The net
#
# Two convolutions look for patterns of 5x5 pixels: six kinds in the image, sixteen kinds in what the first six found.
# Each is followed by a sigmoid and by a pooling that keeps the mean of 2x2 pixels, so that a pattern counts although it
# is a pixel off.  Three dense layers decide.

# %%
net = nn.Sequential(
    nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
    nn.Flatten(),
    nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(),
    nn.Linear(120, 84), nn.Sigmoid(),
    nn.Linear(84, 10),
)  # fmt: skip

# %% [markdown]
# ## 2. Shapes
#
# Send one image of noise through, layer by layer.  Padding 2 keeps 28x28; each pooling halves; the second convolution,
# without padding, makes 10x10 of 14x14; 16 maps of 5x5 are 400 numbers.  If you change a layer, this is where you see
# which number must follow.

# %%
X = torch.rand(size=(1, 1, 28, 28), dtype=torch.float32)
for layer in net:
    X = layer(X)
    print(layer.__class__.__name__, "output shape: \t", X.shape)
assert X.shape == (1, 10)

# %% [markdown]
# ## 3. Data
#
# 60,000 garments to learn from, 10,000 to be tested on, in batches of 256.  A batch X is (256, 1, 28, 28), grey between
# 0 and 1; y is 256 numbers of classes.

# %%
train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=256)
X, y = next(iter(train_iter))
print(X.shape, X.dtype, y.shape, y.dtype, d2l.get_fashion_mnist_labels(y[:4]))
assert X.shape == (256, 1, 28, 28) and 0 <= float(X.mean()) <= 1

# %% [markdown]
# ## 4. Evaluation
#
# A prediction is the largest of ten numbers.  Counting the right ones needs no gradients, hence `no_grad`.  A net that
# is not trained is right one time in ten, give or take.


# %%
def evaluate(net, data_iter):
    """The share of right answers, as you would write it yourself."""
    net.eval()
    metric = d2l.Accumulator(2)
    with torch.no_grad():
        for X, y in data_iter:
            metric.add((net(X).argmax(axis=1) == y).sum(), y.numel())
    net.train()
    return metric[0] / metric[1]


untrained = evaluate(net, test_iter)
print(f"untrained: {untrained:.3f} right")
assert untrained == d2l.evaluate_accuracy_gpu(net, test_iter) and untrained < 0.3

# %% [markdown]
# ## 5. Training
#
# Xavier's weights, cross-entropy, SGD with learning rate 0.9, ten times through the images.  In a notebook the curves
# grow below the cell; elsewhere they go to a PNG, and the error stream says where.
#
# What to expect: for the first 150 to 300 steps, most of the first epoch, the loss stays at ln 10 = 2.303, because four
# sigmoids leave little of the gradient.  Then it falls quickly.  After ten epochs: loss about 0.47, training accuracy
# about 0.82, test accuracy between 0.77 and 0.83, which moves by several points from epoch to epoch.

# %%
lr, num_epochs = 0.9, EPOCHS
d2l.train_ch6(net, train_iter, test_iter, num_epochs, lr, d2l.try_gpu())

# %% [markdown]
# ## 6. Exercises, and what to expect
#
# 1. **Max pooling instead of mean.**  Sharper answers, larger gradients: two or three points better.
# 2. **Other widths, activations, more layers.**  With ReLU take a learning rate of 0.1 and expect 0.83 to 0.86 after
#    ten epochs, with tanh 0.87 to 0.88; a sigmoid's slope is 1/4 at best, theirs is up to 1, so there is no waiting at
#    2.303.  Twice the channels change little.  A third convolution with sigmoids does not get away from 0.1 at all.
# 3. **Learning rate and first weights.**  A rate of 0.3 gives about 0.74, one of 2 as much as 0.9 does.  Weights of
#    standard deviation 0.01 stay at guessing with sigmoids.
# 4. **What do the first layers see?**  Below.
#
# A function makes all these nets; this one changes two things at once and still is short:


# %%
def lenet(activation=nn.Sigmoid, pool=nn.AvgPool2d, channels=(6, 16), hidden=(120, 84)):
    """The chapter's net with other parts."""
    c1, c2 = channels
    h1, h2 = hidden
    return nn.Sequential(
        nn.Conv2d(1, c1, kernel_size=5, padding=2), activation(), pool(2),
        nn.Conv2d(c1, c2, kernel_size=5), activation(), pool(2), nn.Flatten(),
        nn.Linear(c2 * 5 * 5, h1), activation(), nn.Linear(h1, h2), activation(), nn.Linear(h2, 10),
    )  # fmt: skip


modern = lenet(nn.ReLU, nn.MaxPool2d)
d2l.train_ch6(modern, train_iter, test_iter, num_epochs, 0.1, d2l.try_gpu())
print("sigmoid, mean:", round(d2l.evaluate_accuracy_gpu(net, test_iter), 3))
print("relu, max:    ", round(d2l.evaluate_accuracy_gpu(modern, test_iter), 3))

# %% [markdown]
# `python examples/exercises.py` runs nineteen such variants, three seeds each, and draws them.
#
# ## 7. Edges by hand, and a kernel that is learned
#
# What does a convolution do?  Subtract each pixel from its neighbour: the result is not zero where there is an edge.
# The other way round, from an image and its edges, gradient descent finds the kernel [1, -1] by itself.

# %%
image = torch.ones((6, 8))
image[:, 2:6] = 0
edges = d2l.corr2d(image, torch.tensor([[1.0, -1.0]]))
print(edges[0])
assert edges[0].tolist() == [0, 1, 0, 0, 0, -1, 0]

conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
image, edges = image.reshape((1, 1, 6, 8)), edges.reshape((1, 1, 6, 7))
for _ in range(25):
    loss = ((conv2d(image) - edges) ** 2).sum()
    conv2d.zero_grad()
    loss.backward()
    conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
learned = conv2d.weight.detach().reshape((1, 2))
print("learned:", [round(float(v), 2) for v in learned[0]])
assert np.allclose(learned.numpy(), [[1, -1]], atol=0.05)

# %% [markdown]
# ## 8. What the first layers see
#
# The six maps after the first sigmoid, for one garment: outlines and surfaces.  For noise they are noise.

# %%
from tinycnn.training.curves import can_draw  # noqa: E402

with torch.no_grad():
    garments, noise = net[:2](X.to(net[0].weight.device)), net[:2](torch.rand(size=(1, 1, 28, 28)))
print("first maps:", garments.shape)
if can_draw():
    d2l.show_images(garments[0].cpu(), 1, 6, titles=[f"map {i + 1}" for i in range(6)])
    d2l.plt.close("all")  # in a notebook leave this line out

# %% [markdown]
# ## Exercise
#
# Look at every number of a trained net: `python -m tinycnn.explain` writes a page that shows columns, weights and
# gradients of each layer, and moves the window over the image; `examples/lessons/` goes the same way in ten short
# steps, up to your own `conv2d`, which `tinycnn.grade` checks.  Which of the sixteen maps of the second convolution
# react to sleeves?  Find three images for which each is largest.
