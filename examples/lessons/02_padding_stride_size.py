# %% [markdown]
# # 2. Padding, stride, and the size of what comes out
#
# **Question.** A 3x3 window slides over 6x6 pixels.  How many places are there?  And if it takes two pixels per step, a
# *stride* of 2?  Predict both before you run the next cell.
#
# To be touched rather than computed: the tab Size of the page that `python -m tinycnn.explain --open` writes.

# %%
import numpy as np

import tinycnn
import tinycnn.check
from tinycnn import functional as F
from tinycnn.explain import figures
from tinycnn.geometry import output_size


def places(n, k, stride=1, padding=0):
    """Count the window's starts along one axis, by walking."""
    return len(range(0, n + 2 * padding - k + 1, stride))


print("stride 1:", places(6, 3), "places a side,  stride 2:", places(6, 3, stride=2))
assert (places(6, 3), places(6, 3, stride=2)) == (4, 2)

# %% [markdown]
# ## The formula
#
# The window's first pixel can be at 0, s, 2s, ... as long as the last one, k - 1 further on, is still inside.  So with
# s = 1 there are k - 1 places fewer than pixels: that is why the output is smaller than the image.  *Padding* is a
# frame of zeros around the image, in which windows may begin and end, too.  With p pixels of it on *both* sides:
#
#     floor((n + 2p - k) / s) + 1  places
#
# LeNet's first convolution, 5x5 on 28 pixels with padding 2, keeps the size: (28 + 4 - 5) / 1 + 1 = 28.

# %%
for n, k, s, p in [(6, 3, 1, 0), (6, 3, 2, 0), (6, 3, 1, 1), (28, 5, 1, 2), (14, 5, 1, 0), (28, 2, 2, 0)]:
    formula = (n + 2 * p - k) // s + 1
    x, w = tinycnn.tensor(np.zeros((1, 1, n, n))), tinycnn.tensor(np.zeros((1, 1, k, k)))
    engine = F.conv2d(x, w, stride=s, padding=p).shape[2]
    print(f"n={n:2}  k={k}  s={s}  p={p}:  formula {formula:2}, engine {engine:2}")
    assert formula == engine == places(n, k, s, p) == output_size(n, k, s, p)

# %% [markdown]
# ## What the floor drops
#
# 6 pixels, window 3, stride 2: windows start at 0 and 2 and end at 2 and 4.  Pixel 5 is in none of them; the
# network never sees it.  To find out which pixels are used, and how often, light one pixel after another: an image
# that is 1 there and 0 elsewhere, and a kernel of ones.  Each window that covers the pixel gives 1, all others give
# 0; the sum of the outputs is the number of its windows.


# %%
def use_count(n, k, stride, padding):
    """How many windows cover each of n x n pixels: (n, n)."""
    one_lit = tinycnn.tensor(np.eye(n * n).reshape(n * n, 1, n, n))  # n * n images, each with one pixel of 1
    ones = tinycnn.tensor(np.ones((1, 1, k, k)))
    return F.conv2d(one_lit, ones, stride=stride, padding=padding).numpy().sum(axis=(1, 2, 3)).reshape(n, n)


strided = use_count(6, 3, stride=2, padding=0)
print("stride 2, no padding:")
print(strided.astype(int))
assert (strided[5] == 0).all() and (strided[:, 5] == 0).all()  # dropped
assert strided[2, 2] == 4  # under four windows at once

# %% [markdown]
# ## Why pad
#
# Without padding a corner pixel is in one window and a pixel in the middle in nine: the border hardly counts, and
# every layer makes the image smaller.  Padding of (k - 1) / 2 keeps the size, and gives the border more windows.

# %%
bare, padded = use_count(6, 3, 1, 0), use_count(6, 3, 1, 1)
print(f"corner pixel: in {bare[0, 0]:.0f} window without padding, in {padded[0, 0]:.0f} with padding 1; middle: 9")
assert (bare[0, 0], padded[0, 0], padded[3, 3]) == (1, 4, 9)
assert strided.sum() == 2 * 2 * 9 and bare.sum() == 4 * 4 * 9  # each window counts nine pixels

if figures.can_draw():
    counts = [bare, padded, strided]
    titles = ["no padding", "padding 1", "stride 2: an edge is lost"]
    print("wrote", figures.save(figures.pictures(counts, titles, columns=3, signed=True), "02_windows_per_pixel.png"))

# %% [markdown]
# ## Exercise
#
# An image has 224 pixels a side.  Find kernel, stride and padding that make 112 of them without leaving out any pixel.

# %%
# your code
kernel, stride, padding = ..., ..., ...
print(tinycnn.check.lesson2_halves(kernel, stride, padding))

# %% [markdown]
# An answer; try yours first:

# %% tags=["answer"]
kernel, stride, padding = 3, 2, 1  # 2, 2, 0 and 4, 2, 1 do as well
verdict = tinycnn.check.lesson2_halves(kernel, stride, padding)
print(verdict)
assert verdict.passed

# %% [markdown]
# With a *dilation* d the pixels of a window stand d apart: a window of 3 with dilation 2 takes the pixels 0, 2 and 4.
# How many windows are there now?


# %%
# your code
def size(n, k, stride, padding, dilation):
    """How many windows fit along an axis of n pixels."""
    ...


print(tinycnn.check.lesson2(size))

# %% [markdown]
# An answer; try yours first:


# %% tags=["answer"]
def size(n, k, stride, padding, dilation):
    reach = dilation * (k - 1) + 1  # pixels from a window's first to its last
    return (n + 2 * padding - reach) // stride + 1


verdict = tinycnn.check.lesson2(size)
print(verdict)
assert verdict.passed

# %% [markdown]
# And further: let `use_count` take a dilation, and find a stride and a dilation for which some pixel *in the middle* is
# never used.
