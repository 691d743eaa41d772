# %% [markdown]
# # 5. Pooling
#
# **Question.** After a convolution LeNet replaces every 2x2 pixels by their average.  It throws away three numbers of
# four.  What does it gain?
#
# To be touched rather than computed: the tab Edit of the page that `python -m tinycnn.explain --open` writes.

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import functional as F
from tinycnn.data import Silhouettes
from tinycnn.explain import figures

# %% [markdown]
# ## By hand
#
#     1 2 | 0 0        average   2.5 0.5        maximum   4 2
#     3 4 | 2 0                  1.0 8.0                  4 9
#     ----+----
#     0 0 | 7 9
#     4 0 | 8 8

# %%
x = np.array([[1.0, 2, 0, 0], [3, 4, 2, 0], [0, 0, 7, 9], [4, 0, 8, 8]])
image = tinycnn.tensor(x[None, None])
average, largest = F.avg_pool2d(image, 2), F.max_pool2d(image, 2)
print("average:", average.numpy()[0, 0].tolist(), " maximum:", largest.numpy()[0, 0].tolist())
assert average.numpy()[0, 0].tolist() == [[2.5, 0.5], [1, 8]]
assert largest.numpy()[0, 0].tolist() == [[4, 2], [4, 9]]

# %% [markdown]
# ## Average pooling is a convolution you know already
#
# ... with stride 2, a kernel that is 1/4 everywhere, and each channel by itself (as many groups as channels):

# %%
rng = np.random.default_rng(5)
maps = tinycnn.tensor(rng.uniform(-1, 1, (2, 3, 6, 8)))
quarter = tinycnn.tensor(np.full((3, 1, 2, 2), 0.25))
pooled, convolved = F.avg_pool2d(maps, 2).numpy(), F.conv2d(maps, quarter, stride=2, groups=3).numpy()
print(f"average pooling against that convolution: largest difference {np.abs(pooled - convolved).max():.1e}")
assert np.allclose(pooled, convolved)

# %% [markdown]
# Maximum pooling is none: a convolution of a sum is the sum of the convolutions, a maximum is not so obliging.

# %%
a, b = tinycnn.tensor(np.array([[[[1.0, 0], [0, 0]]]])), tinycnn.tensor(np.array([[[[0.0, 0], [0, 1]]]]))
together, apart = F.max_pool2d(a + b, 2).item(), F.max_pool2d(a, 2).item() + F.max_pool2d(b, 2).item()
print(f"max of the sum is {together:.0f}, sum of the maxima is {apart:.0f}")
assert (together, apart) == (1, 2)

# %% [markdown]
# ## What it gains: where exactly does not matter so much
#
# Shift a garment by one pixel, and measure the difference of the two pictures: it is nearly half as large as the
# picture itself.  Each pooling leaves less of it, so what follows sees more nearly the same thing.  Pooling keeps that
# a pattern is there, and how strongly; what it gives up is where exactly.


# %%
def change(image, pooling, times):
    """How much shifting the image by a pixel changes it after pooling, relative to its size."""
    here = tinycnn.tensor(image[None, None])
    there = tinycnn.tensor(np.roll(image, 1, axis=1)[None, None])
    for _ in range(times):
        here, there = pooling(here, 2), pooling(there, 2)
    h, t = here.numpy(), there.numpy()
    return float(np.linalg.norm(h - t) / np.linalg.norm(h))


garments = [image[0] / 255.0 for image in Silhouettes(train=False, size=20).images]
for name, pooling in (("average", F.avg_pool2d), ("maximum", F.max_pool2d)):
    by_times = [float(np.mean([change(g, pooling, times) for g in garments])) for times in (0, 1, 2)]
    print(f"{name}: a shift by one pixel changes " + ", ".join(f"{c:.0%}" for c in by_times), "(pooled 0, 1, 2 times)")
    assert by_times[0] > by_times[1] > by_times[2]

if figures.can_draw():
    g = tinycnn.tensor(garments[7][None, None])
    pooled = [g, F.avg_pool2d(g, 2), F.max_pool2d(g, 2), F.avg_pool2d(F.avg_pool2d(g, 2), 2)]
    titles = ["28x28", "average: 14x14", "maximum: 14x14", "twice: 7x7"]
    print(
        "wrote", figures.save(figures.pictures([p.numpy()[0, 0] for p in pooled], titles, columns=4), "05_pooling.png")
    )

# %% [markdown]
# ## Exercise
#
# Write mean pooling of 2x2 pixels yourself, with NumPy alone.


# %%
# your code
def mean_pool(x):
    """The means of every 2x2 pixels of x (C, H, W), whose sides are even: (C, H/2, W/2)."""
    ...


print(tinycnn.check.lesson5_mean(mean_pool))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def mean_pool(x):
    C, H, W = x.shape
    return x.reshape(C, H // 2, 2, W // 2, 2).mean(axis=(2, 4))


verdict = tinycnn.check.lesson5_mean(mean_pool)
print(verdict)
assert verdict.passed

# %% [markdown]
# Minimum pooling needs no new operation: write it with `F.max_pool2d` and two minus signs.


# %%
# your code
def min_pool(x, k):
    """The least of every k x k pixels of a tensor x (N, C, H, W): (N, C, H/k, W/k)."""
    ...


print(tinycnn.check.lesson5(min_pool))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def min_pool(x, k):
    return -F.max_pool2d(-x, k)


verdict = tinycnn.check.lesson5(min_pool)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: predict how much a shift by one pixel changes it, pooled once and twice, and let `change` tell you.
