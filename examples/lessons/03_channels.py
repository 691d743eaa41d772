# %% [markdown]
# # 3. Channels
#
# **Question.** A colour image has three channels, and LeNet's second convolution makes 16 maps from 6.  How many
# kernels of 5x5 numbers does it need: 6, 16, or 96?
#
# To be touched rather than computed: the tab Channels of the page that `python -m tinycnn.explain --open` writes.

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import explain
from tinycnn import functional as F
from tinycnn.data import Silhouettes
from tinycnn.explain import figures, trained
from tinycnn.nn import Conv2d, Sequential

# %% [markdown]
# ## One output map: a sum over channels
#
# One filter has one kernel *per input channel*.  Each kernel slides over its own channel, and the maps are added:
#
#     channel 0   kernel 0          channel 1   kernel 1
#     1 2         1 0               5 6         0 2            1*1 + 4*1  +  6*2 + 7*0  =  5 + 12  =  17
#     3 4         0 1               7 8         0 0

# %%
x = np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])  # (C, H, W)
w = np.array([[[1.0, 0], [0, 1]], [[0, 2], [0, 0]]])  # (C, KH, KW): one filter
shares = (x * w).sum(axis=(1, 2))
y = F.conv2d(tinycnn.tensor(x[None]), tinycnn.tensor(w[None])).item()
print(f"channel 0 gives {shares[0]:.0f}, channel 1 gives {shares[1]:.0f}, together {y:.0f}")
assert shares.tolist() == [5, 12] and y == 17

# %% [markdown]
# ## Many output maps: many filters
#
# Each output map has a filter of its own, so the weight has the shape (out, in, height, width).  A filter has one
# number more, its *bias*, which is added to every number of its map.  For LeNet's second convolution: 16 filters of 6
# kernels, 96 kernels of 25 numbers each, and 16 biases.

# %%
layer = Conv2d(6, 16, 5)
numbers = sum(p.numel() for p in layer.parameters())
print(f"weight {layer.weight.shape}, bias {layer.bias.shape}: {numbers} numbers")
assert layer.weight.shape == (16, 6, 5, 5) and numbers == 16 * 6 * 25 + 16 == 2416

# %% [markdown]
# Convolve the channels one by one, add the maps and the bias, and the engine's own output appears:

# %%
net = trained.load().model  # a LeNet that has learnt garments: its kernels look for something
boot = Silhouettes(train=False, size=80).images[75:76] / np.float32(255)
images = net[:3](tinycnn.tensor(boot)).numpy()  # six maps of a boot, as the second convolution gets them
layer = net[3]
whole = layer(tinycnn.tensor(images)).numpy()
total = np.zeros_like(whole) + layer.bias.numpy()[:, None, None]
for c in range(6):
    one_channel = tinycnn.tensor(images[:, c : c + 1])
    its_kernels = tinycnn.tensor(layer.weight.numpy()[:, c : c + 1])
    total += F.conv2d(one_channel, its_kernels).numpy()
difference = np.abs(total - whole).max()
print(f"sum of six maps and the bias, against the layer: largest difference {difference:.1e}")
assert difference < 1e-5

if figures.can_draw():
    trace = explain.trace(Sequential(layer), images, gradient=np.ones_like(whole))
    strongest = int(whole[0].max(axis=(1, 2)).argmax())  # the filter that answers most to this boot
    print("wrote", figures.save(figures.channel_sum(trace, "conv1", filter=strongest), "03_channel_sum.png"))

# %% [markdown]
# ## The smallest convolution
#
# With a 1x1 kernel there is no neighbourhood left, only the sum over channels: the same matrix (out, in) is applied
# to the channels of every pixel.  Grey from red, green and blue is such a layer.

# %%
rgb = np.random.default_rng(3).uniform(0, 1, (1, 3, 4, 5))
to_grey = np.array([[0.299, 0.587, 0.114]])  # (1, 3): how bright each colour looks
conv = F.conv2d(tinycnn.tensor(rgb), tinycnn.tensor(to_grey[:, :, None, None])).numpy()[0, 0]
matrix = (to_grey @ rgb[0].reshape(3, -1)).reshape(4, 5)
print("1x1 convolution equals the matrix product:", np.allclose(conv, matrix))
assert np.allclose(conv, matrix)

# %% [markdown]
# ## Exercise
#
# Write one output map yourself: slide over all channels at once, with the filter's bias, and without the engine.


# %%
# your code
def one_map(x, w, b):
    """The map (OH, OW) that a filter w (C, KH, KW) with bias b, a number, makes of x (C, H, W)."""
    ...


print(tinycnn.check.lesson3(one_map))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def one_map(x, w, b):
    (H, W), (KH, KW) = x.shape[1:], w.shape[1:]
    y = np.empty((H - KH + 1, W - KW + 1))
    for i in range(H - KH + 1):
        for j in range(W - KW + 1):
            y[i, j] = (x[:, i : i + KH, j : j + KW] * w).sum() + b  # over all channels, and the bias once
    return y


verdict = tinycnn.check.lesson3(one_map)
print(verdict)
assert verdict.passed

# %% [markdown]
# `Conv2d(6, 12, 5, groups=6)` lets every filter see one channel only.  Predict its weight's shape, and how many numbers
# it learns, biases included.

# %%
# your code
shape, numbers = ..., ...
print(tinycnn.check.lesson3_weight(shape, numbers))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
grouped = Conv2d(6, 12, 5, groups=6)
shape, numbers = grouped.weight.shape, sum(p.numel() for p in grouped.parameters())
print(shape, numbers)
verdict = tinycnn.check.lesson3_weight(shape, numbers)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: which channel do its filters 0, 1 and 2 see?  Set one channel of `images` to zero to find out.
