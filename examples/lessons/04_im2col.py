# %% [markdown]
# # 4. im2col, or: a convolution is a matrix product
#
# **Question.** Matrix products are what computers do fastest.  Can a window that slides be written as one?
#
# To be touched rather than computed: the tab im2col of the page that `python -m tinycnn.explain --open` writes.

# %%
import time

import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import explain
from tinycnn import functional as F
from tinycnn.explain import figures
from tinycnn.nn import Conv2d, Sequential
from tinycnn.ops.conv2d import conv2d_loops

# %% [markdown]
# ## Lay each window down as a column
#
# The image of lesson 1, with its four windows.  Each becomes a column, read like text:
#
#     0 1 2                    0 1 3 4   <- what the kernel's top left meets
#     3 4 5      columns  =    1 2 4 5   <- what its top right meets
#     6 7 8                    3 4 6 7
#                              4 5 7 8   <- what its bottom right meets
#
# With the kernel as a row, `0 1 2 3`, the product is `19 25 37 43`: the whole convolution.


# %%
def im2col(x, KH, KW):
    """Every window of x (C, H, W) as a column: (C*KH*KW, OH*OW)."""
    C, H, W = x.shape
    OH, OW = H - KH + 1, W - KW + 1
    cols = np.empty((C * KH * KW, OH * OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            cols[:, i * OW + j] = x[:, i : i + KH, j : j + KW].ravel()
    return cols


image = np.arange(9.0).reshape(1, 3, 3)
cols = im2col(image, 2, 2)
print(cols.astype(int))
product = np.array([0.0, 1, 2, 3]) @ cols
print("row times columns:", product.astype(int).tolist())
assert cols.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
assert product.tolist() == [19, 25, 37, 43]

# %% [markdown]
# Look at the matrix by rows, and each row is the image itself, shifted: row (u, v) is what the kernel's *tap* (u, v),
# its number in row u and column v, sees while the window slides.  That is how fast code builds it: a few large copies
# instead of many small ones.

# %%
assert cols[1].reshape(2, 2).tolist() == image[0, 0:2, 1:3].tolist()  # tap (0, 1): shifted by one to the left

# %% [markdown]
# ## With channels and filters
#
# The columns get longer, C*KH*KW, and each filter becomes a row of that length: `weight.reshape(O, -1)`.  Nothing
# else changes.  Against the engine, which does the same for a whole batch:

# %%
rng = np.random.default_rng(4)
x, w = rng.uniform(-1, 1, (6, 14, 14)), rng.uniform(-1, 1, (16, 6, 5, 5))
ours = (w.reshape(16, -1) @ im2col(x, 5, 5)).reshape(16, 10, 10)
engine = F.conv2d(tinycnn.tensor(x[None]), tinycnn.tensor(w)).numpy()[0]
print(f"our product against the engine: largest difference {np.abs(ours - engine).max():.1e}")
assert np.allclose(ours, engine)

# %% [markdown]
# ## What it costs, and what it gains
#
# A pixel is written once for every window that covers it: 25 times for a 5x5 kernel.  LeNet's first convolution
# turns 784 pixels into 19,600 numbers.  That buys a product that runs near the processor's full speed.  (The engine
# copies only the five shifts along the width, and lets those along the height overlap in memory: read
# tinycnn/ops/conv2d.py.)

# %%
layer = Conv2d(1, 6, 5, padding=2)
images = rng.uniform(0, 1, (2, 1, 28, 28)).astype(np.float32)
trace = explain.trace(Sequential(layer), images, gradient=np.ones((2, 6, 28, 28), np.float32))
cols = trace["conv1"].cols
growth = cols.size / images.size
print(f"the columns that the engine multiplied: {cols.size:,} numbers, {growth:.0f} times the image")
assert growth == 25

start = time.perf_counter()
loops = conv2d_loops(images, layer.weight.numpy(), layer.bias.numpy(), (1, 1), (2, 2))
middle = time.perf_counter()
fast = layer(tinycnn.tensor(images)).numpy()
end = time.perf_counter()
print(f"loops {1e3 * (middle - start):.1f} ms, engine {1e3 * (end - middle):.2f} ms on this machine, the same numbers")
assert np.allclose(loops, fast, atol=1e-5)

if figures.can_draw():
    small = Sequential(Conv2d(1, 1, 3))
    boot = np.array([[0, 0, 5, 5, 0], [0, 0, 6, 8, 0], [0, 4, 7, 9, 0], [3, 8, 9, 9, 1], [9, 9, 9, 9, 9]], np.float32)
    traced = explain.trace(small, boot[None, None], gradient=np.ones((1, 1, 3, 3), np.float32))
    print("wrote", figures.save(figures.im2col(traced, "conv1", (1, 2)), "04_im2col.png"))

# %% [markdown]
# ## Exercise
#
# Write `im2col` without its loops over i and j: loop over the channels and the kernel's taps (u, v) instead, and copy a
# whole shifted image at a time.  With a stride S, the windows are S pixels apart.


# %%
# your code
def by_taps(x, KH, KW, S):
    """Every window of x (C, H, W) as a column, S pixels apart: (C*KH*KW, OH*OW)."""
    ...


print(tinycnn.check.lesson4(by_taps))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def by_taps(x, KH, KW, S):
    C, H, W = x.shape
    OH, OW = (H - KH) // S + 1, (W - KW) // S + 1
    cols = np.empty((C, KH, KW, OH, OW), x.dtype)
    for u in range(KH):
        for v in range(KW):
            cols[:, u, v] = x[:, u : u + S * OH : S, v : v + S * OW : S]  # all channels at once
    return cols.reshape(C * KH * KW, OH * OW)


assert np.array_equal(by_taps(x, 5, 5, 1), im2col(x, 5, 5))
verdict = tinycnn.check.lesson4(by_taps)
print(verdict)
assert verdict.passed
